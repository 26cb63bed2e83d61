package signature

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// RFC 9421, Appendix B: the keys of B.1, the messages and signatures of B.2.
const (
	rfcRSAPSS   = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI2wIDAQAB"
	rfcECCP256  = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ=="
	rfcEd25519  = "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU" // the seed, as in its JWK
	rfcShared   = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
	rfcCreated  = 1618884473
	rfcBody     = `{"hello": "world"}`
	rfcRequest  = "POST /foo?param=Value&Pet=dog HTTP/1.1\nHost: example.com\nDate: Tue, 20 Apr 2021 02:07:55 GMT\nContent-Type: application/json\nContent-Digest: sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\nContent-Length: 18\n\n" + rfcBody
	rfcResponse = "HTTP/1.1 200 OK\nDate: Tue, 20 Apr 2021 02:07:56 GMT\nContent-Type: application/json\nContent-Digest: sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\nContent-Length: 23\n\n" + `{"message": "good dog"}`
)

var rfcNow = time.Unix(rfcCreated, 0)

func rfcKeys(t *testing.T) map[string]MessageKey {
	t.Helper()
	public := func(text string) crypto.PublicKey {
		der, err := base64.StdEncoding.DecodeString(text)
		assert.NoError(t, err)
		key, err := x509.ParsePKIXPublicKey(der)
		assert.NoError(t, err)
		return key
	}
	seed, err := base64.RawURLEncoding.DecodeString(rfcEd25519)
	assert.NoError(t, err)
	shared, err := base64.StdEncoding.DecodeString(rfcShared)
	assert.NoError(t, err)
	keys := map[string]MessageKey{}
	for _, key := range []MessageKey{
		PublicKey("test-key-rsa-pss", RSAPSSSHA512, public(rfcRSAPSS)),
		PublicKey("test-key-ecc-p256", ECDSAP256SHA256, public(rfcECCP256)),
		PrivateKey("test-key-ed25519", Ed25519, ed25519.NewKeyFromSeed(seed)),
		SharedKey("test-shared-secret", StaticKey(string(shared))),
	} {
		assert.NoError(t, key.check())
		keys[key.id] = key
	}
	return keys
}

