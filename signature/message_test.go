package signature_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func ecdsaKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func edKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

// received is what a server gets of r.
func received(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	got := httptest.NewRequestWithContext(t.Context(), r.Method, r.URL.RequestURI(), nil)
	got.Host, got.Header = r.URL.Host, r.Header.Clone()
	return got
}

func TestMessageSignatureWithEachAlgorithm(t *testing.T) {
	t.Parallel()
	p256, p384 := ecdsaKey(elliptic.P256()), ecdsaKey(elliptic.P384())
	for _, pair := range [][2]signature.MessageKey{
		{signature.SharedKey("k", signature.StaticKey("secret")), signature.SharedKey("k", signature.StaticKey("secret"))},
		{signature.PrivateKey("k", signature.Ed25519, edKey()), signature.PublicKey("k", signature.Ed25519, edKey().Public())},
		{signature.PrivateKey("k", signature.ECDSAP256SHA256, p256), signature.PublicKey("k", signature.ECDSAP256SHA256, p256.Public())},
		{signature.PrivateKey("k", signature.ECDSAP384SHA384, p384), signature.PublicKey("k", signature.ECDSAP384SHA384, p384.Public())},
		{signature.PrivateKey("k", signature.RSAPSSSHA512, rsaKey()), signature.PublicKey("k", signature.RSAPSSSHA512, rsaKey().Public())},
		{signature.PrivateKey("k", signature.RSAv15SHA256, rsaKey()), signature.PublicKey("k", signature.RSAv15SHA256, rsaKey().Public())},
	} {
		signer := signature.MessageSignature{Keys: pair[:1], NameAlgorithm: true, Nonce: true, Lifetime: time.Minute, Tag: "acme"}
		verifier := signature.MessageSignature{Keys: pair[1:], Tag: "acme", Nonce: true}
		r := post("{}")
		assert.NoError(t, signer.Sign(r, at))
		got := received(t, r)
		v, err := verifier.Verify(got, []byte("{}"), at)
		assert.NoError(t, err)
		assert.True(t, v.ID != "" && v.KeyID == "k" && v.Time.Equal(at))

		got.URL.Path = "/v1/refunds"
		_, err = verifier.Verify(got, []byte("{}"), at)
		assert.ErrorIs(t, err, signature.ErrSignature)
		assert.Contains(t, err.Error(), "does not match")
	}
}

func TestMessageSignatureHeaders(t *testing.T) {
	t.Parallel()
	s := signature.MessageSignature{Keys: []signature.MessageKey{signature.PrivateKey("k1", signature.Ed25519, edKey())}, Lifetime: time.Minute, Tag: `a"b`, NameAlgorithm: true, Digest: crypto.SHA512}
	r := post("{}", "Signature-Input", "other=()", "Signature", "other=:AAAA:")
	assert.NoError(t, s.Sign(r, at))
	assert.Equal(t, r.Header.Values("Signature-Input"), []string{"other=()", `sig1=("@method" "@authority" "@path" "@query" "content-digest");created=1700000000;expires=1700000060;keyid="k1";alg="ed25519";tag="a\"b"`})
	assert.Equal(t, len(r.Header.Values("Signature")), 2)
	assert.Contains(t, r.Header.Get("Content-Digest"), "sha-512=:")
	_, err := s.Verify(received(t, r), []byte("{}"), at)
	assert.NoError(t, err)
	assert.Contains(t, s.Sign(r, at).Error(), `the label "sig1"`)

	left, err := io.ReadAll(r.Body)
	assert.NoError(t, err)
	assert.Equal(t, string(left), "{}")

	bare := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.acme.example/", nil)
	bare.Header = nil
	assert.NoError(t, signature.MessageSignature{Keys: s.Keys}.Sign(bare, at))
	assert.NotContains(t, bare.Header.Get("Signature-Input"), "content-digest")
}

