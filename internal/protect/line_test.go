package protect

import (
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
)

func TestLinesOfServersAreHiddenInLogs(t *testing.T) {
	for _, c := range []struct{ profile, in, want string }{
		{"secrets-only", "ready on stdio", "ready on stdio"},
		{"secrets-only", "using " + secret + " for " + mail, "using [SECRET] for " + mail},
		{"gdpr-minimal", "using " + secret + " for " + mail, "using [SECRET] for [EMAIL]"},
		{"gdpr-minimal", mail, "[EMAIL]"},
	} {
		p, err := privacy.Compile(privacy.Config{Profile: c.profile})
		if err != nil {
			t.Fatal(err)
		}
		if got := Line(p, c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", c.profile, got, c.want)
		}
	}
}