func rfcRead(t *testing.T, text string) *http.Request {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n")))
	assert.NoError(t, err)
	r.Body = io.NopCloser(strings.NewReader(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
	return r
}

func rfcSigned(t *testing.T, input, sum string) *http.Request {
	t.Helper()
	r := rfcRead(t, rfcRequest)
	r.Header.Set("Signature-Input", input)
	r.Header.Set("Signature", sum)
	return r
}

// TestRFC9421B21 verifies the signature that covers nothing, which Verify would
// not: no components are the usual ones.
func TestRFC9421B21(t *testing.T) {
	t.Parallel()
	r := rfcSigned(t, `sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"`,
		"sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:")
	key := rfcKeys(t)["test-key-rsa-pss"]
	s := MessageSignature{Keys: []MessageKey{key}}
	list, err := s.signatures(r.Header)
	assert.NoError(t, err)
	base, _, err := signatureBase(message{request: r}, list[0].covered, list[0].params)
	assert.NoError(t, err)
	assert.Equal(t, string(base), `"@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"`)
	good, err := key.verify(context.Background(), base, list[0].sum)
	assert.NoError(t, err)
	assert.True(t, good)

	_, err = s.Verify(r, []byte(rfcBody), rfcNow)
	assert.ErrorIs(t, err, ErrSignature)
	assert.Contains(t, err.Error(), `sig-b21: it does not cover "@method"`)
}

func TestRFC9421B2Requests(t *testing.T) {
	t.Parallel()
	keys := rfcKeys(t)
	for _, test := range []struct {
		keyID, tag string
		components []string
		input, sum string
	}{
		{
			"test-key-rsa-pss", "header-example", []string{"@authority", "content-digest", `@query-param;name="Pet"`},
			`sig-b22=("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"`,
			"sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:",
		},
		{
			"test-key-rsa-pss", "", []string{"date", "@method", "@path", "@query", "@authority", "content-type", "content-digest", "content-length"},
			`sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"`,
			"sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
		},
		{
			"test-shared-secret", "", []string{"date", "@authority", "content-type"},
			`sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`,
			"sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
		},
		{
			"test-key-ed25519", "", []string{"date", "@method", "@path", "@authority", "content-type", "content-length"},
			`sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			"sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
		},
	} {
		label, _, _ := strings.Cut(test.input, "=")
		s := MessageSignature{Keys: []MessageKey{keys[test.keyID]}, Components: test.components, Tag: test.tag}
		v, err := s.Verify(rfcSigned(t, test.input, test.sum), []byte(rfcBody), rfcNow)
		assert.NoError(t, err, label)
		assert.Equal(t, v, Verified{KeyID: test.keyID, Time: rfcNow})

		if keys[test.keyID].sign == nil {
			continue
		}
		s.Label = label
		r := rfcRead(t, rfcRequest)
		assert.NoError(t, s.Sign(r, rfcNow), label)
		assert.Equal(t, r.Header.Get("Signature-Input"), test.input)
		assert.Equal(t, r.Header.Get("Signature"), test.sum)
	}
}

func TestRFC9421B24Response(t *testing.T) {
	t.Parallel()
	head, body, _ := strings.Cut(rfcResponse, "\n\n")
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+body)), nil)
	assert.NoError(t, err)
	resp.Header.Set("Signature-Input", `sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"`)
	resp.Header.Set("Signature", "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:")
	s := MessageSignature{Keys: []MessageKey{rfcKeys(t)["test-key-ecc-p256"]}}
	v, err := s.VerifyResponse(resp, []byte(body), rfcNow)
	assert.NoError(t, err)
	assert.Equal(t, v.KeyID, "test-key-ecc-p256")

	_, err = s.VerifyResponse(resp, []byte("{}"), rfcNow)
	assert.Contains(t, err.Error(), "sha-512 is not that of the body")
	resp.Header.Set("Signature-Input", `sig-b24=("content-type" "content-digest");created=1618884473;keyid="test-key-ecc-p256"`)
	_, err = s.VerifyResponse(resp, []byte(body), rfcNow)
	assert.Contains(t, err.Error(), `does not cover "@status"`)
	resp.Header.Set("Signature-Input", `sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"`)
	resp.StatusCode = 201
	_, err = s.VerifyResponse(resp, []byte(body), rfcNow)
	assert.ErrorIs(t, err, ErrSignature)
}

// TestRFC9421B4 holds which transformations on the way a signature outlives.
func TestRFC9421B4(t *testing.T) {
	t.Parallel()
	s := MessageSignature{Keys: []MessageKey{rfcKeys(t)["test-key-ed25519"]}, Components: []string{"@method", "@path", "@authority", "accept"}, Label: "transform"}
	for _, test := range []struct {
		message string
		good    bool
	}{
		{"GET /demo?name1=Value1&Name2=value2 HTTP/1.1\nHost: example.org\nDate: Fri, 15 Jul 2022 14:24:55 GMT\nAccept: application/json\nAccept: */*", true},
		{"GET /demo?name1=Value1&Name2=value2&param=added HTTP/1.1\nHost: example.org\nAccept: application/json\nAccept: */*\nAccept-Language: en-US,en;q=0.5", true},
		{"GET /demo?name1=Value1&Name2=value2 HTTP/1.1\nHost: example.org\nReferer: https://developer.example.org/demo\nAccept: application/json, */*", true},
		{"GET /demo?name1=Value1&Name2=value2 HTTP/1.1\nAccept: application/json\nAccept: */*\nHost: example.org", true},
		{"POST /demo?name1=Value1&Name2=value2 HTTP/1.1\nHost: example.com\nAccept: application/json\nAccept: */*", false},
		{"GET /demo?name1=Value1&Name2=value2 HTTP/1.1\nHost: example.org\nAccept: */*\nAccept: application/json", false},
	} {
		r := rfcRead(t, test.message+"\n\n")
		r.Header.Set("Signature-Input", `transform=("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519"`)
		r.Header.Set("Signature", "transform=:ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==:")
		_, err := s.Verify(r, nil, rfcNow)
		assert.Equal(t, err == nil, test.good, test.message, err)
	}
}

// TestRFC9421Components holds the examples of section 2.
func TestRFC9421Components(t *testing.T) {
	t.Parallel()
	fields := http.Header{
		"Example-Dict":   {"  a=1,    b=2;x=1;y=2,   c=(a   b   c), d"},
		"Example-Header": {"value, with, lots", "of, commas"},
		"X-Empty-Header": {""},
		"X-Ows-Header":   {"  Leading and trailing whitespace.  "},
		"Cache-Control":  {"max-age=60", "   must-revalidate"},
	}
	for _, test := range []struct{ target, component, want string }{
		{"/", "cache-control", "max-age=60, must-revalidate"},
		{"/", "x-empty-header", ""},
		{"/", "x-ows-header", "Leading and trailing whitespace."},
		{"/", "example-dict;sf", "a=1, b=2;x=1;y=2, c=(a b c), d"},
		{"/", `example-dict;key="a"`, "1"},
		{"/", `example-dict;key="b"`, "2;x=1;y=2"},
		{"/", `example-dict;key="c"`, "(a b c)"},
		{"/", `example-dict;key="d"`, "?1"},
		{"/", "example-header", "value, with, lots, of, commas"},
		{"/", "example-header;bs", ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"},
		{"/", "host", "WWW.example.com:443"},
		{"/path?param=value", "@method", "GET"},
		{"/path?param=value", "@target-uri", "https://www.example.com/path?param=value"},
		{"/", "@authority", "www.example.com"},
		{"/", "@scheme", "https"},
		{"/path?param=value", "@request-target", "/path?param=value"},
		{"", "@path", "/"},
		{"/a%20b/%7e?x", "@path", "/a%20b/%7e"},
		{"/path?param=value&foo=bar&baz=bat%2Dman", "@query", "?param=value&foo=bar&baz=bat%2Dman"},
		{"/path", "@query", "?"},
		{"/path?param=value&foo=bar&baz=batman&qux=", `@query-param;name="baz"`, "batman"},
		{"/path?param=value&foo=bar&baz=batman&qux=", `@query-param;name="qux"`, ""},
		{"/path?a=1&&=v&", `@query-param;name=""`, "v"},
		{"/p?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something", `@query-param;name="var"`, "this%20is%20a%20big%0Amultiline%20value"},
		{"/p?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something", `@query-param;name="bar"`, "with%20plus%20whitespace"},
		{"/p?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something", `@query-param;name="fa%C3%A7ade%22%3A%20"`, "something"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "", "https://WWW.example.com:443"+test.target, nil)
		assert.NoError(t, err)
		r.Header = fields
		c, err := parseComponent(test.component)
		assert.NoError(t, err, test.component)
		got, err := c.value(message{request: r})
		assert.NoError(t, err, test.component)
		assert.Equal(t, got, test.want, test.component)
	}
}

func TestRequestTargetAsReceived(t *testing.T) {
	t.Parallel()
	c, err := parseComponent("@request-target")
	assert.NoError(t, err)
	for _, target := range []string{"/path?param=value", "https://www.example.com/path?param=value", "*"} {
		got, err := c.value(message{request: rfcRead(t, "OPTIONS "+target+" HTTP/1.1\nHost: www.example.com\n\n")})
		assert.NoError(t, err)
		assert.Equal(t, got, target)
	}
}

// A length that is not known yet, or not sent, cannot be signed.
func TestContentLengthMustBeKnown(t *testing.T) {
	t.Parallel()
	c, err := parseComponent("content-length")
	assert.NoError(t, err)
	r := &http.Request{ContentLength: 7}
	got, err := c.value(message{request: r})
	assert.NoError(t, err)
	assert.Equal(t, got, "7")
	for _, length := range []int64{0, -1} {
		r.ContentLength = length
		_, err := c.value(message{request: r})
		assert.Contains(t, err.Error(), "not in the message")
	}
	got, err = c.value(message{response: &http.Response{}})
	assert.NoError(t, err)
	assert.Equal(t, got, "0")
	_, err = c.value(message{response: &http.Response{ContentLength: -1}})
	assert.Contains(t, err.Error(), "not in the message")
}