// TestMessageVerifyFailsClosed changes one thing of a good message each time.
func TestMessageVerifyFailsClosed(t *testing.T) {
	t.Parallel()
	key := signature.SharedKey("k", signature.StaticKey("secret"))
	s := signature.MessageSignature{Keys: []signature.MessageKey{key}}
	input := func(old, with string) func(http.Header) {
		return func(h http.Header) {
			h.Set("Signature-Input", strings.Replace(h.Get("Signature-Input"), old, with, 1))
		}
	}
	for _, test := range []struct {
		name   string
		change func(http.Header)
		want   string
	}{
		{"no input", func(h http.Header) { h.Del("Signature-Input") }, "Signature-Input is missing"},
		{"no signature", func(h http.Header) { h.Del("Signature") }, "Signature is missing"},
		{"malformed input", input("(", "(("), "malformed"},
		{"long input", func(h http.Header) { h.Set("Signature-Input", strings.Repeat("a", 20000)) }, "longer than"},
		{"17 signatures", func(h http.Header) {
			for i := range 16 {
				h.Add("Signature-Input", fmt.Sprintf("x%d=()", i))
			}
		}, "more than 16"},
		{"same label twice", func(h http.Header) { h.Add("Signature-Input", h.Get("Signature-Input")) }, `twice: "sig1"`},
		{"same signature twice", func(h http.Header) { h.Add("Signature", h.Get("Signature")) }, `twice: "sig1"`},
		{"other label", func(h http.Header) { h.Set("Signature", "sig2=:AAAA:") }, "has no bytes of that label"},
		{"not bytes", func(h http.Header) { h.Set("Signature", `sig1="AAAA"`) }, "has no bytes of that label"},
		{"no bytes", func(h http.Header) { h.Set("Signature", "sig1=::") }, "has no bytes of that label"},
		{"not a list", func(h http.Header) { h.Set("Signature-Input", "sig1=1") }, "has no list of components"},
		{"component not a string", input(`"@method"`, "method"), "not a string in lower case"},
		{"component in upper case", input(`"@method"`, `"@Method"`), "not a string in lower case"},
		{"unknown component", input(`"@method"`, `"@verb"`), `"@verb" is not known`},
		{"component twice", input(`"@method"`, `"@method" "@method"`), "there twice"},
		{"component twice, parameters turned", input(`"@method"`, `"@method" "x";key="a";sf "x";sf;key="a"`), "there twice"},
		{"tr", input(`"@method"`, `"@method" "expires";tr`), `the parameter "tr", which is not supported`},
		{"unknown component parameter", input(`"@method"`, `"@method";zz`), `the parameter "zz"`},
		{"status of a request", input(`"@method"`, `"@method" "@status"`), "not one of this message"},
		{"req of a request", input(`"@method"`, `"@method" "@path";req`), "for the response"},
		{"absent field", input(`"@method"`, `"@method" "x-absent"`), "not in the message"},
		{"unknown parameter", input(";created", ";zz=1;created"), `"zz" is not known`},
		{"parameter twice", input(";created", ";created=1;created"), `twice: "created"`},
		{"created not a number", input(";created=1700000000", `;created="1700000000"`), `"created" is not known or not of its type`},
		{"created zero", input(";created=1700000000", `;created=0`), `"created"`},
		{"not created", input(";created=1700000000", ""), "when it was created"},
		{"later", input(";created=1700000000", ";created=1700000001"), "does not match"},
		{"no key id", input(`;keyid="k"`, ""), `the key "" is not known`},
		{"other key id", input(`;keyid="k"`, `;keyid="l"`), `the key "l" is not known`},
		{"other algorithm", input(`;keyid`, `;alg="ed25519";keyid`), `says alg "ed25519", but the key is for "hmac-sha256"`},
		{"empty algorithm", input(`;keyid`, `;alg="";keyid`), `"alg"`},
		{"tag", input(`;keyid`, `;tag="x";keyid`), "no signature has the label and tag"},
		{"less covered", input(`"@path" `, ""), `does not cover "@path"`},
		{"body not covered", input(` "content-digest"`, ""), `does not cover "content-digest"`},
		{"order", input(`"@method" "@authority"`, `"@authority" "@method"`), "does not match"},
	} {
		r := post("{}")
		assert.NoError(t, s.Sign(r, at))
		got := received(t, r)
		test.change(got.Header)
		_, err := s.Verify(got, []byte("{}"), at)
		if !errors.Is(err, signature.ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", test.name, err)
			continue
		}
		assert.Contains(t, err.Error(), test.want, test.name)
	}
}

