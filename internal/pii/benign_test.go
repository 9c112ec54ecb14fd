package pii

import (
	"fmt"
	"strings"
	"testing"
)

// benign are messages in which nothing personal stands: code, logs, tables and
// sentences in twenty languages.
var benign = []string{
	"func add(a, b int) int { return a + b }", "SELECT id, total FROM orders WHERE total > 10 ORDER BY id DESC LIMIT 20;",
	"for i in range(10):\n    print(i)", "git rebase --onto main feature~3 feature", "import { useState } from 'react';",
	"2026/03/03 request done status=200 bytes=20418 took=12.7ms", "level=warn msg=\"retry limit reached\" attempt=5 max=5",
	"sku,stock,price\nAB-12345-C,1200,2.99\nAB-12346-C,17,13.50", "v2.14.0 (build 20871) released", "rgb(255, 128, 0) and #ff8000 are one colour",
	`{"sha":"9c1185a5c5e9fc54612808977ee8f548b2258d31","size":20418,"port":8443,"ratio":0.731}`, `{"uuid":"550e8400-e29b-41d4-a716-446655440000","ts":1760429112000}`,
	"ISBN 978-3-16-148410-0", "EAN 4006381333931", "error: cannot find module 'left-pad'", "the cache holds 4096 entries of 64 bytes each",
	"The reader returns early when two brackets follow each other.", "Die Datei wurde nicht gefunden, bitte den Pfad prüfen.",
	"Le fichier n'existe pas, veuillez vérifier le chemin.", "El archivo no existe, revise la ruta.", "Il file non esiste, controlla il percorso.",
	"O arquivo não existe, verifique o caminho.", "Het bestand bestaat niet, controleer het pad.", "Plik nie istnieje, sprawdź ścieżkę.",
	"Filen finns inte, kontrollera sökvägen.", "Filen findes ikke, kontroller stien.", "Filen finnes ikke, sjekk stien.", "Tiedostoa ei löydy, tarkista polku.",
	"Soubor neexistuje, zkontrolujte cestu.", "A fájl nem létezik, ellenőrizze az útvonalat.", "Dosya bulunamadı, lütfen yolu denetleyin.",
	"Файл не найден, проверьте путь.", "Το αρχείο δεν υπάρχει, ελέγξτε τη διαδρομή.", "الملف غير موجود، تحقق من المسار.", "הקובץ לא נמצא, בדקו את הנתיב.",
	"ファイルが見つかりません。パスを確認してください。", "找不到文件，请检查路径。", "파일을 찾을 수 없습니다. 경로를 확인하세요.", "ไม่พบไฟล์ โปรดตรวจสอบเส้นทาง", "फ़ाइल नहीं मिली, कृपया पथ जाँचें।",
}

// definitions are descriptions of tools as servers write them.
var definitions = []string{
	`{"name":"read_file","description":"Read the complete contents of a file from the file system as text.","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"head":{"type":"number","description":"If provided, returns only the first N lines of the file"}},"required":["path"]}}`,
	`{"name":"git_commit","description":"Records changes to the repository","inputSchema":{"type":"object","properties":{"repo_path":{"type":"string","title":"Repo Path"},"message":{"type":"string","title":"Message"}},"required":["repo_path","message"]}}`,
	`{"name":"fetch","description":"Fetches a URL from the internet and optionally extracts its contents as markdown.","inputSchema":{"type":"object","properties":{"url":{"type":"string","format":"uri"},"max_length":{"type":"integer","default":5000}}}}`,
	`{"name":"create_user","description":"Create an account. The password must have at least twelve characters.","inputSchema":{"type":"object","properties":{"email":{"type":"string","format":"email"},"password":{"type":"string"},"phone":{"type":"string","description":"with country code"}}}}`,
}

