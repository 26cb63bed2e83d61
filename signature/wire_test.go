package signature_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
)

// both signs and verifies.
type both interface {
	signature.Signer
	signature.Verifier
}

// TestSignedIsWhatArrives sends signed requests through net/http: what Sign
// reads of an outgoing request must be what Verify reads of the received one.
func TestSignedIsWhatArrives(t *testing.T) {
	t.Parallel()
	all := signature.MessageSignature{
		Keys: []signature.MessageKey{signature.SharedKey("k", signature.StaticKey("secret"))},
		Components: []string{"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query",
			"host", "content-type", "x-acme", "x-acme;bs"},
	}
	withBody := all
	withBody.Components = slices.Concat(all.Components, []string{"content-length", "content-digest"})
	header := signature.SignedRequest(signature.StaticKey("secret"))
	header.Content = "{header:X-Acme}\n{target}\n" + header.Content
	schemes := []both{all, signature.MessageSignature{Keys: all.Keys}, signature.SignedRequest(signature.StaticKey("secret")), header}

	var scheme both
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, err := scheme.Verify(r, body, at); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	for _, target := range []string{"", "/", "/a%20b/%2F/é;x=1/(c)", "//x/../y", "/?", "/?a=1&b=%20+c&&d", "/p?q=a?b/c#fragment"} {
		for _, body := range []string{"", "a body"} {
			for _, scheme = range slices.Concat(schemes, []both{map[bool]both{true: withBody, false: all}[body != ""]}) {
				method := map[bool]string{true: http.MethodPut, false: http.MethodGet}[body != ""]
				r, err := http.NewRequestWithContext(t.Context(), method, server.URL+target, strings.NewReader(body))
				assert.NoError(t, err)
				r.Header.Set("Content-Type", "text/plain")
				r.Header["Host"], r.Header["Content-Length"] = []string{"not.sent.example"}, []string{"7000"} // net/http sends its own
				r.Header["X-Acme"] = []string{"  some   value  "}
				assert.NoError(t, scheme.Sign(r, at), target)
				resp, err := server.Client().Do(r)
				assert.NoError(t, err)
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				assert.Equal(t, resp.StatusCode, http.StatusOK, target, string(text))
			}
		}
	}
}

// arrives is what a server makes of a request line and headers, one a line.
func arrives(t *testing.T, lines ...string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.Join(lines, "\r\n") + "\r\n\r\n")))
	assert.NoError(t, err)
	return r
}

// signedHeaders signs a GET and gives its headers as they are sent.
func signedHeaders(t *testing.T, s signature.Signer, address string, headers ...string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	assert.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	assert.NoError(t, s.Sign(r, at))
	var b strings.Builder
	assert.NoError(t, r.Header.Write(&b))
	return strings.TrimSuffix(b.String(), "\r\n")
}

// A signed header with something around it that is white space elsewhere, but
// not in HTTP, is another header.
func TestSignedHeaderIsTrimmedAsHTTPDoes(t *testing.T) {
	t.Parallel()
	h := signature.Stripe(signature.StaticKey("a secret for tests"))
	h.Content = "{timestamp}.{header:X-User}"
	headers := signedHeaders(t, h, "http://api.test/", "X-User", "alice")
	for space, good := range map[string]bool{"": true, " ": true, "\t": true, "\u00a0": false, "\u0085": false, "\u2003": false, "\u3000": false} {
		r := arrives(t, "GET / HTTP/1.1", "Host: api.test", strings.Replace(headers, "alice", space+"alice"+space, 1))
		_, err := h.Verify(r, nil, at)
		assert.Equal(t, err == nil, good, fmt.Sprintf("%q", space))
		assert.True(t, good || errors.Is(err, signature.ErrSignature), err)
	}
}

