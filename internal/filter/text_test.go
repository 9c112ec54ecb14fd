package filter

import (
	"strings"
	"testing"
)

// TestTraces tells what of the texts of failures goes.
func TestTraces(t *testing.T) {
	for in, want := range map[string]string{
		"no such customer": "no such customer",
		"Error: no\n    at run (/srv/a/x.js:1:2)\n    at node:internal/main:1:1\n":                                  "Error: no",
		"Traceback (most recent call last):\n  File \"/app/x.py\", line 3, in f\n    raise X()\nValueError: no":     "ValueError: no",
		"panic: no\n\ngoroutine 1 [running]:\nmain.f()\n\t/srv/a/main.go:3 +0x1d\ncreated by main.g in goroutine 2": "panic: no\n\nmain.f()",
		"java.lang.X: no\n\tat com.example.A.f(A.java:3)\n\t... 12 more\nCaused by: y":                              "java.lang.X: no\nCaused by: y",
		"PHP: no\n#0 /var/www/index.php(12): run()\n#1 {main}":                                                      "PHP: no",
		"open /var/lib/app/db.sqlite: denied":                                                                       "open [path]: denied",
		"see /a/b/c.":                                                                                               "see [path].",
		`open C:\Users\ann\x.txt: denied`:                                                                           `open [path]: denied`,
		`at \\host\share\x`:                                                                                         `at [path]`,
		"file:///etc/app/conf":                                                                                      "[path]",
		"~/secrets/key.pem is missing":                                                                              "[path] is missing",
		"GET /customers 404":                                                                                        "GET /customers 404",
		"a/b/c and 1/2/3 and and/or":                                                                                "a/b/c and 1/2/3 and and/or",
		"https://api.example.com/v1/x":                                                                              "https://api.example.com/v1/x",
		"(/etc/ssl/x)":                                                                                              "([path])",
		"meet at 10:30, or at the office":                                                                           "meet at 10:30, or at the office",
		"user@/home/ann/x":                                                                                          "user@[path]",
		"#1 in the list":                                                                                            "",
		"the price is 3 + 4":                                                                                        "the price is 3 + 4",
		"Größe in /größe/ü/x falsch":                                                                                "Größe in [path] falsch",
		"ends in a dot and a path /usr/lib/x..":                                                                     "ends in a dot and a path [path].",
		strings.Repeat("/@", 3) + " " + "/a@b/c":                                                                    "/@/@/@ [path]",
		"time 12:/x/y":                                                                                              "time 12:[path]",
		"drive ab:/x":                                                                                               "drive ab:/x",
	} {
		if got := withoutTraces(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestLinks tells what of URIs goes.
func TestLinks(t *testing.T) {
	for in, want := range map[string]string{
		"https://h/x?a=1":                      "https://h/x?a=1",
		"https://u:p@h/x":                      "https://h/x",
		"https://u@h":                          "https://h",
		"//u:p@h/x":                            "//h/x",
		"https://h/u:p@x":                      "https://h/u:p@x",
		"https://a@b@h/":                       "https://h/",
		`https://u:p@h\@x`:                     `https://h\@x`,
		"mailto:ann@example.com":               "mailto:ann@example.com",
		"https://h/?token=x":                   "https://h/",
		"https://h/?a=1&API_key=x&b=2":         "https://h/?a=1&b=2",
		"https://h/?a=1;sig=x":                 "https://h/?a=1",
		"https://h/?%74oken=x&a=b%26":          "https://h/?a=b%26",
		"https://h/?monkey=1&keyboard=2&key=3": "https://h/?monkey=1&keyboard=2",
		"https://h/?X-Amz-Credential=a&X-Amz-Signature=b&x=1": "https://h/?x=1",
		"https://h/#access_token=x&state=1":                   "https://h/#state=1",
		"https://h/#top":                                      "https://h/#top",
		"https://h/?":                                         "https://h/",
		"file:///a/b":                                         "file:///a/b",
		"":                                                    "",
	} {
		if got := bareLink(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
