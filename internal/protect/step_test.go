package protect

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

func TestCleanMessagesKeepTheirBytes(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	x := w.call(t, `{"q":"who wrote this"}`)
	before := x.Request
	if err := w.Request(t.Context(), x); err != nil || x.Request != before {
		t.Fatalf("%v, %s", err, x.Request.Raw())
	}
	text := result(` "content" : [{"type":"text","text":"nothing to see"}] `)
	if got, err := w.answered(t, x, text); err != nil || got != text {
		t.Fatalf("%v, %s", err, got)
	}
	if len(x.Privacy.Counts) != 0 || x.RequestSum != ([32]byte{}) {
		t.Fatalf("%+v", x.Privacy)
	}
}

// C09: whatever a caller can put a secret into, it does not reach the server.
func TestC09SecretTowardTheServerBlocksInEveryPlace(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	for name, x := range map[string]*exchange.Exchange{
		"argument":   w.call(t, `{"q":"`+secret+`"}`),
		"deep":       w.call(t, `{"a":[{"b":{"c":"key `+secret+`"}}]}`),
		"key":        w.call(t, `{"`+secret+`":1}`),
		"tool name":  w.ask(t, "tools/call", `{"name":"`+secret+`","arguments":{}}`),
		"uri":        w.ask(t, "resources/read", `{"uri":"file:///x?token=`+secret+`"}`),
		"_meta":      w.ask(t, "tools/call", `{"name":"find","arguments":{},"_meta":{"note":"`+secret+`"}}`),
		"prompt":     w.ask(t, "prompts/get", `{"name":"p","arguments":{"a":"`+secret+`"}}`),
		"completion": w.ask(t, "completion/complete", `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"`+secret+`"}}`),
		"escaped":    w.call(t, `{"q":"\u0067hp_16C7e42F292c6912E7710c838347Ae178B4a"}`),
	} {
		t.Run(name, func(t *testing.T) {
			err := w.Request(t.Context(), x)
			wantBlocked(t, err)
			if strings.Contains(err.Error(), secret) {
				t.Fatal("the refusal repeats the secret")
			}
			if counted(x, "server", pii.Secret, privacy.Block) != 1 {
				t.Fatalf("%+v", x.Privacy)
			}
		})
	}
	for _, x := range []*exchange.Exchange{w.call(t, `{}`), w.call(t, `{}`)} {
		x.Mirrors.Params = []wire.Field{{Name: "Mcp-Param-Q", Value: secret}}
		wantBlocked(t, w.Request(t.Context(), x))
		x.Mirrors.Params, x.Mirrors.Trace = nil, []wire.Field{{Name: "baggage", Value: "k=" + secret}}
		wantBlocked(t, w.Request(t.Context(), x))
	}
	cancelled := w.call(t, `{}`)
	cancelled.Request = parse(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4,"reason":"`+secret+`"}}`, wire.FromClient)
	wantBlocked(t, w.Request(t.Context(), cancelled))
	answer := w.call(t, `{}`)
	answer.Request = parse(t, `{"jsonrpc":"2.0","id":4,"result":{"action":"accept","content":{"k":"`+secret+`"}}}`, wire.FromClient)
	wantBlocked(t, w.Request(t.Context(), answer))
}

// C09, C10: whatever a server can put a secret into, the client gets it without.
func TestC09SecretTowardTheClientIsRedactedInEveryPlace(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	for name, text := range map[string]string{
		"text":        result(`"content":[{"type":"text","text":"key ` + secret + `"}]`),
		"structure":   result(`"content":[],"structuredContent":{"mail":"` + secret + `"}`),
		"key":         result(`"content":[],"structuredContent":{"` + secret + `":1}`),
		"error":       `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"bad key ` + secret + `","data":{"k":"` + secret + `"}}}`,
		"escaped":     result(`"content":[{"type":"text","text":"\u0067hp_16C7e42F292c6912E7710c838347Ae178B4a"}]`),
		"nested JSON": result(`"content":[{"type":"text","text":"{\"k\":\"` + secret + `\"}"}]`),
		"progress":    `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"` + secret + `"}}`,
		"log":         `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"k":["` + secret + `"]}}}`,
		"elicitation": `{"jsonrpc":"2.0","id":9,"method":"elicitation/create","params":{"message":"` + secret + `","requestedSchema":{"type":"object","properties":{}}}}`,
		"sampling":    `{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"` + secret + `"}}],"maxTokens":1}}`,
		"_meta":       result(`"content":[],"_meta":{"x":"` + secret + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			x := w.call(t, `{}`)
			got, err := w.answered(t, x, text)
			if err != nil || x.Drop != "" {
				t.Fatalf("%v, %s", err, x.Drop)
			}
			if strings.Contains(got, secret[4:]) || !strings.Contains(got, "[SECRET]") {
				t.Fatalf("got %s", got)
			}
			if counted(x, "client", pii.Secret, privacy.Redact) == 0 {
				t.Fatalf("%+v", x.Privacy)
			}
		})
	}
}

