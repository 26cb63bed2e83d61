package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// visa is the test number every payment provider knows; never a real card.
const visa = "4242424242424242"

// Tokens are put together here so that secret scanners do not mistake this
// file for a leak.
var (
	stripeKey = "sk_" + "live_" + strings.Repeat("4eC39HqL", 3)
	githubPAT = "gh" + "p_" + strings.Repeat("a1B2", 9)
	slackBot  = "xox" + "b-123456789012-abcdefGHIJKL"
	awsID     = "AKI" + "AIOSFODNN7EXAMPLE"
	googleKey = "AIz" + "aSy" + strings.Repeat("Dk3_-", 7)
	jwt       = "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxIn0.c2ln-bmF0dXJl"
	pemKey    = "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQ\nIBADAN\n-----END PRIVATE KEY-----"
)

func TestTextHides(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"Invalid API Key provided: " + stripeKey + ".", "Invalid API Key provided: [redacted]."},
		{"x" + stripeKey, "x[redacted]"},
		{"rk_" + "test_abc and whsec_" + "a+b/c=", "[redacted] and [redacted]"},
		{"secret pi_3MtwBwLkdIwHu7ix_secret_YrKJUKribcBjcG8HVhfZluoGH!", "secret [redacted]!"},
		{"push with " + githubPAT, "push with [redacted]"},
		{"github_" + "pat_11ABC_def, glpat-" + "abcdefgh12", "[redacted], [redacted]"},
		{"bot " + slackBot, "bot [redacted]"},
		{"id " + awsID + " denied", "id [redacted] denied"},
		{"maps " + googleKey, "maps [redacted]"},
		{"jwt " + jwt + " expired", "jwt [redacted] expired"},
		{"(sk-" + "ant-api03-abcdefgh1234)", "([redacted])"},
		{"shpat_" + "0123456789abcdef", "[redacted]"},
		{"key:\n" + pemKey + "\nend", `key:\n[redacted]\nend`},
		{strings.ReplaceAll(pemKey, "\n", `\n`), "[redacted]"},
		{"cut " + pemKey[:40], "cut [redacted]"},

		{"Bearer abc.def", "Bearer [redacted]"},
		{"bearer%20abcdef", "bearer%20[redacted]"},
		{"used Basic dXNlcjpwdw==, sorry", "used Basic [redacted], sorry"},
		{"Authorization: Custom abc def\r\nHost: x", `Authorization: [redacted]\r\nHost: x`},
		{"map[Authorization:[Token abc]]", "map[Authorization:[redacted]"},
		{"Set-Cookie: sid=1; Path=/\nX: y", `Set-Cookie: [redacted]\nX: y`},

		{"password=hunter2 user=bob", "password=[redacted] user=bob"},
		{"client_secret=a&grant=b", "client_secret=[redacted]&grant=[redacted]"},
		{`{"client_secret":"a\"b","ok":"yes"}`, `{"client_secret":[redacted],"ok":"yes"}`},
		{`{"api_key": 12345, "ok": 1}`, `{"api_key": [redacted], "ok": 1}`},
		{`body "{\"password\":\"a\\\"b c\",\"ok\":1}"`, `body "{\"password\":[redacted],\"ok\":1}"`},
		{`{'token': 'a b'}`, `{'token': [redacted]}`},
		{`{"token":{"a":["x"],"b":2},"ok":1}`, `{"token":[redacted],"ok":1}`},
		{`{"password":"never ends`, `{"password":[redacted]`},
		{"X-Api-Key: abc123", "X-Api-Key: [redacted]"},
		{"{User:bob Password:hunter2}", "{User:bob Password:[redacted]"},
		{"note=password=hunter2", "note=password=[redacted]"},
		{`note="a token=b"`, `note="a token=[redacted]"`},
		{"token => abc", "token => [redacted]"},

		{"Get https://bob:pa:ss@host/x", "Get https://[redacted]@host/x"},
		{"postgres://u:p#a/s?s@db:5432/x failed", "postgres://[redacted] failed"},
		{"postgres://u:p#a/s@db:5432/x failed", "postgres://[redacted]@db:5432/x failed"},
		{"https://ghtoken@host", "https://[redacted]@host"},
		{`Get "https://h/x?api_key=1&page=2&q=me": EOF`, `Get "https://h/x?api_key=[redacted]&page=2&q=[redacted]": EOF`},
		{"/cb#access_token=abc&state=1", "/cb#access_token=[redacted]&state=[redacted]"},
		{"https://h/x?abcdef and on", "https://h/x?[redacted] and on"},
		{"post to https://hooks.slack.com/services/T0/B0/xyz now", "post to https://hooks.slack.com/[redacted] now"},
		{"https://discord.com/api/webhooks/123/abc-DEF", "https://discord.com/api/webhooks/123/[redacted]"},
		{"https://api.telegram.org/bot12345:ABC-def_9/sendMessage", "https://api.telegram.org/bot[redacted]/sendMessage"},

		{"card " + visa, "card [redacted]"},
		{"card 4242 4242-4242 4242.", "card [redacted]."},
		{"order 12 4242 4242 4242 4242 3", "order 12 [redacted] 3"},
		{"amex 378282246310005", "amex [redacted]"},
		{"maestro 6304123456789012347", "maestro [redacted]"},
	} {
		if got := Text(tt.in, 0); got != tt.want {
			t.Errorf("Text(%q)\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

// TestTextKeeps holds what an error message must still say.
func TestTextKeeps(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"",
		"Invalid API key provided",
		"invalid bearer token: is expired",
		"Bearer authentication required.",
		"token: must not be empty",
		`Bearer realm="api", error="invalid_token"`,
		"dial tcp tokens.internal:8080: connection refused",
		"STRIPE_SECRET_KEY is set (sk_test_…, 12 chars); test keys have 32+.",
		"risk-assessment-of-the-task-force",
		"4242424242424241 fails the check, 1800000000000 is a time, 0000000000000000 nothing",
		"order 12345678901234567890123 is too long for a card",
		"see https://docs.example.com/errors#rate-limits and https://h/x?page=2&per_page=50",
		"No such customer: 'cus_123'; größer, 日本語, emoji 🙂",
		"a == b, x=1, total_count=5",
		"file:///etc/hosts http://[::1]:8080/x/@me",
	} {
		if got := Text(s, 0); got != s {
			t.Errorf("Text(%q) = %q", s, got)
		}
	}
}

func TestTextEscapes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\r\nforged line":    `a\r\nforged line`,
		"\x1b[31mred":         `\x1b[31mred`,
		"bad \xff\xfe":        `bad \xff\xfe`,
		"turn \u202eback":     `turn \u202eback`,
		"nul\x00tab\tdel\x7f": `nul\x00tab\tdel\x7f`,
	} {
		if got := Text(in, 0); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTextCaps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"hello", 5, "hello"},
		{"hello!", 5, "hell…"},
		{"hello", 1, "…"},
		{"größer", 4, "grö…"},
		{"token=abc", 8, "token=[…"},
		{strings.Repeat("x", 1<<20), 3, "xx…"},
	} {
		if got := Text(tt.in, tt.limit); got != tt.want {
			t.Errorf("Text(%.20q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

// TestTextFarEdge: only so much of a huge text is looked at; a secret across
// that edge, made visible by a long stretch that shrinks to Mask, must not show
// its first half.
func TestTextFarEdge(t *testing.T) {
	t.Parallel()
	const limit = 1000
	edge := 8*limit + window
	long := strings.Repeat("planted-secret-", margin/10) // more than any pattern needs
	for _, tt := range []struct{ secret, given string }{{stripeKey, ""}, {"planted-secret-value", "planted-secret-value"}, {long, long}} {
		for _, back := range []int{1, 2, 4, 8, 9, 16, 20} {
			shrinks := "password=" + strings.Repeat("p", edge-back-len("password= ")) + " "
			in := shrinks + tt.secret + strings.Repeat(" more", 1<<12)
			got := Text(in, limit, tt.given)
			if strings.Contains(got, "sk_") || strings.Contains(got, "pl") {
				t.Fatalf("%d bytes before the edge: %q", back, got)
			}
		}
	}
}

func TestTextGivenSecrets(t *testing.T) {
	t.Parallel()
	secret := "p<a>/s&s+w ö\"rd😀"
	js, _ := json.Marshal(secret)
	forms := map[string]string{
		"raw": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret),
		"lower-case hex": strings.ToLower(url.QueryEscape("/s&s+")) + "tail",
		"json":           string(js), "go": fmt.Sprintf("%q", secret),
		"python":   `p<a>/s&s+w \u00f6\"rd\ud83d\ude00`,
		"std":      base64.StdEncoding.EncodeToString([]byte(secret)),
		"url":      base64.URLEncoding.EncodeToString([]byte(secret)),
		"basic":    base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		"basic+1":  base64.StdEncoding.EncodeToString([]byte("users:" + secret + "!")),
		"basic+2":  base64.StdEncoding.EncodeToString([]byte("user12:" + secret + "!!")),
		"in a url": "https://h/" + url.PathEscape(secret) + "/x",
	}
	for name, form := range forms {
		secrets := []string{secret, "abc"}
		if name == "lower-case hex" {
			secrets = []string{"/s&s+tail"}
		}
		got := Text("before abc "+form+" after abc", 0, secrets...)
		if !strings.HasPrefix(got, "before abc ") || !strings.HasSuffix(got, " after abc") || !strings.Contains(got, Mask) {
			t.Errorf("%s: %q gives %q", name, form, got)
		}
		for _, part := range []string{"w ö", "s&s", "%26s", "rd", base64.StdEncoding.EncodeToString([]byte(secret))[8:16]} {
			if strings.Contains(strings.ToLower(got), strings.ToLower(part)) {
				t.Errorf("%s: %q leaks %q: %q", name, form, part, got)
			}
		}
	}
	if got := Text("key ab1234 ", 0, " ab1234\n"); got != "key [redacted] " {
		t.Errorf("a secret with a newline: %q", got)
	}
	if got := Text("abcdefghij", 0, "abcdef", "defghij"); got != Mask {
		t.Errorf("overlapping secrets: %q", got)
	}
}

// TestTextSpellsNothing: escaping may spell a secret that was not there.
func TestTextSpellsNothing(t *testing.T) {
	t.Parallel()
	if got := Text("a\x00\x00b", 0, `\x00\x00`); got != Mask {
		t.Errorf("got %q", got)
	}
}

// TestTextLinear: hostile texts must not cost quadratic time.
func TestTextLinear(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"token=", "a=", `"token":`, "token:", "1 ", "://", "?a=", `\"`, "Bearer ", "{", `password="\`, "://a:b"} {
		start := time.Now()
		Text(strings.Repeat(unit, 50_000/len(unit)), 0)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%q repeated: %v", unit, took)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"Bearer abc", "password=hunter2", `{"client_secret":"x\"y"}`, "https://u:p@h/x?a=b#c", visa, "4242 4242 4242 4242",
		pemKey, jwt, stripeKey, "a\x00\xff\u202e", "=\"'{[\\", "token: 'x",
	} {
		f.Add(s, "hunter2", 20)
		f.Add(s, "se cr/et+ö", 0)
	}
	f.Fuzz(func(t *testing.T, s, secret string, limit int) {
		for _, in := range []string{
			s, s + secret + s, secret + s, s + url.QueryEscape(secret), s + base64.StdEncoding.EncodeToString([]byte(s+secret)),
		} {
			got := Text(in, limit, secret)
			checkOutput(t, got)
			if limit > 0 && utf8.RuneCountInString(got) > limit {
				t.Errorf("Text(%q, %d) = %q: too long", in, limit, got)
			}
			// Only the Mask itself may spell it.
			if len(secret) >= 4 && strings.Contains(got, secret) && !strings.Contains(truncate(Mask, limit), secret) {
				t.Errorf("Text(%q, %d, %q) = %q: leaks", in, limit, secret, got)
			}
		}
	})
}

// checkOutput holds what is true of every output of this package.
func checkOutput(t *testing.T, got string) {
	t.Helper()
	if !utf8.ValidString(got) || strings.ContainsFunc(got, invisible) {
		t.Errorf("not fit for a log line: %q", got)
	}
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{
		"clean":  "No such customer: 'cus_123'; a similar object exists in live mode, but a test mode key was used to make this request.",
		"secret": "Invalid API Key provided: " + stripeKey,
		"url":    `Get "https://api.example.com/v1/x?api_key=1&page=2": context deadline exceeded`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Text(s, 200)
			}
		})
	}
}

func TestSecretField(t *testing.T) {
	t.Parallel()
	yes := strings.Fields(`password Password userPassword passwd pwd secret client_secret clientSecret token access_token tokens key
		apiKey APIKey api-key x-api-key X-Amz-Signature authorization signature sig cookie Set-Cookie session_id card card[number]
		number cvc cvv2 pin ssn iban otp key1 keys private_key credential nonce pass`)
	no := strings.Fields("id shipping className monkey name amount status object spinner page currency keyboardLayout author")
	for _, name := range yes {
		if !SecretField(name) {
			t.Errorf("SecretField(%q) = false", name)
		}
	}
	for _, name := range append(no, "", "__", "日本") {
		if SecretField(name) {
			t.Errorf("SecretField(%q) = true", name)
		}
	}
}

func TestSplitWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"apiKey": {"api", "key"}, "APIKey": {"api", "key"}, "x-Api_Key.v2[0]": {"x", "api", "key", "v2", "0"}, "ID": {"id"}, "": nil,
	} {
		if got := splitWords(in); !slices.Equal(got, want) {
			t.Errorf("splitWords(%q) = %q, want %q", in, got, want)
		}
	}
}

// A secret is hidden however the server writes it.
func TestTextHidesOtherSpellings(t *testing.T) {
	t.Parallel()
	const secret = "correct-Horse/battery"
	for _, text := range []string{secret, strings.ToUpper(secret), "Correct-horse/battery", fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
		if got := Text("no such key "+text+" here", 0, secret); got != "no such key [redacted] here" {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// The library's own errors, whose prefixes smell of a secret, stay readable.
func TestTextKeepsOwnErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"signature: HMAC.Keys[0] is nil: use StaticKey or a function", "signature: AWS: the access key id is empty",
		"POST /token: dial tcp 127.0.0.1:43789: connect: connection refused", "signature: HMAC.Keys is empty", "signature: MessageSignature.Keys is empty",
	} {
		if got := Text(text, 0); got != text {
			t.Errorf("got  %s\nwant %s", got, text)
		}
	}
}
