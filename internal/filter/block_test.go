package filter

import (
	"strings"
	"testing"
)

// TestC14OnlyNamedBlocksPass is C14 as far as filters go: a rule names the types
// of content that pass, and nothing gets by under another spelling of a media
// type, within a resource, or with a text beside it.
func TestC14OnlyNamedBlocksPass(t *testing.T) {
	blocks := map[string]string{
		"image":             `{"type":"image","data":"CANARY==","mimeType":"image/png"}`,
		"audio":             `{"type":"audio","data":"CANARY==","mimeType":"audio/wav"}`,
		"SVG":               `{"type":"image","data":"CANARY==","mimeType":"IMAGE/SVG+XML; charset=utf-8"}`,
		"blob":              `{"type":"resource","resource":{"uri":"a:b","mimeType":"image/svg+xml","blob":"CANARY=="}}`,
		"SVG as text":       `{"type":"resource","resource":{"uri":"a:b","mimeType":"image/svg+xml","text":"<svg>CANARY</svg>"}}`,
		"text and blob":     `{"type":"resource","resource":{"uri":"a:b","mimeType":"image/svg+xml","text":"{\"id\":1}","blob":"CANARY=="}}`,
		"link":              `{"type":"resource_link","uri":"a:CANARY","name":"n","mimeType":"image/png"}`,
		"image with a text": `{"type":"image","text":"{\"id\":1}","data":"CANARY==","mimeType":"image/png"}`,
	}
	for name, b := range blocks {
		for _, rule := range []string{`blocks: {drop: [image/*, audio/*]}`, `keep: [id]`, `keep: [id], blocks: {keep: [application/pdf]}`} {
			if got, r := apply(t, `filter: [{`+rule+`}]`, `{"content":[`+b+`]}`, nil); strings.Contains(got, "CANARY") || r.Blocks != 1 {
				t.Errorf("%s, %s: %s, %+v", name, rule, got, r)
			}
		}
	}
	for _, b := range []string{blocks["image"], blocks["audio"]} {
		in := `{"content":[` + b + `]}`
		if got, _ := apply(t, `filter: [{keep: [id], blocks: {keep: [image/png, audio]}}]`, in, nil); got != in {
			t.Errorf("what is named does not stay: %s", got)
		}
	}
}
