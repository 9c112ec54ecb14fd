package protect

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/media"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// pictures looks into the bytes that blocks carry in base64: what pictures and
// recordings say beside their content, and files that are text, such as SVG.
// Metadata that may not pass is taken out of the file, and parts of a text are
// redacted in it: a pseudonym in a file would be found by nobody who could turn it
// back (TestC14MetadataOfPictures).
func (s *Step) pictures(ctx context.Context, j *job, m *wire.Message) (*wire.Message, error) {
	var edits []wire.Edit
	for _, c := range carried(m) {
		b, odd, ok := file(c.value)
		if !ok {
			continue
		}
		left, err := s.picture(ctx, j, b, c.path)
		if err != nil {
			if f := fault.As(err); f.Kind == fault.ContentBlocked {
				return nil, err
			}
			n, err := s.unscanned(j, m, err)
			if err != nil || n != m {
				return n, err
			}
			continue // the others are looked into (TestC14OnePictureSparesNoOther)
		}
		if left == nil && odd && onlyBase64(c.value, b) && !j.p.Shadow() {
			left = b
		}
		if left != nil {
			start, end := c.value.Range()
			edits = append(edits, wire.Edit{Start: start, End: end, Text: wire.Quote(base64.StdEncoding.EncodeToString(left))})
		}
	}
	if len(edits) == 0 {
		return m, nil
	}
	n, err := m.Rewrite(edits...)
	if err != nil {
		return nil, fault.Wrap(fault.Unscannable, err)
	}
	return n, nil
}

// maxMetadata bounds the metadata that is read for one message, bytes. A hundred
// small pictures with packed texts would take a minute otherwise
// (TestC14ManyPackedTexts).
const maxMetadata = 4 << 20

var errMetadata = errors.New("the pictures of the message have too much metadata")

// bytesAt is a value that holds a file, and its path.
type bytesAt struct {
	value wire.Value
	path  string
}

// carried returns the values of a message that carry files by the protocol: data of
// pictures and recordings, and blobs of resources.
func carried(m *wire.Message) (out []bytesAt) {
	for _, body := range []wire.Value{m.Result(), m.Params()} {
		for _, list := range []string{"content", "contents", "messages"} {
			v := body.Get(list)
			if v.Kind() == wire.Object { // a model's answer has one block
				out = ofBlock(out, v, list)
			}
			for block := range v.Elements() {
				out = ofBlock(out, block, list+"[*]")
				inner := block.Get("content")
				if inner.Kind() == wire.Object {
					out = ofBlock(out, inner, list+"[*].content")
				}
				for b := range inner.Elements() {
					out = ofBlock(out, b, list+"[*].content[*]")
				}
			}
		}
	}
	return out
}

func ofBlock(out []bytesAt, block wire.Value, path string) []bytesAt {
	if block.Kind() != wire.Object {
		return out
	}
	for _, name := range []string{"data", "blob"} {
		if v := block.Get(name); v.Kind() == wire.String {
			out = append(out, bytesAt{v, path + "." + name})
		}
	}
	if v := block.At("resource", "blob"); v.Kind() == wire.String {
		out = append(out, bytesAt{v, path + ".resource.blob"})
	}
	return out
}

// looked returns where the values begin that pictures has looked at all of, so that
// findings in their base64 are done with. What is odd may be a text that only begins
// like base64. Values are told by their place: a member may have any name, also one
// like a path (TestC14NamesLikePaths).
func looked(m *wire.Message) map[int]bool {
	out := map[int]bool{}
	for _, c := range carried(m) {
		if b, odd, ok := file(c.value); ok && !odd && sure(b) {
			start, _ := c.value.Range()
			out[start] = true
		}
	}
	return out
}

