package signature

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// parseFieldItem reads what stands alone, which no header of a signature does.
func parseFieldItem(s string) (fieldItem, error) {
	p := &fieldParser{s: strings.Trim(s, " ")}
	it, err := p.item()
	if err == nil && !p.done() {
		err = p.unexpected()
	}
	return it, err
}

func TestFieldItems(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, want string
		value      any
	}{
		{"42", "42", int64(42)},
		{" -999999999999999 ", "-999999999999999", int64(-999999999999999)},
		{"007", "7", int64(7)},
		{"4.50", "4.5", decimal(4500)},
		{"-0.5", "-0.5", decimal(-500)},
		{"12.0", "12.0", decimal(12000)},
		{"999999999999.999", "999999999999.999", decimal(999999999999999)},
		{`"a \"b\" \\"`, `"a \"b\" \\"`, `a "b" \`},
		{`""`, `""`, ""},
		{"*foo/bar:baz", "*foo/bar:baz", token("*foo/bar:baz")},
		{"text/html", "text/html", token("text/html")},
		{":aGVsbG8=:", ":aGVsbG8=:", []byte("hello")},
		{"::", "::", []byte{}},
		{"?1", "?1", true},
		{"?0", "?0", false},
		{"@1659578233", "@1659578233", date(1659578233)},
		{"@-1", "@-1", date(-1)},
		{`%"f%c3%bc %25 %22"`, `%"f%c3%bc %25 %22"`, display("fü % \"")},
		{"a;b;c=1;d=?0; e=\"x\"", `a;b;c=1;d=?0;e="x"`, token("a")},
	} {
		it, err := parseFieldItem(test.text)
		assert.NoError(t, err, test.text)
		assert.Equal(t, it.value, test.value, test.text)
		assert.Equal(t, it.String(), test.want)
	}
	for _, text := range []string{
		"", "-", "1.", ".5", "1.2345", "1234567890123456", "1234567890123.0", "1 2", "--1", "1e3",
		`"a`, `"a\`, `"a\b"`, "\"a\tb\"", `"é"`, ":a:", ":aGVsbG8", ":aGVs bG8=:", ":aGVsbG9=:", "?", "?2", "?t",
		"@", "@1.5", `%"%C3%BC"`, `%"%C3%a9"`, `%"%c3"`, `%"a`, `%a`, `%"%c`, "é", "(a)", "a;", "a;B", "a;b=", "a;b;b", "!",
	} {
		if it, err := parseFieldItem(text); err == nil {
			t.Errorf("%q was read as %v", text, it)
		}
	}
}

func TestFieldDictionaries(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"a=1,\tb=2;x=1 ,c=(a   b);q": "a=1, b=2;x=1, c=(a b);q",
		"a, b;c, d=?1, e=?0, f=()":   "a, b;c, d, e=?0, f=()",
		`*a.b-c_1=( "x";y ?0 )`:      `*a.b-c_1=("x";y ?0)`,
	} {
		dict, err := parseFieldDictionary(text)
		assert.NoError(t, err, text)
		assert.Equal(t, writeList(dict), want)
	}
	for _, text := range []string{"a,", ",a", "a b", "A=1", "1=1", "a=", "a=(", "a=(b", "a=(b,c)", "a=(b)c", "a=((b))", "a=(b\tc)", `a=("b""c")`, "a=(b(c))"} {
		if dict, err := parseFieldDictionary(text); err == nil {
			t.Errorf("%q was read as %v", text, dict)
		}
	}
	_, err := parseFieldDictionary("a=1, a=2")
	assert.ErrorIs(t, err, errTwice)

	list, err := parseFieldList("a,  (b c);d,\"e\"")
	assert.NoError(t, err)
	assert.Equal(t, writeList(list), `a, (b c);d, "e"`)
}

// What is read is written so that it is read the same, and written the same again.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		`sig1=("@method" "content-digest";req "@query-param";name="Pet");created=1618884473;keyid="a\"b", x=:AAAA:`,
		"a=1, b=2.50;x=?0, c=(a   b), d", `%"f%c3%bc", @1, *t/x:y`, "a;b;b", "-0", "-0.0", "::", "((", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dict, err := parseFieldDictionary(text)
		if err == nil {
			again, err := parseFieldDictionary(writeList(dict))
			if err != nil || !reflect.DeepEqual(again, dict) {
				t.Fatalf("%q: %v became %v, %v", text, dict, again, err)
			}
		}
		list, err := parseFieldList(text)
		if err == nil {
			again, err := parseFieldList(writeList(list))
			if err != nil || !reflect.DeepEqual(again, list) {
				t.Fatalf("%q: %v became %v, %v", text, list, again, err)
			}
		}
		if it, err := parseFieldItem(text); err == nil && strings.TrimSpace(it.String()) == "" {
			t.Fatalf("%q was read as nothing", text)
		}
	})
}

// Whatever its headers say, a message that was not signed is refused as such.
func FuzzVerify(f *testing.F) {
	f.Add("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330", "msg_1", `sig1=("@method");created=1614265330;keyid="k"`, "sig1=:AAAA:")
	f.Add("t=1614265330,v1=00,v1=", "t", "a.b", `sig1=("x";key="a" "@query-param";name="a");created=1;keyid="k"`, "sig1=1")
	f.Add("sha256=", "-1", "", `sig1=("content-digest" "@query" "@path" "@authority" "@method");created=1614265330;keyid="k"`, "sig1=:AAAA:")
	f.Fuzz(func(t *testing.T, sig, stamp, id, input, sum string) {
		r := awsRequestFor(t, "POST", "https://api.acme.example/v1?a=%zz&a=1", "{}")
		for name, value := range map[string]string{
			"Webhook-Signature": sig, "Webhook-Timestamp": stamp, "Webhook-Id": id, "Stripe-Signature": sig, "X-Hub-Signature-256": sig,
			"X-Slack-Signature": sig, "X-Slack-Request-Timestamp": stamp, "X-Signature": sig, "X-Signature-Timestamp": stamp, "X-Signature-Nonce": id,
			"Signature-Input": input, "Signature": sum, "Content-Digest": sum, "X": sig,
		} {
			r.Header.Set(name, value)
		}
		key := StaticKey("c2VjcmV0IG9mIHRoZSBmdXp6ZXI=")
		for _, v := range []Verifier{
			StandardWebhooks(key), Stripe(key), GitHub(key), Slack(key), SignedRequest(key),
			MessageSignature{Keys: []MessageKey{SharedKey("k", key)}, Components: []string{"@method"}},
		} {
			if _, err := v.Verify(r, []byte("{}"), rfcNow); !errors.Is(err, ErrSignature) {
				t.Fatalf("%T: got %v, want ErrSignature", v, err)
			}
		}
	})
}

// The path that is sent means what the caller's did, and signing it again changes nothing.
func FuzzAWSPath(f *testing.F) {
	for _, seed := range []string{"/", "", "/a b", "/%2F/..//.", "/%zz", "/\u1234", "a//b/"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, path string, s3 bool) {
		sent, signed, err := awsPath(path, s3)
		if err != nil {
			return
		}
		again, signedAgain, err := awsPath(sent, s3)
		if err != nil || again != sent || signedAgain != signed {
			t.Fatalf("%q: %q became %q, %v", path, sent, again, err)
		}
		if !s3 && strings.Contains(signed, "//") {
			t.Fatalf("%q: signed as %q", path, signed)
		}
	})
}