func TestReaderIsToldHowMuchIsHidden(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	got, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+secret+`"}],"_meta":{"dev.ostiary/privacy":{"hidden":{}},"own":1}`))
	if err != nil {
		t.Fatal(err)
	}
	want := result(`"content":[{"type":"text","text":"[SECRET]"}],"_meta":{"own":1,"dev.ostiary/privacy":{"hidden":{"SECRET":1}}}`)
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// A server that speaks in the gateway's name is not passed on.
func TestServerCannotClaimTheGatewaysWord(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	got, err := w.answered(t, w.call(t, `{}`), result(`"content":[],"_meta":{"dev.ostiary/verdict":"clean"}`))
	if err != nil || strings.Contains(got, "verdict") {
		t.Fatalf("%v, %s", err, got)
	}
}

// C13: an error, a timeout and a panic of the detector refuse the message.
func TestC13DetectorFailureBlocks(t *testing.T) {
	for name, scan := range map[string]func(context.Context, *privacy.Profile, []byte) ([]pii.Span, error){
		"error": func(context.Context, *privacy.Profile, []byte) ([]pii.Span, error) { return nil, errors.New("broken") },
		"panic": func(context.Context, *privacy.Profile, []byte) ([]pii.Span, error) { panic(secret) },
		"timeout": func(context.Context, *privacy.Profile, []byte) ([]pii.Span, error) {
			return nil, context.DeadlineExceeded
		},
		"impossible": func(context.Context, *privacy.Profile, []byte) ([]pii.Span, error) {
			return []pii.Span{{Start: 1, End: 60, Type: pii.Secret}}, nil
		},
		"out of text": func(context.Context, *privacy.Profile, []byte) ([]pii.Span, error) {
			return []pii.Span{{Start: 1 << 20, End: 1<<20 + 1, Type: pii.Secret}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, secretsOnly, "", "")
			w.c.Scan = scan
			x := w.call(t, `{"q":"x"}`)
			err := w.Request(t.Context(), x)
			if !fault.Is(err, fault.Unscannable) || strings.Contains(err.Error(), secret) {
				t.Fatalf("request: %v", err)
			}
			if _, err = w.answered(t, x, result(`"content":[{"type":"text","text":"a long enough text"}]`)); !fault.Is(err, fault.Unscannable) {
				t.Fatalf("answer: %v", err)
			}
			if _, err = w.answered(t, x, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"a long enough text, a long enough text"}}`); !fault.Is(err, fault.Unscannable) {
				t.Fatalf("notification: %v", err)
			}
		})
	}
}

// C06: a secret that comes in parts does not become whole.
func TestC06SplitSecretDoesNotLeave(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	half := len(secret) / 2
	for name, text := range map[string]string{
		"two blocks":         result(`"content":[{"type":"text","text":"a ` + secret[:half] + `"},{"type":"text","text":"` + secret[half:] + ` b"}]`),
		"text and structure": result(`"content":[{"type":"text","text":"` + secret[:half] + `"}],"structuredContent":{"mail":"` + secret[half:] + `"}`),
		"resources":          result(`"contents":[{"uri":"a:b","text":"` + secret[:half] + `"},{"uri":"a:c","text":"` + secret[half:] + `"}]`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.answered(t, w.call(t, `{}`), text)
			wantBlocked(t, err)
		})
	}
	note := func(part string) string {
		return `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"` + part + `"}}`
	}
	for _, step := range []int{1, 4, half} { // one byte an event, ten events, two
		x, passed := w.call(t, `{}`), ""
		for i := 0; i < len(secret); i += step {
			part := secret[i:min(i+step, len(secret))]
			if _, err := w.answered(t, x, note(part)); err != nil {
				wantBlocked(t, err)
				break
			}
			passed += part
		}
		if strings.Contains(passed, secret) || passed == secret {
			t.Fatalf("in steps of %d all of it passed", step)
		}
	}
	x := w.call(t, `{}`)
	if _, err := w.answered(t, x, note(secret[:half])); err != nil {
		t.Fatal(err)
	}
	_, err := w.answered(t, x, result(`"content":[{"type":"text","text":"`+secret[half:]+`"}]`))
	wantBlocked(t, err)
}

// C06: other texts in a row are no finding, and nothing of one exchange counts
// in another.
func TestC06HarmlessTextsInARowPass(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	x := w.call(t, `{}`)
	if _, err := w.answered(t, x, result(`"content":[{"type":"text","text":"one"},{"type":"text","text":"two"}],"structuredContent":{"a":"three","b":"four"}`)); err != nil {
		t.Fatal(err)
	}
	half := len(secret) / 2
	for _, part := range []string{secret[:half], secret[half:]} {
		if _, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+part+`"}]`)); err != nil {
			t.Fatalf("part %d: %v", len(part), err)
		}
	}
}