func TestMessageBodyIsChecked(t *testing.T) {
	t.Parallel()
	s := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("k", signature.StaticKey("secret"))}}
	r := post("{}")
	assert.NoError(t, s.Sign(r, at))
	_, err := s.Verify(received(t, r), []byte("[]"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	assert.Contains(t, err.Error(), "sha-256 is not that of the body")
	_, err = s.Verify(received(t, r), nil, at)
	assert.ErrorIs(t, err, signature.ErrSignature)

	// A body appears where none was signed.
	get := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.acme.example/", nil)
	assert.NoError(t, s.Sign(get, at))
	_, err = s.Verify(get, nil, at)
	assert.NoError(t, err)
	_, err = s.Verify(get, []byte("{}"), at)
	assert.Contains(t, err.Error(), `does not cover "content-digest"`)

	for digest, want := range map[string]string{
		"sha-256=:AAAA:": "is not that of the body",
		"sha-256=1":      "is not that of the body",
		"md5=:AAAA:":     "neither sha-256 nor sha-512",
		"sha-256=:AAAA":  "malformed",
		"sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:, sha-512=:AAAA:": "sha-512 is not",
	} {
		r := post("{}", "Content-Digest", digest)
		err := s.Sign(r, at)
		assert.True(t, err != nil, digest)
		assert.Contains(t, err.Error(), want)
	}
	r = post("{}")
	r.GetBody = nil
	assert.Contains(t, s.Sign(r, at).Error(), "set its GetBody")
}

func TestMessageAge(t *testing.T) {
	t.Parallel()
	key := signature.SharedKey("k", signature.StaticKey("secret"))
	for _, test := range []struct {
		s   signature.MessageSignature
		off time.Duration
		ok  bool
	}{
		{signature.MessageSignature{}, 5 * time.Minute, true},
		{signature.MessageSignature{}, 5*time.Minute + 1, false},
		{signature.MessageSignature{}, -5 * time.Minute, true},
		{signature.MessageSignature{}, -5*time.Minute - 1, false},
		{signature.MessageSignature{MaxAge: time.Hour}, time.Hour, true},
		{signature.MessageSignature{MaxAge: time.Hour}, -time.Hour, false},
		{signature.MessageSignature{Tolerance: time.Second}, 2 * time.Second, false},
		{signature.MessageSignature{Tolerance: time.Second}, -2 * time.Second, false},
		{signature.MessageSignature{Lifetime: time.Minute}, time.Minute, true},
		{signature.MessageSignature{Lifetime: time.Minute}, time.Minute + 1, false},
	} {
		test.s.Keys = []signature.MessageKey{key}
		r := post("{}")
		assert.NoError(t, test.s.Sign(r, at))
		v, err := test.s.Verify(received(t, r), []byte("{}"), at.Add(test.off))
		if test.ok {
			assert.NoError(t, err, test.s.MaxAge, test.off)
			continue
		}
		assert.ErrorIs(t, err, signature.ErrExpired, test.off)
		assert.Equal(t, v, signature.Verified{})
	}
}

func TestMessageLookup(t *testing.T) {
	t.Parallel()
	signer := signature.MessageSignature{Keys: []signature.MessageKey{signature.PrivateKey("partner", signature.Ed25519, edKey())}}
	r := post("{}")
	assert.NoError(t, signer.Sign(r, at))
	public := signature.PublicKey("partner", signature.Ed25519, edKey().Public())
	sick := errors.New("directory is down")
	for _, test := range []struct {
		key  signature.MessageKey
		err  error
		want string
	}{
		{public, nil, ""},
		{signature.MessageKey{}, nil, `"partner" is not known`},
		{signature.MessageKey{}, sick, "directory is down"},
		{signature.PublicKey("other", signature.Ed25519, edKey().Public()), nil, `and gave "other"`},
		{signature.PublicKey("partner", signature.RSAPSSSHA512, edKey().Public()), nil, "not a key for"},
	} {
		s := signature.MessageSignature{Lookup: func(_ context.Context, id string) (signature.MessageKey, error) {
			assert.Equal(t, id, "partner")
			return test.key, test.err
		}}
		v, err := s.Verify(received(t, r), []byte("{}"), at)
		if test.want == "" {
			assert.NoError(t, err)
			assert.Equal(t, v.Key, -1)
			continue
		}
		assert.Contains(t, fmt.Sprint(err), test.want)
		assert.Equal(t, errors.Is(err, signature.ErrSignature), test.want == `"partner" is not known`)
		assert.True(t, test.err == nil || errors.Is(err, test.err))
	}
	// Keys of one's own come first.
	v, err := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("a", signature.StaticKey("x")), public}, Lookup: func(context.Context, string) (signature.MessageKey, error) {
		return signature.MessageKey{}, sick
	}}.Verify(received(t, r), []byte("{}"), at)
	assert.NoError(t, err)
	assert.Equal(t, v.Key, 1)
}

