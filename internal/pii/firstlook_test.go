package pii

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// hiddenInForm are documents in which the scan finds a secret that the first look
// once passed: each stands for a way of writing it.
func hiddenInForm() map[string]string {
	const value = "zb1NHDVkPKtM4eS4etINGdZPtw2ei32h"
	quoted := func(text string) string {
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", `\r`, "\n", `\n`).Replace(text)
	}
	signs := base64.StdEncoding.EncodeToString([]byte("login value? api_key=zq?x8Yw4Kd2>p9?"))
	return map[string]string{
		"a name of escapes":           `{"name":"` + strings.Repeat(`\n`, 20) + `api key","value":"` + value + `"}`,
		"a line's end before a name":  `{"t":"{\"name\":\n\"api key\",\"value\":\"` + value + `\"}"}`,
		"a tab before a name":         `{"t":"{\"name\": \t\"api key\",\"value\":\"` + value + `\"}"}`,
		"a line's end, twice quoted":  `{"t":"` + quoted(`{"u":"`+quoted("{\"name\":\r\n\"api key\",\"value\":\""+value+"\"}")+`"}`) + `"}`,
		"a hook behind other letters": `{"t":"地址hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/abcdefghijklmnopqrstuvwx"}`,
		"a word with accents":         `{"t":"Pássword is hunter2!Xy9, Kénnwort"}`,
		"a word with an accent last":  `{"t":"Paśswort is hunter2!Xy9"}`,
		"an escape that is none":      `{"t":"{\"t\":\"g\\hp_` + ghToken[4:] + `\"}"}`,
		"an escape that is none, 0":   `{"t":"g\hp_` + ghToken[4:] + `"}`,
		"an escape that is none, 2":   `{"t":"` + quoted(`{"u":"`+quoted(`{"t":"g\hp_`+ghToken[4:]+`"}`)+`"}`) + `"}`,
		"base64 of many signs":        `{"t":"see\n` + signs + `"}`,
		"a URL behind a long one":     `{"t":"https://` + strings.Repeat("z", 4085) + `.http://user:hunter2Xy@host.com"}`,
		"a word behind a long host":   `{"t":"x@a.` + strings.Repeat("z", 251) + ghToken + `"}`,
	}
}

// TestFirstLookReadsEveryForm: the look stops at a secret however it is written.
func TestFirstLookReadsEveryForm(t *testing.T) {
	s := scanner(t, Secret)
	for name, raw := range hiddenInForm() {
		want, got := slow(s).ScanJSON([]byte(raw)), s.ScanJSON([]byte(raw))
		if len(want) == 0 || len(got) != len(want) {
			t.Errorf("%s: %v, want %v: %.300s", name, got, want, raw)
		}
	}
}

// TestManyKeysHideNoPassword: what the name of a member says is not forgotten when
// there are more names than are remembered.
func TestManyKeysHideNoPassword(t *testing.T) {
	s := scanner(t, Secret)
	var rows strings.Builder
	for i := range 300 {
		fmt.Fprintf(&rows, `{"name":"%d_0","value":"x"},`, i*7919)
	}
	for i := range 60 {
		raw := fmt.Sprintf(`[%s{"name":"%dAPP_PASSWORD","value":"hunter2!Xy"}]`, rows.String(), 1000+i)
		if len(s.ScanJSON([]byte(raw))) != 1 {
			t.Fatalf("the password of %dAPP is not found", 1000+i)
		}
	}
}

// TestBriefValuesHideNoPassword: a value that is long because its quote is never
// closed does not hide what is written after it.
func TestBriefValuesHideNoPassword(t *testing.T) {
	s := scanner(t, Secret)
	text := `{"t":"the token: 'tis here, ` + strings.Repeat("token: no, ", 9) + `password: hunter2!Xy and more"}`
	if got := s.ScanJSON([]byte(text)); len(got) != 1 || text[got[0].Start:got[0].End] != "hunter2!Xy" {
		t.Errorf("%v", got)
	}
}