// picture returns what is left of a file, nil when nothing of it changes.
func (s *Step) picture(ctx context.Context, j *job, b []byte, path string) ([]byte, error) {
	if !media.Known(b) {
		if isText(b) {
			return s.textFile(ctx, j, b, path)
		}
		return nil, nil
	}
	parts, apart, err := media.Metadata(b)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		for _, it := range p.Items {
			j.metadata += len(it.Text)
		}
	}
	if j.metadata > maxMetadata {
		return nil, errMetadata
	}
	var gone []int
	for i, p := range parts {
		types, err := s.metadata(ctx, j, p)
		if err != nil {
			return nil, err
		}
		acted, err := j.acts(types, path)
		if err != nil {
			return nil, err
		}
		if acted {
			gone = append(gone, i)
		}
	}
	if len(gone) == 0 {
		return nil, nil
	}
	if !apart {
		return nil, refusal(j.where.Toward, []string{"metadata of a picture"})
	}
	i := -1
	return media.Without(b, parts, func(media.Part) bool { i++; return slices.Contains(gone, i) }), nil
}

// metadata returns the types of what is found in a part.
func (s *Step) metadata(ctx context.Context, j *job, p media.Part) ([]pii.Span, error) {
	var text []byte
	for i, it := range p.Items {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		text = append(text, sep, '{')
		text = append(append(text, wire.Quote(it.Key)...), ':')
		text = append(append(text, wire.Quote(it.Text)...), '}')
	}
	var found []pii.Span
	if len(text) > 0 {
		var err error
		if found, err = s.scan(ctx, j, append(text, ']')); err != nil {
			return nil, err
		}
	}
	if p.GPS && j.p.Scanner().Wants(pii.Location) {
		found = append(found, pii.Span{Type: pii.Location, Score: 1, Why: "position in the metadata of a picture"})
	}
	return found, nil
}

// acts counts findings in a file and reports whether something is to be done about
// one of them.
func (j *job) acts(found []pii.Span, path string) (bool, error) {
	acted := false
	w := j.where
	w.Path = path
	for _, sp := range found {
		switch a := j.p.Decide(w, sp.Type, sp.Sub); {
		case a == privacy.Block && !j.p.Shadow():
			j.count(sp.Type, privacy.Block, 1)
			return false, refusal(w.Toward, []string{string(sp.Type)})
		case j.p.Shadow():
			j.count(sp.Type, a, 1)
		case a == privacy.Keep || a == privacy.Flag:
			if a == privacy.Flag {
				j.count(sp.Type, a, 1)
			}
			if label := j.p.Labels(sp.Type); !slices.Contains(j.clear, label) {
				j.clear = append(j.clear, label)
			}
		default:
			acted = true
			j.count(sp.Type, privacy.Redact, 1)
			j.hide(finding{typ: sp.Type})
		}
	}
	return acted, nil
}

// textFile hides in a file that is text what may not pass.
func (s *Step) textFile(ctx context.Context, j *job, b []byte, path string) ([]byte, error) {
	if text, order := wideText(b); order != nil {
		left, err := s.textFile(ctx, j, text, path)
		if left == nil {
			return nil, err
		}
		return widened(left, order), err
	}
	spans, err := s.scanText(ctx, j, b)
	if err != nil {
		return nil, err
	}
	var out []byte
	last := 0
	w := j.where
	w.Path = path
	for _, sp := range spans {
		a, value := j.p.Decide(w, sp.Type, sp.Sub), string(b[sp.Start:sp.End])
		text := value
		if changes(a) && !j.p.Shadow() {
			if text = s.inFile(j, a, sp, value); text == value {
				continue // such as an address of a page with nothing in it to hide
			}
		}
		if _, err := j.acts([]pii.Span{sp}, path); err != nil {
			return nil, err
		}
		if text != value {
			out = append(append(out, b[last:sp.Start]...), text...)
			last = sp.End
		}
	}
	if out == nil {
		return nil, nil
	}
	return append(out, b[last:]...), nil
}

// inFile is what takes the place of a value in a text file: what the profile says,
// where that needs no row in the vault.
func (s *Step) inFile(j *job, a privacy.Action, sp pii.Span, value string) string {
	redacted := "[" + string(sp.Type) + "]"
	if a == privacy.Token || a == privacy.Drop {
		return redacted
	}
	text, err := j.p.Transform(a, privacy.Finding{Type: sp.Type, Sub: sp.Sub, Value: value, Scope: s.scopeOf(j)}, s.c.Secrets)
	if err != nil {
		return redacted
	}
	return text
}
