package aplombtest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// opaque is a secret that looks like nothing: it is known by where it stands alone.
const opaque = "opaq-Zx81-kk"

// leak is an exchange with the secret in it, once or more.
type leak struct {
	method, url    string
	header         http.Header // of the request
	sent           string
	kind, answer   string
	pieces         []string // the answer, with a pause between two
	packed, secret string
}

// leaks are the places that a name or a form gives away.
func leaks() map[string]leak {
	basic := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	auth := func(s string) http.Header { return http.Header{"Authorization": {s}} }
	all := map[string]leak{
		"gzip that is read slowly": {kind: "application/json", pieces: []string{`{"access_token":"`, opaque + `"}`}, packed: "gzip"},
		"gzip of events":           {kind: "text/event-stream", answer: `data: {"access_token":"` + opaque + "\"}\n\n", packed: "gzip"},
		"a part with a type":       {method: "POST", header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, sent: "--b\r\nContent-Disposition: form-data; name=\"client_secret\"\r\nContent-Type: text/plain\r\n\r\n" + opaque + "\r\n--b--\r\n"},
		"a part that is a file":    {method: "POST", header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, sent: "--b\r\nContent-Disposition: form-data; name=\"private_key\"; filename=\"k\"\r\n\r\n" + opaque + "\r\n--b--\r\n"},
		"json-seq":                 {kind: "application/json-seq", answer: "\x1e{\"access_token\":\"" + opaque + "\"}\n"},
		"colours":                  {kind: "text/plain", answer: "\x1b[1mpassword=" + opaque + "\x1b[0m\n"},
		"Latin-1":                  {kind: "text/plain; charset=iso-8859-1", answer: "caf\xe9 password=" + opaque + "\n"},
		"a code in a Location":     {kind: "text/plain", header: http.Header{"X-Location": {"https://me.test/cb?code=" + opaque}}},
		"slow JSON by lines":       {kind: "application/json", pieces: []string{"{\n\"tokens\": [\n", "\"" + opaque + "\"\n]\n}\n"}},
		"a number elsewhere":       {kind: "application/json", answer: `{"account_number":8392017466612,"url":"/accounts/8392017466612"}`, secret: "8392017466612"},
		"a user name of Basic":     {header: auth("Basic " + basic(opaque+":X")), kind: "application/json", answer: `{"id":"` + opaque + `"}`},
		"Token token=":             {header: auth(`Token token="` + opaque + `"`), kind: "application/json", answer: `{"id":"` + opaque + `"}`},
		"ApiKey":                   {header: auth("ApiKey " + basic("id:"+opaque)), kind: "application/json", answer: `{"id":"` + opaque + `"}`},
		"userinfo":                 {url: "http://" + opaque + "@api.test/", kind: "application/json", answer: `{"id":"` + opaque + `"}`},
		"an escaped cookie":        {header: http.Header{"Cookie": {"sid=" + opaque + "%3D%3D"}}, kind: "text/plain", answer: "your session is " + opaque + "== now"},
		"XML, called so":           {kind: "Text/XML", answer: "<r><password>" + opaque + "</password></r>"},
		"XML, not called so":       {kind: "", answer: `<?xml version="1.0"?><r><password>` + opaque + "</password></r>"},
		"CDATA":                    {kind: "application/xml", answer: "<r><SecretKey><![CDATA[" + opaque + "]]></SecretKey></r>"},
	}
	for name, doc := range map[string]string{
		"token.value": `{"token":{"value":"%s"}}`, "tokens.access": `{"tokens":{"access":"%s"}}`, "api_key.key.raw": `{"api_key":{"key":{"raw":"%s"}}}`,
		"api_keys[]": `{"api_keys":[{"value":"%s"}]}`, "session.id": `{"session":{"id":"%s"}}`, "names below": `{"tokens":{"%s":{"a":1}}}`,
		"code": `{"code":"%s"}`, "device_code": `{"device_code":"%s"}`, "pw": `{"pw":"%s"}`, "credentials": `{"credentials":{"a":["%s"]}}`,
	} {
		all["JSON "+name] = leak{kind: "application/json", answer: fmt.Sprintf(doc, opaque)}
	}
	for _, doc := range []string{`{"pass":83920174}`, `{"pins":[83920174]}`, `{"cards":[83920174]}`, `{"secret":{"digits":83920174}}`} {
		all["JSON "+doc] = leak{kind: "application/json", answer: doc, secret: "83920174"}
	}
	for _, name := range []string{"otp", "jwt", "passport", "encryptionKey", "password"} {
		all["GraphQL "+name] = leak{method: "POST", header: http.Header{"Content-Type": {"application/json"}}, sent: fmt.Sprintf(`{"query":"mutation { login(%s: \"%s\") { id } }"}`, name, opaque)}
	}
	all["GraphQL block"] = leak{method: "POST", header: http.Header{"Content-Type": {"application/json"}}, sent: `{"query":"mutation { login(password: \"\"\"` + opaque + `\"\"\") { id } }"}`}
	return all
}

// TestFixturesKnowSecretsByTheirPlaces: what looks like nothing is hidden for its name,
// its neighbours or what it was sent as.
func TestFixturesKnowSecretsByTheirPlaces(t *testing.T) {
	t.Parallel()
	for name, l := range leaks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			clean(t, "TestX", func(tb *actor) {
				rec := aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: roundTrip(l.respond)})
				req := httptest.NewRequestWithContext(context.Background(), or(l.method, "GET"), or(l.url, "http://api.test/"), strings.NewReader(l.sent))
				if l.header != nil {
					req.Header = l.header
				}
				resp, err := rec.RoundTrip(req)
				if assert.NoError(t, err) {
					_, err = io.ReadAll(resp.Body)
					assert.NoError(t, err)
					assert.NoError(t, resp.Body.Close())
				}
			})
			raw, err := os.ReadFile(filepath.Join(dir, "TestX.json"))
			assert.NoError(t, err)
			secret := or(l.secret, opaque)
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if bytes.Contains(raw, []byte(form)) {
					t.Errorf("it is written: %s", raw)
				}
			}
		})
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (l *leak) respond(r *http.Request) (*http.Response, error) {
	h := http.Header{"Location": l.header["X-Location"]}
	if l.kind != "" {
		h.Set("Content-Type", l.kind)
	}
	body := or(l.answer, strings.Join(l.pieces, ""))
	if l.packed != "" {
		h.Set("Content-Encoding", l.packed)
		var packed strings.Builder
		z := gzip.NewWriter(&packed)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
		body = packed.String()
	}
	return &http.Response{StatusCode: 200, Header: h, ContentLength: -1, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}
