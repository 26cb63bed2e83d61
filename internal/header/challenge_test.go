package header

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestChallenges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fields []string
		want   []Challenge
	}{
		"none":  {nil, nil},
		"empty": {[]string{"", " , ,"}, nil},
		"alone": {[]string{"Basic"}, []Challenge{{"Basic", map[string]string{}}}},
		"quoted": {[]string{`Digest realm="a, b=\"c\"", nonce=abc, qop = "auth,auth-int"`},
			[]Challenge{{"Digest", map[string]string{"realm": `a, b="c"`, "nonce": "abc", "qop": "auth,auth-int"}}}},
		"several in a field": {[]string{`Basic realm="x", Negotiate, DPoP error="use_dpop_nonce", algs="ES256"`},
			[]Challenge{{"Basic", map[string]string{"realm": "x"}}, {"Negotiate", map[string]string{}}, {"DPoP", map[string]string{"error": "use_dpop_nonce", "algs": "ES256"}}}},
		"token": {[]string{"Negotiate YWJj==, Basic Realm=x"},
			[]Challenge{{"Negotiate", map[string]string{"": "YWJj=="}}, {"Basic", map[string]string{"realm": "x"}}}},
		"several fields":    {[]string{"Basic realm=1", "Digest realm=2"}, []Challenge{{"Basic", map[string]string{"realm": "1"}}, {"Digest", map[string]string{"realm": "2"}}}},
		"first counts":      {[]string{`Digest nonce=a, nonce=b`}, []Challenge{{"Digest", map[string]string{"nonce": "a"}}}},
		"parameter without": {[]string{`realm="x"`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, Challenges(http.Header{"Www-Authenticate": tt.fields}), tt.want)
		})
	}
}

func FuzzChallenges(f *testing.F) {
	for _, seed := range []string{
		"", "Basic", `Digest realm="a", nonce="b", qop="auth,auth-int", algorithm=SHA-256`, `Negotiate YWJj==, Basic realm=x`,
		`DPoP error="use_dpop_nonce", algs="ES256 PS256"`, `Digest realm="a`, `=,"`, "Basic realm=\"\\\"\", x", strings.Repeat("a b=c,", 100),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		for _, c := range Challenges(http.Header{"Www-Authenticate": {field}}) {
			if c.Scheme == "" || strings.ContainsAny(c.Scheme, " ,") {
				t.Errorf("scheme %q of %q", c.Scheme, field)
			}
			for name := range c.Params {
				if name != strings.ToLower(name) || strings.ContainsAny(name, " \t\"") {
					t.Errorf("parameter %q of %q", name, field)
				}
			}
		}
	})
}
