package redact

import (
	"net/url"
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"https://api.example.com/v1/orders/42", "https://api.example.com/v1/orders/42"},
		{"https://h:8443/a?page=2&per_page=50&sort=-created", "https://h:8443/a?page=2&per_page=50&sort=-created"},
		{"https://tokens.internal:8200/x", "https://tokens.internal:8200/x"},
		{"https://bob:hunter2@h/x#frag=secret", "https://h/x"},
		{"https://ghtoken@h/x", "https://h/x"},
		{"https://h/x?api_key=S&starting_after=cus_1&limit=3", "https://h/x?api_key=[redacted]&starting_after=[redacted]&limit=3"},
		{"https://h/x?SECRET", "https://h/x?[redacted]"},
		{"https://h/x?bob%40example.com=1", "https://h/x?[redacted]"},
		{"https://h/x?a=%zz", "https://h/x?[redacted]"},
		{"https://h/x?page=1;api_key=2", "https://h/x?[redacted]"},
		{"https://h/x?page=eyJhbGciOiJub25lIn0&limit=" + visa, "https://h/x?page=[redacted]&limit=[redacted]"},
		{"https://h/x?page=" + strings.Repeat("a", 33), "https://h/x?page=[redacted]"},
		{"https://h/x?page=&q=&metadata[id]=1", "https://h/x?page=&q=&metadata[id]=[redacted]"},
		{"https://h/keys/" + githubPAT + "/" + url.PathEscape("a b"), "https://h/keys/[redacted]/a%20b"},
		{"https://h/c/4242%204242%204242%204242/x", "https://h/c/[redacted]/x"},
		{"https://hooks.slack.com/services/T0/B0/xyz?page=1", "https://hooks.slack.com/[redacted]?page=1"},
		{"https://api.telegram.org/bot12345:ABC-def_9/sendMessage", "https://api.telegram.org/[redacted]/sendMessage"},
		{"mailto:bob@example.com", "mailto:[redacted]"},
		{"/relative?token=x", "/relative?token=[redacted]"},
		{"http://[::1]:80/x", "http://[::1]:80/x"},
		{"", ""},
	} {
		u, err := url.Parse(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := URL(u); got != tt.want {
			t.Errorf("URL(%q)\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
	if got := URL(nil); got != "" {
		t.Errorf("URL(nil) = %q", got)
	}
}

// TestURLByHand: a url.URL need not come from a parser.
func TestURLByHand(t *testing.T) {
	t.Parallel()
	for want, u := range map[string]*url.URL{
		"https://[redacted]/x":          {Scheme: "https", Host: "bob:pw@h", Path: "/x"},
		"https://[redacted]/[redacted]": {Scheme: "https", Host: "sk_" + "live_abcdef.h", Path: "/y"},
		"https://h/a%0Ab":               {Scheme: "https", Host: "h", Path: "/a\nb"},
		"ht\\ntps://h/z":                {Scheme: "ht\ntps", Host: "h", Path: "/z"},
		"https://h/?[redacted]":         {Scheme: "https", Host: "h", Path: "/", RawQuery: "\x00=%"},
		"https://h/?a=[redacted]":       {Scheme: "https", Host: "h", Path: "/", RawQuery: "a=\n"},
	} {
		if got := URL(u); got != want {
			t.Errorf("%#v\n got %s\nwant %s", u, got, want)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{"https://u:p@h/a/b?page=1&k=v#f", "//h?x", "mailto:x", "https://h/?a=%zz", "https://h/%2e%2e/a;b=c", "h:1/x"} {
		f.Add(s, "planted=1&")
	}
	f.Fuzz(func(t *testing.T, s, query string) {
		u, err := url.Parse(s)
		if err != nil {
			u = &url.URL{Scheme: s, Host: s, Path: s, RawQuery: s}
		}
		const secret = "zQplantedZ"
		u.User, u.Fragment = url.UserPassword(secret, secret), secret
		u.RawQuery = query + "after=" + secret
		got := URL(u)
		checkOutput(t, got)
		if !strings.Contains(s+query, secret) && strings.Contains(got, secret) {
			t.Errorf("URL(%q with %q) = %q: leaks", s, u.RawQuery, got)
		}
	})
}
