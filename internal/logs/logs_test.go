package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "canary-7f3a"

func lines(t *testing.T, o Options, log func(*slog.Logger)) string {
	t.Helper()
	var out bytes.Buffer
	l, err := New(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	log(l)
	return out.String()
}

type holder struct{ Token string }

func (h holder) LogValue() slog.Value { return slog.GroupValue(slog.String("token", h.Token)) }

func TestUnclassifiedIsRedacted(t *testing.T) {
	cases := map[string]func(*slog.Logger){
		"string":       func(l *slog.Logger) { l.Info("m", "k", canary) },
		"any":          func(l *slog.Logger) { l.Info("m", "k", holder{canary}) },
		"pointer":      func(l *slog.Logger) { l.Info("m", "k", &holder{canary}) },
		"error":        func(l *slog.Logger) { l.Info("m", "k", errors.New(canary)) },
		"bytes":        func(l *slog.Logger) { l.Info("m", "k", []byte(canary)) },
		"stringer":     func(l *slog.Logger) { l.Info("m", "k", bytes.NewBufferString(canary)) },
		"group":        func(l *slog.Logger) { l.Info("m", slog.Group("g", "k", canary)) },
		"deep group":   func(l *slog.Logger) { l.Info("m", slog.Group("g", slog.Group("h", "k", canary))) },
		"with":         func(l *slog.Logger) { l.With("k", canary).Info("m") },
		"with group":   func(l *slog.Logger) { l.WithGroup("g").Info("m", "k", canary) },
		"no key":       func(l *slog.Logger) { l.Info("m", []any{canary}...) },
		"secret":       func(l *slog.Logger) { l.Info("m", Secret("k")) },
		"lazy valuer":  func(l *slog.Logger) { l.Info("m", slog.Any("k", slog.LogValuer(holder{canary}))) },
		"secret named": func(l *slog.Logger) { l.Info("m", slog.String("exchange", canary)) },
	}
	for name, log := range cases {
		for _, format := range []string{"text", "json"} {
			t.Run(name+"/"+format, func(t *testing.T) {
				out := lines(t, Options{Format: format, Sensitive: true}, log)
				if strings.Contains(out, canary) {
					t.Errorf("the value is printed: %s", out)
				}
				if !strings.Contains(out, Redacted) {
					t.Errorf("no marker: %s", out)
				}
			})
		}
	}
}

func TestClasses(t *testing.T) {
	log := func(l *slog.Logger) { l.Info("m", Agent("robot"), Peer("192.0.2.7")) }
	if out := lines(t, Options{}, log); !strings.Contains(out, "agent=robot") || !strings.Contains(out, Withheld) || strings.Contains(out, "192.0.2.7") {
		t.Errorf("default prints %q", out)
	}
	if out := lines(t, Options{Sensitive: true}, log); !strings.Contains(out, "peer=192.0.2.7") {
		t.Errorf("with Sensitive prints %q", out)
	}
}

func TestOtherHandlersSeeMarkers(t *testing.T) {
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", Peer(canary), Agent("robot"))
	if strings.Contains(out.String(), canary) || !strings.Contains(out.String(), "robot") {
		t.Errorf("a foreign handler prints %q", out.String())
	}
	if text := fmt.Sprintf("%v %+v %#v", Peer(canary).Value.Any(), Peer(canary).Value.Any(), Peer(canary).Value.Any()); strings.Contains(text, canary) {
		t.Errorf("formatting prints %q", text)
	}
}

func TestOneRecordIsOneLine(t *testing.T) {
	log := func(l *slog.Logger) {
		l.Info("m", Tool("a\nlevel=ERROR msg=forged\r\x1b[31m"), Err(errors.New(strings.Repeat("x", 3*maxString))), Err(nil))
	}
	for _, format := range []string{"text", "json"} {
		out := lines(t, Options{Format: format}, log)
		if strings.Count(out, "\n") != 1 || strings.ContainsAny(out, "\r\x1b") {
			t.Errorf("%s: a value breaks out of its line: %q", format, out)
		}
		if len(out) > maxString+512 {
			t.Errorf("%s: a line has %d bytes", format, len(out))
		}
	}
	var record map[string]any
	if err := json.Unmarshal([]byte(lines(t, Options{Format: "json"}, log)), &record); err != nil {
		t.Errorf("not JSON: %v", err)
	}
}

func TestLevelAndFormat(t *testing.T) {
	out := lines(t, Options{Level: slog.LevelWarn}, func(l *slog.Logger) { l.Info("quiet"); l.Warn("loud") })
	if strings.Contains(out, "quiet") || !strings.Contains(out, "loud") {
		t.Errorf("level is not kept: %q", out)
	}
	if _, err := New(&bytes.Buffer{}, Options{Format: "xml"}); err == nil {
		t.Error("an unknown format is accepted")
	}
	Discard().Error("nothing")
}