// net/url writes a path that holds a byte it would have escaped in its own way,
// in which an escaped separator is one that separates.
func TestPathOfTwoFormsIsRefused(t *testing.T) {
	t.Parallel()
	keys := []signature.MessageKey{signature.SharedKey("k", signature.StaticKey("a secret for tests"))}
	byTarget := signature.SignedRequest(signature.StaticKey("a secret for tests"))
	byTarget.Content = strings.ReplaceAll(byTarget.Content, "{path}\n{query}", "{target}")
	unsigned := signature.Slack(signature.StaticKey("a secret for tests"))
	for name, test := range map[string]struct {
		scheme both
		good   bool // as what is not signed may be anything
	}{
		"path":            {scheme: signature.SignedRequest(signature.StaticKey("a secret for tests"))},
		"target":          {scheme: byTarget},
		"body alone":      {unsigned, true},
		"RFC 9421":        {scheme: signature.MessageSignature{Keys: keys}},
		"@target-uri":     {scheme: signature.MessageSignature{Keys: keys, Components: []string{"@target-uri"}}},
		"@request-target": {scheme: signature.MessageSignature{Keys: keys, Components: []string{"@request-target"}}},
		"@method alone":   {signature.MessageSignature{Keys: keys, Components: []string{"@method"}}, true},
	} {
		headers := signedHeaders(t, test.scheme, "http://api.test/files/a/b%22")
		for target, good := range map[string]bool{
			`/files/a/b%22`: true, `/files/a/b"`: test.good, `/files/a%2Fb"`: test.good, `/files%2Fa/b"`: test.good, `/%66iles/a/b"`: test.good,
		} {
			r := arrives(t, "GET "+target+" HTTP/1.1", "Host: api.test", headers)
			_, err := test.scheme.Verify(r, nil, at)
			assert.Equal(t, err == nil, good, name, target, fmt.Sprint(err))
			assert.True(t, good || errors.Is(err, signature.ErrSignature), err)
			r.RequestURI = "" // as routers leave it that rewrite the path
			_, err = test.scheme.Verify(r, nil, at)
			assert.Equal(t, err == nil, good, name, target, fmt.Sprint(err))
		}
	}

	// Where the target is compared as it came there is one form.
	s := signature.MessageSignature{Keys: keys, Components: []string{"@request-target"}}
	r := arrives(t, `GET /files/a%2Fb" HTTP/1.1`, "Host: api.test")
	assert.NoError(t, s.Sign(r, at))
	_, err := s.Verify(r, nil, at)
	assert.NoError(t, err)
}

// One byte changed anywhere is another message, or else one that means the same.
func TestEachByteCounts(t *testing.T) {
	t.Parallel()
	s := signature.MessageSignature{
		Keys:       []signature.MessageKey{signature.SharedKey("k", signature.StaticKey("a secret for tests"))},
		Components: []string{"@method", "@authority", "@path", "@query", "x-a", "x-b;bs", `x-d;key="m"`},
	}
	wire := "GET /p/q?a=1&b=2 HTTP/1.1\r\nHost: api.test\r\n" +
		signedHeaders(t, s, "http://api.test/p/q?a=1&b=2", "X-A", "v", "X-B", "w", "X-D", "m=1") + "\r\n\r\n"
	good := arrives(t, strings.TrimSuffix(wire, "\r\n\r\n"))
	_, err := s.Verify(good, nil, at)
	assert.NoError(t, err)
	for i := range len(wire) {
		for _, b := range "a1 \x7f\";,%/Z\u00a0\t" {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire[:i] + string(b) + wire[i+1:])))
			if err != nil {
				continue
			}
			if _, err = s.Verify(r, nil, at); err == nil {
				assert.Equal(t, fmt.Sprint(r.Method, r.Host, r.RequestURI, r.Header), fmt.Sprint(good.Method, good.Host, good.RequestURI, good.Header))
			}
		}
	}
}

// A digest that is covered in another form than plain is checked all the same.
func TestContentDigestInEachForm(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"content-digest", "content-digest;bs", "content-digest;sf", `content-digest;key="sha-256"`} {
		s := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("k", signature.StaticKey("secret"))}, Components: []string{form}}
		r := post("{}")
		assert.NoError(t, s.Sign(r, at), form)
		_, err := s.Verify(received(t, r), []byte("{}"), at)
		assert.NoError(t, err, form)
		_, err = s.Verify(received(t, r), []byte("[]"), at)
		assert.ErrorIs(t, err, signature.ErrSignature, form)
		assert.Contains(t, err.Error(), "is not that of the body")
	}
	s := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("k", signature.StaticKey("secret"))}, Components: []string{`content-digest;key="md5"`}}
	assert.Contains(t, s.Check().Error(), "proves nothing about the body")
}

func TestSignRefusesWhatCannotHold(t *testing.T) {
	t.Parallel()
	key := signature.StaticKey("secret")
	for _, s := range []signature.Signer{
		signature.SignedRequest(key),
		signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("k", key)}},
		signature.AWS{Region: "r", Service: "s3", Credentials: signature.StaticAWS("id", "secret", "")},
	} {
		assert.Contains(t, s.Sign(post("{}"), time.Time{}).Error(), "before 1970")
		r := post("{}")
		r.URL.Host, r.Host = "bücher.example", ""
		assert.Contains(t, s.Sign(r, at).Error(), "punycode")
		r.URL = nil
		r.Host = "x"
		assert.Contains(t, s.Sign(r, at).Error(), "no URL")
		if v, ok := s.(signature.Verifier); ok {
			_, err := v.Verify(r, nil, at)
			assert.Contains(t, err.Error(), "no URL")
		}
	}
}

