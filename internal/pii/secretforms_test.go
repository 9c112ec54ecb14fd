package pii

import "testing"

// TestSecretsInTheWild: connection strings, headers, webhooks and keys as they stand
// in logs and settings. Every value is made up.
func TestSecretsInTheWild(t *testing.T) {
	s := scanner(t, Secret)
	for _, c := range []struct{ text, want string }{
		{"mongodb+srv://app:Zx81qLm4Rt@cluster0.example.net/prod", "Zx81qLm4Rt"},
		{"jdbc:postgresql://db.example.com/x?user=app&password=Zx81qLm4Rt&ssl=true", "Zx81qLm4Rt"},
		{"Server=db1;Database=app;User Id=sa;Password=Zx81qLm4Rt;Encrypt=true", "Zx81qLm4Rt"},
		{"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=bXlzZWNyZXRrZXlmb3JzdG9yYWdlMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6QQ==;EndpointSuffix=core.windows.net",
			"bXlzZWNyZXRrZXlmb3JzdG9yYWdlMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6QQ=="},
		{"redis://:Zx81qLm4Rt@10.1.2.3:6379/0", "Zx81qLm4Rt"},
		{"amqp://svc:Zx81qLm4Rt@mq:5672/%2f", "Zx81qLm4Rt"},
		{"https://deploy:Zx81qLm4Rt@git.example.com/x.git", "Zx81qLm4Rt"},
		{"Authorization: Basic YWRtaW46Wng4MXFMbTRSdA==", "YWRtaW46Wng4MXFMbTRSdA=="},
		{"Authorization: Bearer 7f9c24e8a1b3d5f60718293a4b5c6d7e", "7f9c24e8a1b3d5f60718293a4b5c6d7e"},
		{"Proxy-Authorization: Basic YWRtaW46Wng4MXFMbTRSdA==", "YWRtaW46Wng4MXFMbTRSdA=="},
		{"X-Api-Key: 7f9c24e8a1b3d5f60718293a4b5c6d7e", "7f9c24e8a1b3d5f60718293a4b5c6d7e"},
		{"https://discord.com/api/webhooks/112233445566778899/Q3rT9vXk2LmNpS7wYzA1bC4dE6fG8hJ0kLqRsTuVwXyZ0123456789abcdefABCD-_q", ""},
		{"https://acme.webhook.office.com/webhookb2/11111111-2222-4333-8444-555555555555@66666666-7777-4888-8999-000000000000/IncomingWebhook/0123456789abcdef0123456789abcdef/11111111-2222-4333-8444-555555555555", ""},
		{"https://hooks.slack.com/services/T0ABCDEF1/B0ABCDEF2/q9WmXr3TzLk7VbN1sHdP5yQa", ""},
		{"bot token 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawX is live", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawX"},
		{"aws_secret_access_key = wJa1rXUtnFEMI9K7MDENGbPxRfiCYzzq8pLd3Q0v", "wJa1rXUtnFEMI9K7MDENGbPxRfiCYzzq8pLd3Q0v"},
		{"export DB_PASSWORD='Zx81qLm4Rt'", "Zx81qLm4Rt"},
		{`machine api.example.com login app password Zx81qLm4Rt`, "Zx81qLm4Rt"},
		{"//registry.npmjs.org/:_authToken=7f9c24e8-a1b3-4d5f-8071-8293a4b5c6d7", "7f9c24e8-a1b3-4d5f-8071-8293a4b5c6d7"},
		{`{"auths":{"r.example.com":{"auth":"YWRtaW46Wng4MXFMbTRSdA=="}}}`, "YWRtaW46Wng4MXFMbTRSdA=="},
		{"Set-Cookie: session=7f9c24e8a1b3d5f60718293a4b5c6d7e; HttpOnly", ""},
	} {
		got := s.Scan([]byte(c.text))
		ok := c.want == "" && len(got) > 0
		for _, x := range got {
			ok = ok || c.text[x.Start:x.End] == c.want
		}
		if !ok {
			t.Errorf("%q: got %s", c.text, show(c.text, got))
		}
	}
}

// TestNoSecretsInTheWild are their twins without a secret in them.
func TestNoSecretsInTheWild(t *testing.T) {
	s := scanner(t, Secret)
	for _, text := range []string{
		"postgres://db.example.com:5432/prod", "https://example.com/a:b@c", "Server=db1;Database=app;Integrated Security=true", "Authorization: Bearer <token>",
		"Authorization: Basic", "set the password in the settings page", "password: ********", "export DB_PASSWORD=$(cat /run/secrets/db)", "curl -u $USER:$PASS https://example.com",
		"redis://10.1.2.3:6379/0", "the basic idea", "Bearer of good news", "password=${DB_PASSWORD}", "sshpass -f file ssh root@host", "AccountName=shop;EndpointSuffix=core.windows.net",
	} {
		if got := s.Scan([]byte(text)); len(got) != 0 {
			t.Errorf("%q: found %s", text, show(text, got))
		}
	}
}
