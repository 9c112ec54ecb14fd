package filter

import (
	"bytes"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// block is a content block, or the contents of a resource.
type block struct {
	v    wire.Value
	json bool // its text is JSON, and was filtered as such
	gone bool
}

// site is a list with a block in each place; nil where there is none.
type site struct {
	list   wire.Value
	blocks []*block
}

// sitesOf returns where a result has content.
func sitesOf(result wire.Value) []site {
	var sites []site
	for _, key := range []string{"content", "contents"} {
		if list := result.Get(key); list.Exists() {
			sites = append(sites, siteOf(list))
		}
	}
	messages := result.Get("messages")
	if !messages.Exists() {
		return sites
	}
	s := site{list: messages}
	for m := range messages.Elements() {
		c := m.Get("content")
		if c.Kind() == wire.Array {
			sites = append(sites, siteOf(c))
			s.blocks = append(s.blocks, nil)
			continue
		}
		s.blocks = append(s.blocks, &block{v: c})
	}
	return append(sites, s)
}

func siteOf(list wire.Value) site {
	s := site{list: list}
	for v := range list.Elements() {
		s.blocks = append(s.blocks, &block{v: v})
	}
	return s
}

// remove takes out what is gone.
func (j *job) remove(s site) {
	gone := wire.RemoveElements(s.list, func(i int, _ wire.Value) bool {
		if s.blocks[i] == nil || !s.blocks[i].gone {
			return false
		}
		j.Blocks++
		return true
	})
	j.edits = append(j.edits, gone...)
}

// texts returns the texts of a block. Under a keep rule other members than those
// of its type go anyway.
func (j *job) texts(b *block) []wire.Value {
	var all []wire.Value
	for _, v := range []wire.Value{b.v.Get("text"), b.v.At("resource", "text")} {
		if v.Kind() == wire.String {
			all = append(all, v)
		}
	}
	return all
}

// json filters a block whose text is JSON, and drops blocks of unwanted types.
func (j *job) json(b *block) {
	if b == nil {
		return
	}
	if b.gone = j.unwanted(b); b.gone {
		return
	}
	texts := j.texts(b)
	for _, v := range texts {
		is, gone := j.jsonText(v)
		b.json, b.gone = b.json || is, b.gone || gone
	}
	if b.gone && len(texts) > 1 {
		j.Unfit = "a content block has two texts, and one of them is withheld"
	}
}

// unwanted reports whether a block goes for its type. Under a keep rule only
// texts stay that a path can reach into, and what the rule names.
func (j *job) unwanted(b *block) bool {
	if b.v.Kind() != wire.Object {
		return j.paths
	}
	names := typesOfBlock(b.v)
	if j.some(func(r *Rule) bool { return slices.ContainsFunc(names, r.dropBlocks.some) }) {
		return true
	}
	if t := b.v.Get("text"); j.paths && t.Exists() && t.Kind() != wire.String {
		return true
	}
	text := b.v.Get("text").Exists() && isText(names) || isText(names) && b.v.At("resource", "text").Exists()
	blob := b.v.Get("blob").Exists() || b.v.At("resource", "blob").Exists()
	if text && !blob {
		return false
	}
	return j.some(func(r *Rule) bool { return r.keeps && !slices.ContainsFunc(names, r.keepBlocks.some) })
}

// isText reports whether a block of these names is one whose text is read.
func isText(names []string) bool {
	return names[0] == "text" || names[0] == "resource" || names[0] == "contents"
}

// typesOfBlock returns the names by which rules speak of a block: its type,
// which is contents for those of a resource, and its media types.
func typesOfBlock(v wire.Value) []string {
	kind, ok := v.Get("type").Text()
	if !ok {
		kind = "contents"
	}
	names := []string{kind}
	for _, m := range []wire.Value{v.Get("mimeType"), v.At("resource", "mimeType")} {
		if text, ok := m.Text(); ok {
			// Parameters and case do not make another media type.
			base, _, _ := strings.Cut(text, ";")
			names = append(names, strings.ToLower(strings.TrimSpace(base)))
		}
	}
	return names
}

// jsonText filters a text that is JSON, or JSON by the line. It reports whether
// it is, and whether nothing of it stays.
func (j *job) jsonText(v wire.Value) (is, gone bool) {
	counted := j.Report
	defer func() {
		if j.repeats {
			j.Fields, j.Rows = counted.Fields, counted.Rows
		}
	}()
	j.lenient = true
	before := len(j.edits)
	if h := open(v); isContainer(h.core) {
		at := j.start()
		if !j.stays(h, at) {
			j.edited = true
			return true, true
		}
		j.within(h, at, j.shape)
	} else if is, gone = j.jsonLines(v); !is || gone {
		return is, gone
	}
	j.edited = j.edited || len(j.edits) > before
	return true, false
}

// jsonLines filters a text of which each line is an object or a list.
func (j *job) jsonLines(v wire.Value) (is, gone bool) {
	text, _ := v.Text()
	roots := linesOf(text)
	if len(roots) < 2 {
		return false, false
	}
	before, at, stay := j.edits, j.start(), 0
	var edits []wire.Edit
	for _, l := range roots {
		h := held{core: l.v}
		if !j.stays(h, at) {
			edits = append(edits, wire.Edit{Start: l.start, End: l.end})
			continue
		}
		stay++
		j.edits = nil
		j.within(h, at, j.shape)
		for _, e := range j.edits {
			edits = append(edits, wire.Edit{Start: e.Start + l.start, End: e.End + l.start, Text: e.Text})
		}
	}
	j.edits = append(before, lift(v, edits)...)
	if stay == 0 {
		j.edits, j.edited = before, true
	}
	return true, stay == 0
}

// line is one line of a text, its end of line included.
type line struct {
	start, end int
	v          wire.Value
}

// linesOf returns the lines of a text if each of them is JSON.
func linesOf(text string) []line {
	var all []line
	at := 0
	for l := range strings.Lines(text) {
		start := at
		at += len(l)
		body := strings.TrimSpace(l)
		if body == "" {
			continue
		}
		if body[0] != '{' && body[0] != '[' {
			return nil
		}
		v, err := wire.ParseValue([]byte(l), innerLimits())
		if err != nil {
			return nil
		}
		all = append(all, line{start, at, v})
	}
	return all
}

// rest judges what of a block is not JSON.
func (j *job) rest(b *block) {
	if b == nil || b.gone {
		return
	}
	if !b.json {
		for _, v := range j.texts(b) {
			b.gone = j.plain(v, j.isError) || b.gone
		}
	}
	if b.gone {
		return
	}
	j.members(b.v, blockMembers)
	if r := b.v.Get("resource"); r.Kind() == wire.Object {
		j.members(r, blockMembers)
	}
}

// withheldError stands in the place of the text of a tool that failed: with no
// text at all nobody would know why there is no result.
const withheldError = "The tool reports a failure. A filter withholds its text."

// plain bounds a text that is not JSON and reports whether nothing of it stays.
// A text beside JSON that lost something goes, because it may say the same in
// other words; so does one that holds JSON which is not understood
// (TestTwinsNeverLeak).
func (j *job) plain(v wire.Value, failure bool) (gone bool) {
	text, _ := v.Text()
	said := j.without(text)
	most := j.text
	if most == unbounded && j.paths && (j.edited || holdsJSON(text)) {
		most = 0
	}
	switch {
	case most == 0 && text != "" && failure:
		said = withheldError
	case most == 0 && text != "":
		return true
	case len(said) > most:
		if said == text {
			j.edits = append(j.edits, cutText(v, text, most))
			return false
		}
		said = strings.ToValidUTF8(said[:most], "")
	}
	if said != text {
		j.edits = append(j.edits, wire.Replace(v, wire.Quote(said)))
	}
	return false
}

// holdsJSON reports whether a text holds what looks like an object, or begins
// like a list.
func holdsJSON(text string) bool {
	text = strings.TrimLeft(text, "\ufeff \t\r\n")
	if rest, ok := strings.CutPrefix(text, "["); ok {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" || strings.IndexByte(`{["]`, rest[0]) >= 0 {
			return true
		}
	}
	b := []byte(text)
	for {
		i := bytes.IndexByte(b, '{')
		if i < 0 {
			return false
		}
		if b = bytes.TrimLeft(b[i+1:], " \t\r\n"); len(b) > 0 && b[0] == '"' {
			return true
		}
	}
}