// ErrSignature blames a message, which one's own is not.
func TestSignDoesNotBlameTheMessage(t *testing.T) {
	t.Parallel()
	h := signature.GitHub(signature.StaticKey("secret"))
	h.Content = "{header:X-Absent}:{body}"
	err := h.Sign(post("{}"), at)
	assert.Contains(t, err.Error(), "X-Absent is missing")
	assert.True(t, !errors.Is(err, signature.ErrSignature))
	_, err = h.Verify(post("{}", "X-Hub-Signature-256", githubValue), []byte("{}"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
}

// mute is a crypto.Signer that has no public key.
type mute struct{ crypto.Signer }

func (mute) Public() crypto.PublicKey { return nil }

func TestUnusablePrivateKeysDoNotPanic(t *testing.T) {
	t.Parallel()
	for _, key := range []signature.MessageKey{
		{},
		signature.PrivateKey("k", signature.Ed25519, nil),
		signature.PrivateKey("k", signature.Ed25519, mute{}),
		signature.PrivateKey("k", signature.RSAPSSSHA512, (*rsa.PrivateKey)(nil)),
		signature.PrivateKey("k", signature.RSAPSSSHA512, &rsa.PrivateKey{}),
		signature.PrivateKey("k", signature.ECDSAP256SHA256, &ecdsa.PrivateKey{}),
		signature.PrivateKey("k", signature.ECDSAP256SHA256, (*ecdsa.PrivateKey)(nil)),
		signature.PrivateKey("k", signature.Ed25519, ed25519.PrivateKey{1}),
		signature.PublicKey("k", signature.Ed25519, ed25519.PublicKey{1}),
		signature.PublicKey("k", signature.RSAPSSSHA512, &rsa.PublicKey{}),
		signature.PublicKey("k", signature.ECDSAP256SHA256, &ecdsa.PublicKey{}),
		signature.PublicKey("k", signature.Ed25519, nil),
	} {
		assert.True(t, signature.MessageSignature{Keys: []signature.MessageKey{key}}.Check() != nil)
	}
}

// Before a signature is checked, whoever sends it decides how much is read.
func TestWorkForStrangersIsBounded(t *testing.T) {
	t.Parallel()
	asked := 0
	s := signature.MessageSignature{Components: []string{"@method"}, Lookup: func(context.Context, string) (signature.MessageKey, error) {
		asked++
		return signature.SharedKey("k", signature.StaticKey("secret")), nil
	}}
	var components, params strings.Builder
	for i := range 200 {
		fmt.Fprintf(&components, ` "x%d"`, i)
	}
	for i := range 300 {
		fmt.Fprintf(&params, ";p%d", i)
	}
	for want, input := range map[string]string{
		"more than 128 components": `("@method"` + components.String() + `);created=1700000000;keyid="k"`,
		"more than 256 parameters": `("@method")` + params.String(),
		"longer than 16384 bytes":  `("@method" "x-long";sf);created=1700000000;keyid="k"`,
		`is not known`:             `("@method");created=1700000000;keyid="` + strings.Repeat("k", 300) + `"`,
	} {
		r := post("{}", "Signature-Input", "sig1="+input, "Signature", "sig1=:AAAA:", "X-Long", strings.Repeat("a", 20000))
		_, err := s.Verify(r, []byte("{}"), at)
		assert.ErrorIs(t, err, signature.ErrSignature)
		assert.Contains(t, err.Error(), want)
	}
	assert.Equal(t, asked, 1)
	_, err := s.Verify(post("{}", "Signature-Input", `sig1=("`+strings.Repeat("a", 1000)+`";tr)`, "Signature", "sig1=:AAAA:"), []byte("{}"), at)
	assert.Equal(t, len(err.Error()), 303)
}

func TestAWSKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	credentials := signature.StaticAWS("AKIDEXAMPLE", "hush", "hush-token")
	c, err := credentials(t.Context())
	assert.NoError(t, err)
	a := signature.AWS{Region: "r", Service: "s3", Credentials: credentials}
	wrapped := struct{ inner signature.AWSCredentials }{c}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb+verb+verb, a, c, wrapped)
		assert.NotContains(t, text, "hush")
		assert.NotContains(t, text, "68757368") // in %x
	}
}