// TestC16BenignPasses: identifiers and secrets are found in none of the benign
// messages and definitions, plain or inside a result; names in at most two: "Filen" is also
// the name of a firm.
func TestC16BenignPasses(t *testing.T) {
	ids, all := scanner(t, allButNames()...), scanner(t)
	hit := 0
	for _, text := range append(append([]string{}, benign...), definitions...) {
		for _, form := range []string{text, fmt.Sprintf(`{"content":[{"type":"text","text":%q}]}`, text)} {
			for _, p := range ids.Scan([]byte(form)) {
				if p.Type != DateTime {
					t.Errorf("%q: found %s (%s)", form, p.Type, p.Why)
				}
			}
		}
		for _, p := range all.Scan([]byte(text)) {
			if bitOf(p.Type)&proseBits != 0 {
				hit++
				t.Logf("%q: %s %q", text, p.Type, text[p.Start:p.End])
				break
			}
		}
	}
	if hit > 2 {
		t.Errorf("names in %d of %d benign messages", hit, len(benign)+len(definitions))
	}
}

// TestC17Languages: a value of each form is found in sentences of twenty languages,
// and its span has nothing of the sentence.
func TestC17Languages(t *testing.T) {
	s := scanner(t, Email, CreditCard, IBAN, Secret)
	for _, text := range benign[16:] {
		for _, value := range []string{"jo@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", ghToken} {
			joined := text + " " + value + " " + text
			got := s.Scan([]byte(joined))
			if len(got) != 1 || joined[got[0].Start:got[0].End] != value {
				t.Errorf("%q: got %q", joined, show(joined, got))
			}
		}
	}
}

// BenchmarkHostile shows that twice the input costs twice the time: the metric is
// the time of 256 KiB over that of 128 KiB, which stays near two for linear work
// (case C13).
func BenchmarkHostile(b *testing.B) {
	s := scanner(b)
	for _, seed := range []string{"1 ", "a@", "token=", "AAAA", "eyJ", "%41", "12 Main ", "John ", "{\"a\":", "+1", "-----BEGIN PRIVATE KEY-----", "sk-", "eyJ-", "://"} {
		half, full := []byte(strings.Repeat(seed, 128<<10/len(seed))), []byte(strings.Repeat(seed, 256<<10/len(seed)))
		b.Run(strings.TrimSpace(seed), func(b *testing.B) {
			var one, two float64
			for b.Loop() {
				start := cpuTime()
				s.Scan(half)
				mid := cpuTime()
				s.Scan(full)
				one, two = one+(mid-start).Seconds(), two+(cpuTime()-mid).Seconds()
			}
			b.ReportMetric(two/one, "growth")
		})
	}
}

// TestC16CodePasses: names of variables and words of lists beside the word password
// are no passwords; values in files of settings are.
func TestC16CodePasses(t *testing.T) {
	s := scanner(t, Secret)
	for _, text := range []string{
		`case "password", "passwd", "reasons":`, `cobra.Command{Use: "passphrase", Args: args(0, 0)}`, "x := T{Password: value, Name: name}", "pass := name\n",
		"pass = os.Args\n", "func f(password string) (pass, err error) {\n", "case isPassword:\n\treturn nil", "auth := f[i+1]", "set(pwd, map[string]bool{})",
		"cmd.Env = append(env, \"PWD=\"+dir)", `{"user.password", 0.93}`, "login(user, pass=form.pass)", "password *uint16, uiHidden bool", "auth = (self.username + ':')", "next.Token[:1]; tok := stmt.Token[:1]", `names = ["MissingAuthenticationTokenException", "token", "NotFoundExceptionOfTheService"]`,
	} {
		if got := s.Scan([]byte(text)); len(got) > 0 {
			t.Errorf("%q: found %q", text, show(text, got))
		}
	}
	for _, text := range []string{
		"DB_PASSWORD=supersecret\n", "password: supersecret\n", `{"password":"supersecret"}`, `password = "supersecret"`, "PASSWORD = supersecret\n", `"password","hunter2!"`,
		"password=hunter2;host=db", "pass := \"hunter2\"", "user=app password=supersecret dbname=x", "password: hunter2, user: bob",
	} {
		if got := s.Scan([]byte(text)); len(got) != 1 || !strings.Contains("supersecret hunter2!", text[got[0].Start:got[0].End]) {
			t.Errorf("%q: found %q", text, show(text, got))
		}
	}
}
