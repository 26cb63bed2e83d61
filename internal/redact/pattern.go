package redact

import "strings"

// rule finds one kind of secret by its looks.
type rule struct {
	hints []string // one of them, in lower case, must be there before the expression is tried
	find  *expression
	group int                          // the submatch to hide
	keep  func(key, value string) bool // shows a match after all; key is submatch 1. nil hides all.
	// What keep shows is not searched again, so it must be plain.
	place bool // hides by where it stands, whatever it looks like: for display only
}

// rules are ordered by nothing: all of them look at the same text.
var rules = []rule{
	// RFC 7468; unterminated where a text was cut.
	{hints: []string{"-----begin"}, find: lazy(`(?s)-----BEGIN [A-Z0-9 ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\z)`)},
	// JSON Web Token, RFC 7519: base64url of `{"`. Opaque cursors often look the same.
	{hints: []string{"eyj"}, find: lazy(`eyJ[\w-]{8,}(?:\.[\w-]*)*`)},
	// docs.stripe.com/keys, docs.stripe.com/webhooks, client secrets of payment objects.
	{hints: []string{"k_live_", "k_test_", "whsec_"}, find: lazy(`(?:[srpe]k_(?:live|test)|whsec)_[\w*+/=-]+`)},
	{hints: []string{"_secret_"}, find: lazy(`[a-z]{2,8}_[A-Za-z0-9]{8,}_secret_\w+`)},
	// github.blog/2021-04-05-behind-githubs-new-authentication-token-formats
	{
		hints: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"},
		find:  lazy(`gh[pousr]_\w{4,}|github_pat_\w{4,}|glpat-[\w.-]{8,}`),
	},
	// api.slack.com/authentication/token-types
	{hints: []string{"xox", "xapp-"}, find: lazy(`(?:xox[a-z](?:\.xox[a-z])?|xapp)-[\w%-]{4,}`)},
	// AWS IAM identifiers; Google API keys and access tokens.
	{hints: []string{"akia", "asia", "aiza", "ya29."}, find: lazy(`A[KS]IA[A-Z0-9]{12,}|AIza[\w-]{20,}|ya29\.[\w-]+`)},
	// OpenAI, Anthropic. Behind a letter it is a word: "task-force-...".
	{hints: []string{"sk-"}, find: lazy(`(^|[^A-Za-z0-9])(sk-[\w-]{16,})`), group: 2},
	// Shopify, SendGrid, npm, Hugging Face, Linear, DigitalOcean, Square.
	{
		hints: []string{"shpat_", "shpca_", "shppa_", "shpss_", "sg.", "npm_", "hf_", "lin_api_", "lin_oauth_", "dop_v1_", "sq0"},
		find: lazy(`shp(?:at|ca|pa|ss)_\w{8,}|SG\.[\w-]{16,}\.[\w-]{16,}|npm_\w{20,}|hf_[A-Za-z]{20,}` +
			`|lin_(?:api|oauth)_\w+|dop_v1_\w+|sq0[a-z]{3}-[\w-]{10,}`),
	},
	// URLs that are a credential as a whole: Slack and Discord webhooks, Telegram bots.
	{hints: []string{"hooks.slack.com/", "webhooks/"}, find: lazy(`(hooks\.slack\.com/|webhooks/\d+/)([^\s"'<>]+)`), group: 2},
	{hints: []string{"bot"}, find: lazy(`bot(\d{4,}:[\w-]{8,})`), group: 1},
	// RFC 6750, RFC 7617; in a URL the space may be escaped.
	{
		hints: []string{"bearer", "basic"},
		find:  lazy(`(?i)(bearer|basic)(?:\s+|%20|\+)["']?([\w.~+/:=%*-]+)`), group: 2,
		keep: func(_, value string) bool { return harmlessWord(value) },
	},
	// To the end of the line: these values have inner structure.
	{hints: []string{"authorization", "cookie"}, find: lazy(`(?i)(authorization|cookie)\\*["']?\s*[:=]\s*\\*["']?([^\r\n"']+)`), group: 2},
	// Userinfo, RFC 3986, section 3.2.1; the second form has / ? or # unescaped
	// in the password, seen by a port that is no number.
	{hints: []string{"://"}, find: lazy(`://([^\s/?#"'<>]+)@`), group: 1},
	{hints: []string{"://"}, find: lazy(`://([^\s\[/?#:@"'<>]*:\d*[^\s/?#"'<>\d][^\s"'<>]*)@`), group: 1},
	// Query values, RFC 3986, section 3.4, and a query without a name.
	{
		hints: []string{"="},
		find:  lazy(`[?&#]([^=&\s"'<>?#]{1,200})=([^&\s"'<>#]+)`), group: 2,
		keep: showQuery, place: true,
	},
	{hints: []string{"://"}, find: lazy(`://[^\s"'<>?]*\?([^\s"'<>=&#]+)(?:[\s"'<>&#]|\z)`), group: 1, place: true},
}

// matches adds what the rules find in s; lower is s in lower case. Those that go
// by place alone are left out unless they are wanted.
func matches(spans []Span, s, lower string, places bool) []Span {
	for i := range rules {
		r := &rules[i]
		if r.place && !places || !containsAny(lower, r.hints) {
			continue
		}
		for _, m := range r.find.regexp().FindAllStringSubmatchIndex(s, -1) {
			sp := Span{m[2*r.group], m[2*r.group+1]}
			if r.keep != nil && r.keep(s[m[2]:m[3]], s[sp.From:sp.To]) {
				continue
			}
			spans = append(spans, sp)
		}
	}
	return spans
}

func containsAny(s string, subs []string) bool {
	for _, sub := range subs {
		if strings.Contains(s, sub) {
			return true
		}
	}
	return false
}

// harmless are the words that follow "bearer" or "token:" in a sentence, so
// that "invalid bearer token: has expired" stays readable.
var harmless = set(`a access an and another are at auth authentication authorization be by can
	cannot challenge could credentials does error expired failed field for format from has have header http in incorrect
	invalid is it may method missing must no not null of on only or please problem realm required revoked scheme
	should syntax the this to token tokens too type unknown unsupported
	dial key lookup read write tls
	aws aws.credentials aws.unsignedpayload hmac hmac.keys hmac.keys[0] hmac.keys[1] hmac.content hmac.value hmac.header
	messagesignature messagesignature.keys messagesignature.components
	plan tier account info information support usage was were when which with wrong you your`)

// harmlessWord tells whether a match is just the next word of a sentence, or
// the first attribute of a challenge (`Bearer realm="x"`).
func harmlessWord(value string) bool {
	w := strings.ToLower(strings.TrimRight(value, ".,:;!?)"))
	return harmless.has(w) || w == "realm=" || w == "error="
}