// One good signature is enough; another party's may be of any kind.
func TestMessageSeveralSignatures(t *testing.T) {
	t.Parallel()
	ours := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("ours", signature.StaticKey("a"))}, Label: "ours"}
	proxy := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("proxy", signature.StaticKey("b"))}, Label: "proxy", Components: []string{"@method", `signature;key="ours"`}, Tag: "via"}
	r := post("{}", "Signature-Input", `bad=("@verb");zz`, "Signature", "bad=:AAAA:")
	assert.NoError(t, ours.Sign(r, at))
	assert.NoError(t, proxy.Sign(r, at))
	got := received(t, r)
	anyLabel := ours
	anyLabel.Label = ""
	for _, s := range []signature.MessageSignature{ours, proxy, anyLabel} {
		_, err := s.Verify(got, []byte("{}"), at)
		assert.NoError(t, err)
	}
	wrongLabel := ours
	wrongLabel.Label = "proxy"
	_, err := wrongLabel.Verify(got, []byte("{}"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)

	// Of several errors the one that comes closest is told, wherever it stands.
	_, err = anyLabel.Verify(got, []byte("{}"), at.Add(time.Hour))
	assert.ErrorIs(t, err, signature.ErrExpired)
	sick := errors.New("directory is down")
	far := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("far", signature.StaticKey("c"))}, Label: "far"}
	for _, order := range [][]signature.MessageSignature{{far, ours}, {ours, far}} {
		r := post("{}")
		assert.NoError(t, order[0].Sign(r, at))
		assert.NoError(t, order[1].Sign(r, at))
		v := anyLabel
		v.Lookup = func(context.Context, string) (signature.MessageKey, error) { return signature.MessageKey{}, sick }
		_, err = v.Verify(received(t, r), []byte("{}"), at)
		assert.NoError(t, err, "one good signature is enough")
		_, err = v.Verify(received(t, r), []byte("{}"), at.Add(time.Hour))
		assert.ErrorIs(t, err, sick)
	}

	anyLabel.Keys = proxy.Keys
	_, err = anyLabel.Verify(got, []byte("{}"), at)
	assert.Contains(t, err.Error(), `ours: the key "ours" is not known`)
	anyLabel.Keys, anyLabel.Nonce = ours.Keys, true
	_, err = anyLabel.Verify(got, []byte("{}"), at)
	assert.Contains(t, err.Error(), "it has no nonce")
}

func TestResponseIsTiedToItsRequest(t *testing.T) {
	t.Parallel()
	key := signature.SharedKey("k", signature.StaticKey("secret"))
	s := signature.MessageSignature{Keys: []signature.MessageKey{key}, Components: []string{"@status", "@method;req", "@path;req", `signature;req;key="sig1"`, "content-digest;req"}}
	request := post("{}")
	request.URL.Path, request.URL.RawPath = `/v1/"orders"`, `/v1/"orders"` // which net/http does not send so
	assert.NoError(t, signature.MessageSignature{Keys: s.Keys}.Sign(request, at))
	mark, _ := strings.CutPrefix(request.Header.Get("Signature"), "sig1=")
	input := `("@status" "@method";req "@path";req "signature";req;key="sig1" "content-digest";req);created=1700000000;keyid="k"`
	base := "\"@status\": 200\n\"@method\";req: POST\n\"@path\";req: /v1/%22orders%22\n\"signature\";req;key=\"sig1\": " + mark + "\n\"content-digest\";req: " + request.Header.Get("Content-Digest") + "\n\"@signature-params\": " + input
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Request: request, ContentLength: -1}
	resp.Header.Set("Signature-Input", "r="+input)
	resp.Header.Set("Signature", "r=:"+base64HMAC("secret", base)+":")
	_, err := s.VerifyResponse(resp, nil, at)
	assert.NoError(t, err)

	other := post("{}")
	assert.NoError(t, signature.MessageSignature{Keys: s.Keys}.Sign(other, at.Add(1e9)))
	resp.Request = other
	_, err = s.VerifyResponse(resp, nil, at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	resp.Request = &http.Request{}
	_, err = s.VerifyResponse(resp, nil, at)
	assert.Contains(t, err.Error(), "no URL")
	resp.Request = nil
	_, err = s.VerifyResponse(resp, nil, at)
	assert.Contains(t, err.Error(), "at hand")
}