func TestPartsOfOneAreLookedAtAlone(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	x := w.call(t, `{"q":"`+secret+`"}`)
	x.Join = join{}
	if err := w.Request(t.Context(), x); err != nil {
		t.Fatalf("the sum of parts is looked at: %v", err)
	}
}

type join struct{ exchange.Join }

// C13: what an operator may choose in place of a refusal.
func TestC13OperatorsChoiceOnFailure(t *testing.T) {
	broken := func(context.Context, *privacy.Profile, []byte) ([]pii.Span, error) { return nil, errors.New("broken") }
	answer := result(`"content":[{"type":"text","text":"` + secret + `"}],"structuredContent":{"n":1}`)
	for choice, want := range map[string]string{
		"flag":   answer,
		"redact": result(`"content":[{"type":"text","text":"[the content could not be examined and was withheld]"}],"isError":true`),
	} {
		w := newWorld(t, privacy.Config{Profile: "secrets-only", OnError: choice}, "", "")
		w.c.Scan = broken
		x := w.call(t, `{}`)
		got, err := w.answered(t, x, answer)
		if err != nil || got != want || !x.Privacy.Degraded {
			t.Errorf("%s: %v, %s, %+v", choice, err, got, x.Privacy)
		}
	}
	w := newWorld(t, privacy.Config{Profile: "secrets-only", OnError: "redact"}, "", "")
	w.c.Scan = broken
	if err := w.Request(t.Context(), w.call(t, `{}`)); !fault.Is(err, fault.Unscannable) {
		t.Fatalf("a request that could not be examined: %v", err)
	}
}

// A progress token is named like a secret and is none; a secret in its place is
// one all the same.
func TestProgressTokensPass(t *testing.T) {
	w := newWorld(t, secretsOnly, "", "")
	for _, token := range []string{`"progress-test-1764418"`, `"t-9007199254740993"`, `7`} {
		x := w.ask(t, "tools/call", `{"name":"find","arguments":{"pageToken":"CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA","syncToken":"CPDAlvWDx70CEPDAlvWDx70CGAU"},"_meta":{"progressToken":`+token+`}}`)
		before := x.Request
		if err := w.Request(t.Context(), x); err != nil || x.Request != before {
			t.Fatalf("%s: %v", token, err)
		}
		text := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":1}}`
		if got, err := w.answered(t, x, text); err != nil || got != text {
			t.Fatalf("%s: %v, %s", token, err, got)
		}
	}
	wantBlocked(t, w.Request(t.Context(), w.ask(t, "tools/call", `{"name":"find","arguments":{},"_meta":{"progressToken":"`+secret+`"}}`)))
}
