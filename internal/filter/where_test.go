package filter

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// value reads JSON that has to be right.
func value(t testing.TB, text string) wire.Value {
	t.Helper()
	v, err := wire.ParseValue([]byte(text), wire.DefaultLimits())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

const row = `{"status":"open","total":10.50,"big":12345678901234567890,"n":null,"ok":true,"no":false,"who":{"name":"Ann","a.b":1},"e":"\u00e9","list":[1],"neg":-3,"zero":-0.0,"date":"2026-03-01T00:00:00Z","in":5}`

// TestPredicates tells what predicates say of one row.
func TestPredicates(t *testing.T) {
	for text, want := range map[string]truth{
		`status == "open"`:                           isTrue,
		`status != "open"`:                           isFalse,
		`status == "open" and total > 10`:            isTrue,
		`status == "shut" or total > 10`:             isTrue,
		`status == "shut" or total > 11`:             isFalse,
		`status == "open" or missing == 1`:           isTrue,
		`status == "open" and missing == 1`:          isUnknown,
		`status == "shut" and missing == 1`:          isFalse,
		`not missing == 1`:                           isUnknown,
		`missing != 1`:                               isUnknown,
		`not (status == "shut")`:                     isTrue,
		`not not ok == true`:                         isTrue,
		`exists(status)`:                             isTrue,
		`exists(missing)`:                            isFalse,
		`not exists(missing) and exists( who.name )`: isTrue,
		`exists(n)`:                                  isTrue,
		`n == null`:                                  isTrue,
		`status == null`:                             isFalse,
		`ok == true and no == false`:                 isTrue,
		`who.name == "Ann"`:                          isTrue,
		`who."a.b" == 1`:                             isTrue,
		`@.who.name in ["Bob","Ann"]`:                isTrue,
		`status in ["shut"]`:                         isFalse,
		`missing in [1]`:                             isUnknown,
		`total == 10.5`:                              isTrue,
		`total == 1.05e1`:                            isTrue,
		`total >= 10.50 and total <= 10.5`:           isTrue,
		`total < 10.500000000000000000001`:           isTrue,
		`total > 1e300`:                              isFalse,
		`total > -1e-300`:                            isTrue,
		`big == 12345678901234567890`:                isTrue,
		`big == 12345678901234567891`:                isFalse,
		`neg < -2.9 and neg > -3.1`:                  isTrue,
		`zero == 0 and zero >= 0 and zero <= 0`:      isTrue,
		`neg < 0 and total > 0`:                      isTrue,
		`status > 3`:                                 isUnknown,
		`status == 3`:                                isFalse,
		`status != 3`:                                isTrue,
		`list == 1`:                                  isFalse,
		`date >= "2026-01-01" and date < "2026-04"`:  isTrue,
		`e == "é" and e == "\u00e9"`:                 isTrue,
		`"in" == 5`:                                  isTrue,
		"status\t==\n\"open\"":                       isTrue,
	} {
		w, err := parseWhere(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := w.of(value(t, row)); got != want {
			t.Errorf("%s is %d, want %d", text, got, want)
		}
	}
	for text, v := range map[string]string{`@ > 3`: `4`, `@ == "a"`: `"a"`, `@ in [1,2]`: `2.0`, `exists(@)`: `{}`} {
		w, err := parseWhere(text)
		if err != nil || w.of(value(t, v)) != isTrue {
			t.Errorf("%s of %s is not true: %v", text, v, err)
		}
	}
}

// TestRowsThatSayNothingGo tells that a row without what a predicate asks for
// does not stay, however it is asked.
func TestRowsThatSayNothingGo(t *testing.T) {
	for _, text := range []string{`secret == false`, `secret != true`, `not secret == true`, `not (secret == true or secret == 1)`, `not secret in [true]`, `secret < 1`, `not secret >= 1`} {
		if w, err := parseWhere(text); err != nil || w.of(value(t, `{"id":1}`)) == isTrue || w.of(value(t, `7`)) == isTrue {
			t.Errorf("%s lets a row through that says nothing: %v", text, err)
		}
	}
}

// TestPredicatesThatCannotBeRead tells which are refused, and where.
func TestPredicatesThatCannotBeRead(t *testing.T) {
	for text, at := range map[string]int{
		``:                     0,
		`status`:               6,
		`status =`:             7,
		`status == `:           10,
		`status == open`:       10,
		`status = "open"`:      7,
		`status == 'open'`:     10,
		`status == "open`:      10,
		`status == [1]`:        10,
		`status == {}`:         10,
		`a == 1 b == 2`:        7,
		`a == 1 and`:           10,
		`(a == 1`:              7,
		`a == 1)`:              6,
		`not`:                  3,
		`a < true`:             8,
		`a > null`:             8,
		`a in []`:              6,
		`a in [1,]`:            8,
		`a in 1`:               5,
		`a[*] == 1`:            1,
		`**.a == 1`:            0,
		`a. == 1`:              2,
		`and == 1`:             0,
		`exists a`:             7,
		`exists()`:             7,
		`a == 1e99999999999`:   5,
		`a == 01`:              5,
		`"a\x" == 1`:           0,
		`a == 1 && b == 2`:     7,
		`a.b.c == "\ud800"`:    9,
		`@ status == 1`:        2,
		`a == 1 or or b == 2`:  10,
		"a == \"x\x00y\"":      5,
		`not in ["a"]`:         4,
		`a == 1 and (b == 2`:   18,
		`a.b == 1 or exists(.`: 19,
	} {
		w, err := parseWhere(text)
		m, ok := err.(*misread)
		if err == nil || w != nil {
			t.Errorf("%s is read", text)
		} else if ok && m.at != at {
			t.Errorf("%s is said to be wrong at %d, want %d: %s", text, m.at, at, m.why)
		}
	}
	for name, text := range map[string]string{
		"long":  strings.Repeat(" ", maxWhere) + "a == 1",
		"deep":  strings.Repeat("(", maxWhereDepth+2) + "a == 1" + strings.Repeat(")", maxWhereDepth+2),
		"nots":  strings.Repeat("not ", maxWhereDepth+2) + "a == 1",
		"many":  strings.TrimSuffix(strings.Repeat("a == 1 and ", maxWhereTerms), " and "),
		"names": strings.Repeat("a.", maxSteps+1) + "a == 1",
		"list":  "a in [" + strings.Repeat("1,", maxWhereTerms) + "1]",
	} {
		if _, err := parseWhere(text); err == nil {
			t.Errorf("%s: is read", name)
		}
	}
}