func TestMessageSettingsAreChecked(t *testing.T) {
	t.Parallel()
	key := signature.SharedKey("k", signature.StaticKey("secret"))
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	assert.NoError(t, err)
	var noKey *ecdsa.PublicKey
	for want, s := range map[string]signature.MessageSignature{
		"neither Keys nor Lookup":                  {},
		`two keys have the id`:                     {Keys: []signature.MessageKey{key, key}},
		"has no id":                                {Keys: []signature.MessageKey{signature.SharedKey("", signature.StaticKey("x"))}},
		"MessageKey is empty":                      {Keys: []signature.MessageKey{{}}},
		"is nil or no private key":                 {Keys: []signature.MessageKey{signature.PrivateKey("k", signature.Ed25519, nil)}},
		"1024 bits is too small":                   {Keys: []signature.MessageKey{signature.PrivateKey("k", signature.RSAPSSSHA512, small)}},
		"ed25519.PublicKey is not a key for \"rsa": {Keys: []signature.MessageKey{signature.PrivateKey("k", signature.RSAPSSSHA512, edKey())}},
		"*ecdsa.PublicKey is not":                  {Keys: []signature.MessageKey{signature.PublicKey("k", signature.ECDSAP256SHA256, noKey)}},
		`not a key for "ecdsa-p256`:                {Keys: []signature.MessageKey{signature.PrivateKey("k", signature.ECDSAP256SHA256, ecdsaKey(elliptic.P384()))}},
		`not a key for "ecdsa-p384`:                {Keys: []signature.MessageKey{signature.PrivateKey("k", signature.ECDSAP384SHA384, ecdsaKey(elliptic.P256()))}},
		`*rsa.PublicKey is not`:                    {Keys: []signature.MessageKey{signature.PrivateKey("k", signature.Ed25519, rsaKey())}},
		`string is not`:                            {Keys: []signature.MessageKey{signature.PublicKey("k", "hmac-sha256", "secret")}},
		"Label":                                    {Keys: []signature.MessageKey{key}, Label: "Sig 1"},
		"Digest is":                                {Keys: []signature.MessageKey{key}, Digest: crypto.MD5},
		"is negative":                              {Keys: []signature.MessageKey{key}, Lifetime: -1},
		"whole seconds":                            {Keys: []signature.MessageKey{key}, Lifetime: 1},
		"Tag may hold":                             {Keys: []signature.MessageKey{key}, Tag: "é"},
		`"@verb" is not known`:                     {Keys: []signature.MessageKey{key}, Components: []string{"@verb"}},
		`"@signature-params" is not known`:         {Keys: []signature.MessageKey{key}, Components: []string{"@signature-params"}},
		`"bad name" is not known`:                  {Keys: []signature.MessageKey{key}, Components: []string{"bad name"}},
		"is there twice":                           {Keys: []signature.MessageKey{key}, Components: []string{"date", "Date"}},
		"needs ;name":                              {Keys: []signature.MessageKey{key}, Components: []string{"@query-param"}},
		"needs ;key":                               {Keys: []signature.MessageKey{key}, Components: []string{"signature"}},
		"bs together with":                         {Keys: []signature.MessageKey{key}, Components: []string{"x;bs;sf"}},
		`the parameter "tr"`:                       {Keys: []signature.MessageKey{key}, Components: []string{"x;tr"}},
		`the parameter "sf"`:                       {Keys: []signature.MessageKey{key}, Components: []string{"@path;sf"}},
		`the parameter "req"`:                      {Keys: []signature.MessageKey{key}, Components: []string{"@status;req"}},
		`the component "x";sf=1 has`:               {Keys: []signature.MessageKey{key}, Components: []string{"x;sf=1"}},
		`the component "@path";key="a" has`:        {Keys: []signature.MessageKey{key}, Components: []string{`@path;key="a"`}},
		`the parameter "name"`:                     {Keys: []signature.MessageKey{key}, Components: []string{`x;name="a"`}},
		`the parameter "key"`:                      {Keys: []signature.MessageKey{key}, Components: []string{"x;key=1"}},
		"the parameters of the component":          {Keys: []signature.MessageKey{key}, Components: []string{`x;key="`}},
	} {
		err := s.Check()
		if err == nil {
			t.Errorf("want an error with %q", want)
			continue
		}
		assert.Contains(t, err.Error(), want)
		assert.Equal(t, s.Sign(post("{}"), at).Error(), err.Error())
		_, verr := s.Verify(post("{}"), nil, at)
		assert.Equal(t, verr.Error(), err.Error())
	}
	public := signature.MessageSignature{Keys: []signature.MessageKey{signature.PublicKey("k", signature.Ed25519, edKey().Public())}}
	assert.Contains(t, public.Sign(post("{}"), at).Error(), "no key to sign with")
	assert.Contains(t, signature.MessageSignature{Keys: []signature.MessageKey{key}, Components: []string{"x-absent"}}.Sign(post("{}"), at).Error(), "not in the message")
	assert.Contains(t, signature.MessageSignature{Keys: []signature.MessageKey{key}}.Sign(post("{}", "Signature", "=="), at).Error(), "malformed")
	empty := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("k", signature.StaticKey(""))}}
	assert.Contains(t, empty.Sign(post("{}"), at).Error(), `the key "k" is empty`)
}

