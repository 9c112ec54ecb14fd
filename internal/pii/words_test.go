package pii

import (
	"strings"
	"testing"
)

// secretNames are names of secrets in the ways that programs and people write them.
const secretNames = "password DB_PASSWD userPwd passwort kennwort Passphrase contraseña senha hasło pass wachtwoord passcode " +
	"token client_secret apikey apiToken accessToken auth-token secretKey accesskey credentials jeton Authorization auth bearer " +
	"clientSecret privatekey accessKeyId apiSecret accessid tok sentry.dsn secrets sessionid cookie api_key x-api-key SSHKey " +
	"signingKey storage.key1 HMAC_KEY pässword ŠENHA"

// TestSecretParts: the quick look at a name knows every word that the slow one does.
func TestSecretParts(t *testing.T) {
	for name := range strings.FieldsSeq(secretNames) {
		if nameStrength([]byte(name)) == 0 {
			t.Errorf("%s is taken for no name of a secret", name)
		}
		if !mayNameSecret([]byte(name)) {
			t.Errorf("%s is passed by", name)
		}
	}
	for name := range strings.FieldsSeq("state total note max_tokens kind id a to ab monkey_no") {
		if secretName([]byte(name)) != 0 {
			t.Errorf("%s is taken for the name of a secret", name)
		}
	}
}

// FuzzSecretName: the quick look never differs from the slow one.
func FuzzSecretName(f *testing.F) {
	for name := range strings.FieldsSeq(secretNames) {
		f.Add([]byte(name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := secretName(b), nameStrength(b); got != want {
			t.Fatalf("%q: %d, want %d", b, got, want)
		}
	})
}

// TestLongContextWords: words at the bound, and letters that fold to two, leave
// the words around a value readable.
func TestLongContextWords(t *testing.T) {
	var n nearby
	long := strings.Repeat("ß", 40)
	text := []byte(long + " " + long + " passport " + long + " ")
	n.words(text, len(text), true)
	if !n.set.has(cPassport) {
		t.Error("the word passport is not seen among long words")
	}
	n = nearby{}
	n.words([]byte("social security of"), 0, false)
	if !n.set.has(cSSN) {
		t.Error("a pair of words is not seen")
	}
}

// TestPasswordWithAmpersand: a password is hidden to its end, and a query's value to
// the next name.
func TestPasswordWithAmpersand(t *testing.T) {
	s := scanner(t, Secret)
	for _, c := range [][2]string{
		{"password: Tr0ub4dor&3xyz", "Tr0ub4dor&3xyz"}, {"password=Tr0ub4dor&3xyz, then", "Tr0ub4dor&3xyz"},
		{"?password=Tr0ub4dor&next=3xyz", "Tr0ub4dor"}, {"?password=Tr0ub4dor&amp;a=1", "Tr0ub4dor"}, {"password=Tr0ub4dor && run", "Tr0ub4dor"},
		{"?password=Tr0ub4dor&a[0]=1", "Tr0ub4dor"},
	} {
		got := s.Scan([]byte(c[0]))
		if len(got) != 1 || c[0][got[0].Start:got[0].End] != c[1] {
			t.Errorf("%s: %v, want %s", c[0], got, c[1])
		}
	}
}

// TestPortIsNoPassword: a port behind a host is none, also where the rest of the text
// is percent encoded; a password behind an address still is.
func TestPortIsNoPassword(t *testing.T) {
	s := scanner(t, Secret)
	for text, want := range map[string]int{
		"see app@db.example.org:5432%2Fx%22%2C%22x%22%5D": 0, "see app@db.example.org:5432/xY9!": 0,
		"app@db.example.org:54321aB!xyz": 1, "app@db.example.org:hunTer2!x": 1,
	} {
		if got := s.Scan([]byte(text)); len(got) != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
