package redact

import (
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	jsonType = "application/json; charset=utf-8"
	formType = "application/x-www-form-urlencoded"
)

func TestBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, media, in string
		extra           []string
		want            string
	}{
		{"empty", jsonType, "", nil, ""},
		{
			"keys, structure, booleans and null stay", jsonType,
			`{"id": "ch_1", "name": "Bob", "paid": true, "x": null, "n": 4.5, "amount": 1200, "list": ["a", 1, {"currency": "eur"}]}`, nil,
			`{"id":"ch_1","name":"[redacted]","paid":true,"x":null,"n":"[redacted]","amount":1200,` +
				`"list":["[redacted]","[redacted]",{"currency":"eur"}]}`,
		},
		{"lists inherit the key", jsonType, `{"id":["a","b"],"data":[[1]]}`, nil, `{"id":["a","b"],"data":[["[redacted]"]]}`},
		{"top-level values", jsonType, `"secret"`, nil, `"[redacted]"`},
		{"top-level list", jsonType, `[1,true,{}]`, nil, `["[redacted]",true,{}]`},
		{"extra, any case", jsonType, `{"Name":"Bob","n":1}`, []string{"NAME", "n"}, `{"Name":"Bob","n":1}`},
		{
			"below a secret name all is hidden", jsonType,
			`{"card":{"id":"card_1","number":4242424242424242,"checks":{"status":"ok"}},"status":"ok"}`, []string{"number"},
			`{"card":{"id":"[redacted]","number":"[redacted]","checks":{"status":"[redacted]"}},"status":"ok"}`,
		},
		{"extra may name what smells", jsonType, `{"order_number":7}`, []string{"order_number"}, `{"order_number":7}`},
		{"allowed values are scrubbed", jsonType, `{"id":"` + stripeKey + `","amount":` + visa + `,"type":"a\nb"}`, nil, `{"id":"[redacted]","amount":"[redacted]","type":"a\nb"}`},
		{"keys may be data", jsonType, `{"bob@example.com":1,"` + stripeKey + `":{"id":"x"},"2024":1}`, nil, `{"[redacted]":"[redacted]","[redacted]":{"id":"x"},"[redacted]":"[redacted]"}`},
		{
			"an error explains itself", jsonType,
			`{"error":{"code":"card_declined","message":"Your card was declined. token=abc","param":"x"},"message":"hi Bob"}`, nil,
			`{"error":{"code":"card_declined","message":"Your card was declined. token=[redacted]","param":"x"},"message":"[redacted]"}`,
		},
		{"OAuth error", jsonType, `{"error":"invalid_grant","error_description":"expired"}`, nil, `{"error":"invalid_grant","error_description":"expired"}`},
		{
			"GraphQL error", "application/graphql-response+json",
			`{"errors":[{"message":"no","path":["a",0],"extensions":{"code":"RATE_LIMITED"}}],"data":{"me":{"email":"b@x"}}}`, nil,
			`{"errors":[{"message":"no","path":["a",0],"extensions":{"code":"RATE_LIMITED"}}],"data":{"me":{"email":"[redacted]"}}}`,
		},
		{"problem details", "application/problem+json", `{"title":"No","detail":"why","status":403,"who":"Bob"}`, nil, `{"title":"No","detail":"why","status":403,"who":"[redacted]"}`},
		{"one-time code", jsonType, `{"code":"123456"}`, nil, `{"code":"[redacted]"}`},
		{"one-time code as a number", jsonType, `{"code":123456}`, nil, `{"code":"[redacted]"}`},
		{"numeric error code", jsonType, `{"code":20003}`, nil, `{"code":20003}`},
		{"duplicate keys", jsonType, `{"id":"a","id":"b"}`, nil, `{"id":"a","id":"b"}`},
		{"broken UTF-8", jsonType, "{\"id\":\"a\xffb\"}", nil, `{"id":"a` + "\ufffd" + `b"}`},

		{"truncated", jsonType, `{"id":"a","password":"hunter2`, nil, "<29 bytes of malformed application/json>"},
		{"trailing", jsonType, `{} {}`, nil, "<5 bytes of malformed application/json>"},
		{"too deep", jsonType, strings.Repeat("[", 20000), nil, "<20000 bytes of malformed application/json>"},

		{
			"form", formType, "amount=1200&card[number]=4242&metadata[order_id]=7&items[0][quantity]=2&source=tok&type=", []string{"order_id"},
			"amount=1200&card[number]=[redacted]&metadata[order_id]=7&items[0][quantity]=2&source=[redacted]&type=",
		},
		{"form below a secret name", formType, "card[id]=1&token[0][status]=2", nil, "card[id]=[redacted]&token[0][status]=[redacted]"},
		{"OAuth form", formType, "grant_type=authorization_code&code=invalid_grant&client_secret=s", nil, "grant_type=authorization_code&code=[redacted]&client_secret=[redacted]"},
		{"form that is none", formType, "just-a-secret", nil, "[redacted]"},
		{"form, allowed value scrubbed and escaped", formType, "id=" + stripeKey + "&type=a%26b", nil, "id=[redacted]&type=a%26b"},
		{"form with bad escapes", formType, "a=%zz", nil, "<5 bytes of malformed application/x-www-form-urlencoded>"},

		{"other", "image/png", "1234", nil, "<4 bytes of image/png>"},
		{"text", "text/plain", "secret", nil, "<6 bytes of text/plain>"},
		{"no type", "", "{}", nil, "<2 bytes of unknown type>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Body(tt.media, []byte(tt.in), 0, tt.extra...); got != tt.want {
				t.Errorf("\n  in %s\n got %s\nwant %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestBodyGraphQL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ query, want string }{
		{"{ me { id } }", "{ me { id } }"},
		{
			"query Q($t: String!, $ids: [ID!] = [\"a\"]) { user(token: $t, name: \"Bob\\\"s\", first: 10, cvc: 123) @x { id } }",
			`query Q($t: String!, $ids: [ID!] = ["[redacted]"]) { user(token: $t, name: "[redacted]", first: 10, cvc: "[redacted]") @x { id } }`,
		},
		{"mutation {\n  a(s: \"\"\"block \"quoted\" \\\"\"\" text\"\"\") # comment\n  b }", `mutation { a(s: "[redacted]")  b }`},
		{"{ a(token: abc, keys: [abc, def], in: [{x: ONE, secret: xyz}]) { b } }", `{ a(token: "[redacted]", keys: ["[redacted]", "[redacted]"], in: [{x: ONE, secret: "[redacted]"}]) { b } }`},
		{"query ($token: String!) { a(token: $token) }", "query ($token: String!) { a(token: $token) }"},
		{"{ a(id: " + stripeKey + ") }", "{ a(id: [redacted]) }"},
		{"search for bob", Mask},
		{"query about bob", Mask},
		{"{ unbalanced", Mask},
		{"{ a } }", Mask},
		{`{ a(b: "no end) }`, Mask},
		{"{ bob@example.com; }", Mask},
		{"\"x\" { a }", Mask},
	} {
		in, err := json.Marshal(map[string]any{"query": tt.query, "variables": map[string]any{"id": "1", "name": "Bob"}})
		if err != nil {
			t.Fatal(err)
		}
		// strconv.Quote, not JSON: the two differ in < > & only.
		quoted := strings.ReplaceAll(tt.want, `"`, `\"`)
		want := `{"query":"` + quoted + `","variables":{"id":"1","name":"[redacted]"}}`
		if got := Body(jsonType, in, 0); got != want {
			t.Errorf("%s\n got %s\nwant %s", tt.query, got, want)
		}
		if got := Body(jsonType, []byte("["+string(in)+"]"), 0); got != "["+want+"]" {
			t.Errorf("in a batch: %s", got)
		}
	}
	if got := Body(jsonType, []byte(`{"data":{"query":"{ a }"}}`), 0); got != `{"data":{"query":"[redacted]"}}` {
		t.Errorf("not at the top: %s", got)
	}
}

func TestErrorCode(t *testing.T) {
	t.Parallel()
	for s := range strings.FieldsSeq("card_declined InvalidParameterCombination RATE_LIMITED E1001 err_42 not-found 20003 UNAUTHENTICATED") {
		if !errorCode(s) {
			t.Errorf("%q is an error code", s)
		}
	}
	for _, s := range []string{"123456", "SplxlOBeZQQYbYS6WxSbIA", "QbYSWxSbIAkDdTqR", "a1b2c3d4", "4/P7q7W91a-oMsCeLvIaQm6bTrgtp7", "", "a b@c"} {
		if errorCode(s) {
			t.Errorf("%q is not an error code", s)
		}
	}
}

func TestBodyCaps(t *testing.T) {
	t.Parallel()
	in := []byte(`{"id":"äöü","b":[1,2,3,4,5,6,7,8,9]}`)
	whole := Body(jsonType, in, 0)
	for limit := 1; limit <= len(whole)+1; limit++ {
		got := Body(jsonType, in, limit)
		checkOutput(t, got)
		cutShort := limit < len(whole)
		if len(got) > limit || cutShort != (got != whole) || cutShort && limit >= 3 && !strings.HasSuffix(got, "…") {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
}

// TestBodyTruncatedNeverLeaks cuts a document everywhere.
func TestBodyTruncatedNeverLeaks(t *testing.T) {
	t.Parallel()
	doc := `{"id":"ch_1","password":"hunter2-hunter2","card":{"number":4242424242424242}}`
	for n := 1; n < len(doc); n++ {
		if got := Body(jsonType, []byte(doc[:n]), 0); !strings.HasPrefix(got, "<") {
			t.Errorf("cut at %d: %s", n, got)
		}
	}
}

func TestBodyLinear(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`{"query":"{ a(b: ` + strings.Repeat(`\"x\" `, 50_000) + `) }"}`,
		`{"query":"` + strings.Repeat("a ", 50_000) + `"}`,
		`{"query":"{` + strings.Repeat("a    ", 50_000) + `}"}`,
		strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
	} {
		start := time.Now()
		Body(jsonType, []byte(in), 200)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%.30s...: %v", in, took)
		}
	}
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"id":"x","card":{"number":4242}}`, `[1,"a",null,true,{"error":{"message":"m"}}]`, "a=b&c[d]=e", "{}", `"x"`, `{"code":12}`,
		`{"query":"{ a(b: \"c\") }"}`,
	} {
		f.Add(jsonType, s, "password", "hunter2", 50)
		f.Add(formType, s, "note", "\x00", 0)
		f.Add("application/graphql-response+json", s, "query", "{ a }", 9)
	}
	f.Fuzz(func(t *testing.T, media, s, key, value string, limit int) {
		// Distinct from anything the fuzzer can write into the other parts.
		secret := "zQ" + hex.EncodeToString([]byte(value)) + "Zq"
		lower := strings.ToLower(key)
		if fieldAllowed.has(lower) || errorAllowed.has(lower) || lower == "code" || strings.ContainsAny(key, "[]") {
			key = "note"
		}
		k, _ := json.Marshal(key)
		bodies := map[string][]string{
			jsonType: {`{` + string(k) + `:"` + secret + `"}`, `{"id":1,"x":[{` + string(k) + `:["` + secret + `"]}]}`, `{"` + s + `":"` + secret + `"`},
			formType: {s + "&" + url.QueryEscape(key) + "=" + secret, "a[" + url.QueryEscape(key) + "]=" + secret},
			media:    {s},
		}
		if json.Valid([]byte(s)) {
			bodies[jsonType] = append(bodies[jsonType], `{"error":`+s+`,`+string(k)+`:"`+secret+`"}`)
		}
		for media, list := range bodies {
			for _, b := range list {
				got := Body(media, []byte(b), limit)
				checkOutput(t, got)
				if limit > 0 && len(got) > limit {
					t.Errorf("Body(%q, %q, %d) = %q: too long", media, b, limit, got)
				}
				if strings.Contains(got, secret) {
					t.Errorf("Body(%q, %q) = %q: leaks", media, b, got)
				}
			}
		}
	})
}

func BenchmarkBody(b *testing.B) {
	in := []byte(`{"id":"ch_1","object":"charge","amount":1200,"currency":"eur","customer":"cus_1","metadata":{"a":"b"},"paid":true}`)
	b.ReportAllocs()
	for b.Loop() {
		Body(jsonType, in, 1000)
	}
}