// A value with a line break in it would forge lines of what is signed.
func TestComponentsCannotForgeLines(t *testing.T) {
	t.Parallel()
	key := signature.SharedKey("k", signature.StaticKey("secret"))
	for _, value := range []string{"a\n\"@method\": GET", "a\rb", "caf\u00e9", "a\x00b"} {
		s := signature.MessageSignature{Keys: []signature.MessageKey{key}, Components: []string{"x-a"}}
		r := post("{}")
		r.Header["X-A"] = []string{value}
		assert.Contains(t, s.Sign(r, at).Error(), "not visible ASCII: a field can be signed with ;bs")
		s.Components = []string{"x-a;bs"}
		assert.NoError(t, s.Sign(r, at))
	}
	r := post("{}")
	r.URL.RawQuery = "a=1&a=2"
	s := signature.MessageSignature{Keys: []signature.MessageKey{key}, Components: []string{`@query-param;name="a"`}}
	assert.Contains(t, s.Sign(r, at).Error(), "there 2 times")
}

// failing is a crypto.Signer, such as a KMS's client.
type failing struct {
	crypto.Signer
	sum []byte
	err error
}

func (f failing) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return f.sum, f.err }

func TestForeignSignersAreChecked(t *testing.T) {
	t.Parallel()
	for _, f := range []failing{{err: errors.New("KMS is away")}, {sum: []byte("malformed")}, {sum: []byte{0x30, 6, 2, 1, 0, 2, 1, 1}}, {sum: []byte{0x30, 6, 2, 1, 1, 2, 1, 0}}} {
		f.Signer = ecdsaKey(elliptic.P256())
		s := signature.MessageSignature{Keys: []signature.MessageKey{signature.PrivateKey("k", signature.ECDSAP256SHA256, f)}}
		err := s.Sign(post("{}"), at)
		assert.True(t, err != nil && (strings.Contains(err.Error(), "KMS is away") || strings.Contains(err.Error(), "malformed")), err)
	}
}

func TestMessageKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	private := edKey()
	s := signature.MessageSignature{Keys: []signature.MessageKey{signature.PrivateKey("k", signature.Ed25519, private), signature.SharedKey("l", signature.StaticKey("hush"))}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb, s)
		assert.NotContains(t, text, "hush")
		assert.NotContains(t, text, fmt.Sprintf("%x", private[:8]))
		assert.NotContains(t, text, "0 0 0 0 0")
	}
}
