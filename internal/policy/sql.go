package policy

import (
	"slices"
	"strings"
)

// sqlReads reports whether a text is proven to be one SQL statement that only
// reads. It is no parser of a dialect: it knows a few words that read, and
// everything that it does not know for sure is not proven. Comments, escapes,
// quoting by dollar signs, a second statement and letters beyond ASCII outside
// of quotes are never proven, because databases disagree about them (P08,
// TestP08OnlyProvenSQLReads).
func sqlReads(text string) bool {
	words, ok := sqlTokens(strings.TrimSuffix(strings.Trim(text, " \t\r\n"), ";"))
	if !ok || len(words) == 0 || !slices.Contains([]string{"select", "with", "values"}, words[0]) {
		return false
	}
	for i, w := range words {
		if sqlWrites[w] {
			return false
		}
		if i+1 < len(words) && words[i+1] == "(" && sqlName(w) && !sqlCalls[w] {
			return false // a function that nobody knows may do anything
		}
	}
	return true
}

// sqlName reports whether a token is a name; quoted ones count, whose case and
// content nobody looks at.
func sqlName(w string) bool {
	return w == sqlQuoted || w[0] >= 'a' && w[0] <= 'z' || w[0] == '_'
}

const sqlQuoted = "\"" // a quoted name, whatever it is

// sqlTokens splits a statement into lower-case words and single characters.
// Strings become "'". It is not ok when the text holds what is never proven.
func sqlTokens(s string) (out []string, ok bool) {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
		case c == '\'' || c == '"':
			end, ok := sqlString(s, i)
			if !ok {
				return nil, false
			}
			out = append(out, string(c))
			i = end
		case sqlLetter(c):
			end := i
			for end < len(s) && (sqlLetter(s[end]) || s[end] >= '0' && s[end] <= '9') {
				end++
			}
			out = append(out, strings.ToLower(s[i:end]))
			i = end
		case c == '-' && i+1 < len(s) && s[i+1] == '-', c == '/' && i+1 < len(s) && s[i+1] == '*':
			return nil, false
		case c >= '0' && c <= '9', strings.IndexByte("()*,.=<>+-/%|?:", c) >= 0:
			out = append(out, string(c))
			i++
		default:
			return nil, false
		}
	}
	return out, true
}

func sqlLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// sqlString returns where the quoted text that begins at i ends. A backslash is
// an escape for some databases and a letter for others.
func sqlString(s string, i int) (end int, ok bool) {
	quote := s[i]
	for j := i + 1; j < len(s); j++ {
		switch {
		case s[j] == '\\' || s[j] == 0:
			return 0, false
		case s[j] == quote && j+1 < len(s) && s[j+1] == quote:
			j++
		case s[j] == quote:
			return j + 1, true
		}
	}
	return 0, false
}

// sqlWrites are words that a statement that only reads does not need. A column
// of such a name has to be quoted.
var sqlWrites = words(`insert update delete merge upsert replace drop alter create truncate rename copy into outfile dumpfile call exec execute do
	grant revoke attach detach pragma vacuum reindex analyze cluster refresh set reset lock unlock load import export install handler
	begin commit rollback savepoint release start declare fetch move close prepare deallocate listen notify unlisten discard checkpoint
	security comment explain show use kill shutdown backup restore share for returning nextval setval pg_sleep sleep benchmark waitfor xp_cmdshell`)

// sqlCalls are words that may stand before a parenthesis: functions without an
// effect, and words of the language.
var sqlCalls = words(`select from where and or not in on as by having when then else case exists any all some between is like ilike union
	intersect except values with recursive over partition filter using join distinct group order limit offset materialized
	count sum avg min max total abs round ceil ceiling floor mod power sqrt sign length char_length lower upper trim ltrim rtrim substr substring
	coalesce nullif ifnull cast date time datetime strftime julianday extract year month day date_trunc to_char now current_date
	row_number rank dense_rank lag lead first_value last_value ntile string_agg group_concat array_agg concat instr position greatest least`)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}
