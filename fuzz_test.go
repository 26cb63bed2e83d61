package aplomb

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A server's error body may be anything; what is read of it is bounded later,
// and reading it never fails.
func FuzzProblem(f *testing.F) {
	for _, body := range []string{`{"error":{"message":"m","code":"c"}}`, `{"errors":[{"detail":"d"}]}`, `<html><h1>x</h1>`, `<Error><Code>c</Code>`,
		"plain", `{"a":`, `[[[[[[`, "\xef\xbb\xbf{}", `{"error":{"error":{"error":{"error":{"error":{}}}}}}`} {
		f.Add("application/json", []byte(body))
		f.Add("text/html", []byte(body))
	}
	f.Fuzz(func(_ *testing.T, contentType string, body []byte) {
		readProblem(contentType, body)
	})
}

// Whatever a path value is, it stays one segment, and comes out as it went in.
func FuzzPath(f *testing.F) {
	for _, v := range []string{"o_1", "a/b", "..", ".", "", "a b", "%2F", "?x=1#y", "{id}", "\x00\xff"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		filled, err := parseTemplate("GET", "/v1/{id}/items").fill(nil, []field{{"id", value}}, nil)
		if err != nil {
			if value != "" && value != "." && value != ".." {
				t.Fatalf("%q refused: %v", value, err)
			}
			return
		}
		segments := strings.Split(string(filled), "/")
		if len(segments) != 4 || segments[1] != "v1" || segments[3] != "items" {
			t.Fatalf("%q became %q", value, filled)
		}
		if got, err := url.PathUnescape(segments[2]); err != nil || got != value {
			t.Fatalf("%q came out as %q, %v", value, got, err)
		}
		if err := setPath(&url.URL{}, string(filled)); err != nil {
			t.Fatalf("%q: %v", value, err)
		}
	})
}

// Whatever a template is, what comes of it has its segments, none of which climbs, and
// is what net/url reads in it.
func FuzzTemplate(f *testing.F) {
	for _, path := range []string{"", "/", "v1", "/a/{v}", "{v}.{v}", "/..", "./a", "/a/.hidden", "{v", "v}", "{}", "/%2F/%2e", "/%zz", "/%", "//a//", "https://h", "/ü日 \\;:@+~", "/a\x00"} {
		f.Add(path, "o 1")
		f.Add(path, ".")
	}
	base := &url.URL{Scheme: "https", Host: "h", Path: "/base/x", RawPath: "/base%2Fx"}
	f.Fuzz(func(t *testing.T, path, value string) {
		filled, err := parseTemplate("GET", path).fill(nil, nil, []field{{"v", value}})
		if err != nil || path == "" {
			return
		}
		got := string(filled)
		segments := strings.Split(got, "/")
		if n := strings.Count("/"+strings.TrimPrefix(path, "/"), "/"); segments[0] != "" || len(segments) != n+1 || slices.Contains(segments, ".") || slices.Contains(segments, "..") {
			t.Fatalf("%q became %q", path, got)
		}
		u := *base
		err = setPath(&u, pathOf(base)+got)
		want, wrong := url.Parse("https://h/base%2Fx" + got)
		if wrong == nil && (err != nil || u.Path != want.Path || u.EscapedPath() != want.EscapedPath()) {
			t.Fatalf("%q became %+v, %v; want %+v", path, &u, err, want)
		}
	})
}

// Setting one parameter leaves the others as they were, to the letter.
func FuzzQuery(f *testing.F) {
	for _, raw := range []string{"a=1&b=2", "filter=a;b&page=2", "a&a=&=x", "%zz=1", "a=1&&b", "$skip=10&x=%20"} {
		f.Add(raw, "page", "3 &=")
	}
	f.Fuzz(func(t *testing.T, raw, name, value string) {
		if name == "" || !utf8.ValidString(name) {
			return
		}
		set := withParam(raw, param{name, []string{value}})
		q, _ := url.ParseQuery(strings.ReplaceAll(set, ";", "%3B"))
		if got := q[name]; len(got) != 1 || got[0] != value {
			t.Fatalf("%q in %q is %q", name, set, got)
		}
		if again := withParam(set, param{name, []string{value}}); again != set {
			t.Fatalf("%q then %q", set, again)
		}
	})
}

// A page of a list may be anything: its items are found or an error says why.
func FuzzItems(f *testing.F) {
	for _, body := range []string{`[1]`, `{"data":[1],"next":"x"}`, `{"a":{"b":[]}}`, `null`, ``, `{"data":null}`, `{"a.b":[1]}`, `{"data":{}}`, `[`} {
		f.Add([]byte(body), "data", "next")
		f.Add([]byte(body), "", "a.b")
	}
	f.Fuzz(func(t *testing.T, body []byte, items, cursor string) {
		env := &envelope{body: body}
		list, err := itemsOf[json.RawMessage](env, listRules{items: items})
		if err == nil && len(list) > 0 && !json.Valid(body) && items == "" && body[0] == '[' {
			t.Fatalf("%q gave %d items", body, len(list))
		}
		_, _ = env.text(cursor)
		if n, ok := env.number(cursor); ok && n < 0 {
			t.Fatalf("%q: negative %d", body, n)
		}
	})
}
