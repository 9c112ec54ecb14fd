package privacy

import (
	"encoding/json"
	"slices"
	"testing"

	"ostiary.dev/ostiary/internal/pii"
)

func TestPreview(t *testing.T) {
	p := compiled(t, Config{Profile: "own", Year: func() int { return 2026 }, Profiles: map[string]Custom{"own": {Extends: "gdpr-minimal", Rules: []Rule{
		{Types: []string{"CREDIT_CARD"}, Action: "mask"}, {Types: []string{"MAC_ADDRESS"}, Action: "flag"}, {Types: []string{"IBAN"}, Action: "replace"}},
		Replace: map[string]string{"IBAN": `say 'no'`}}}})
	for _, c := range []struct {
		zone     Zone
		in, want string
		blocked  []pii.Type
	}{
		{ZoneToken, "jo@example.com and bo@example.com, jo@example.com", "<EMAIL_1> and <EMAIL_2>, <EMAIL_1>", nil},
		{ZoneMinimal, "jo@example.com", "[EMAIL]", nil},
		{ZoneClear, "jo@example.com", "jo@example.com", nil},
		{ZoneSealed, "jo@example.com", "jo@example.com", []pii.Type{pii.Email}},
		{ZoneToken, "p23456789abcd@pseudonym.invalid", "p23456789abcd@pseudonym.invalid", nil},
		{ZoneToken, `{"mail":"jo\u0040example.com","card":"4111 1111 1111 1111"}`, `{"mail":"<EMAIL_1>","card":"**** **** **** 1111"}`, nil},
		{ZoneToken, `{"iban":"DE89370400440532013000","mac":"3c:22:fb:12:34:56"}`, `{"iban":"say 'no'","mac":"3c:22:fb:12:34:56"}`, nil},
		{ZoneToken, "", "", nil},
	} {
		got, err := p.Preview(Where{Toward: Client, Zone: c.zone}, c.in)
		if err != nil || got.Text != c.want || !slices.Equal(got.Blocked, c.blocked) {
			t.Errorf("%s: %q became %q, blocked by %v (%v), want %q", c.zone, c.in, got.Text, got.Blocked, err, c.want)
		}
		if json.Valid([]byte(c.in)) && !json.Valid([]byte(got.Text)) {
			t.Errorf("%s is not JSON", got.Text)
		}
	}
}
