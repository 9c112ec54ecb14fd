package filter

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// TestNoticesAndErrors tells what of notifications and error answers of a call
// stays: they are no way around its result's rules.
func TestNoticesAndErrors(t *testing.T) {
	const keep, drop, strip = `keep: [id]`, `drop: ["**.ssn"]`, `errors: strip`
	for _, c := range []struct{ name, rule, method, in, want string }{
		{"progress under keep", keep, "notifications/progress", `{"progressToken":1,"progress":1,"message":"CANARY"}`, `{"progressToken":1,"progress":1}`},
		{"progress in JSON", drop, "notifications/progress", `{"progressToken":1,"progress":1,"message":"{\"ssn\":\"CANARY\"}"}`, `{"progressToken":1,"progress":1,"message":"{}"}`},
		{"progress in words", drop, "notifications/progress", `{"progressToken":1,"progress":1,"message":"half"}`, `{"progressToken":1,"progress":1,"message":"half"}`},
		{"a log message under keep", keep, "notifications/message", `{"level":"info","data":"CANARY"}`, `{"level":"info","data":"(withheld)"}`},
		{"a log message that is JSON", keep, "notifications/message", `{"level":"info","data":{"id":1,"x":"CANARY"}}`, `{"level":"info","data":{"id":1}}`},
		{"a log message that is a number", keep, "notifications/message", `{"level":"info","data":4711}`, `{"level":"info","data":"(withheld)"}`},
		{"a status under keep", keep, "notifications/tasks/status", `{"taskId":"t","status":"working","statusMessage":"CANARY"}`, `{"taskId":"t","status":"working"}`},
		{"a result in a notification", drop, "notifications/tasks", `{"taskId":"t","status":"completed","result":{"content":[],"structuredContent":{"ssn":"CANARY"}}}`, `{"taskId":"t","status":"completed","result":{"content":[],"structuredContent":{}}}`},
		{"metadata", keep, "notifications/progress", `{"progressToken":1,"progress":1,"_meta":{"x":"CANARY"}}`, `{"progressToken":1,"progress":1}`},
		{"an error under keep", keep, "", `{"code":-1,"message":"CANARY","data":{"id":1,"x":"CANARY"},"more":"CANARY"}`, `{"code":-1,"message":"` + withheldError + `","data":{"id":1}}`},
		{"an error's data in words", keep, "", `{"code":-1,"message":"m","data":"CANARY"}`, `{"code":-1,"message":"` + withheldError + `","data":"` + withheldError + `"}`},
		{"an error's data in numbers", keep, "", `{"code":-1,"message":"m","data":4711}`, `{"code":-1,"message":"` + withheldError + `"}`},
		{"an error beside JSON", drop, "", `{"code":-1,"message":"ssn CANARY","data":{"ssn":"CANARY"}}`, `{"code":-1,"message":"` + withheldError + `","data":{}}`},
		{"an error without anything to drop", drop, "", `{"code":-1,"message":"no such customer","data":{"a":1}}`, `{"code":-1,"message":"no such customer","data":{"a":1}}`},
		{"a trace", strip, "", `{"code":-1,"message":"no\n  at f (/CANARY/a.js:1:2)","data":{"stack":"CANARY","file":"/CANARY/a","n":[{"trace":1,"m":2}]}}`, `{"code":-1,"message":"no","data":{"file":"[path]","n":[{"m":2}]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := value(t, c.in)
			p := parse(t, "filter: [{"+c.rule+"}]").For(call)
			edits, r, err := p.ApplyError(v)
			if c.method != "" {
				edits, r, err = p.ApplyNotice(c.method, v)
			}
			if err != nil || r.Unfit != "" {
				t.Fatal(err, r)
			}
			got := string(splice(v.Raw(), 0, edits))
			if got != c.want || strings.Contains(got, "CANARY") {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if _, err := wire.ParseValue([]byte(got), wire.DefaultLimits()); err != nil {
				t.Errorf("%s is no JSON: %v", got, err)
			}
		})
	}
}
