package header

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		given []string
		want  []Link
	}{
		{"none", nil, nil},
		{"empty", []string{"", " , ,"}, nil},
		{
			"GitHub",
			[]string{`<https://api.github.com/x?page=2>; rel="next", <https://api.github.com/x?page=9>; rel="last"`},
			[]Link{{"https://api.github.com/x?page=2", []string{"next"}, nil}, {"https://api.github.com/x?page=9", []string{"last"}, nil}},
		},
		{
			"several lines, several relations, upper case",
			[]string{`</a>;REL="Next  Up"`, `</b>;rel=prev`},
			[]Link{{"/a", []string{"next", "up"}, nil}, {"/b", []string{"prev"}, nil}},
		},
		{
			"commas and semicolons in URL and quotes",
			[]string{`</a,b;c>; rel="next"; title="one, \"two\"; three", </d>; rel=last`},
			[]Link{{"/a,b;c", []string{"next"}, map[string]string{"title": `one, "two"; three`}}, {"/d", []string{"last"}, nil}},
		},
		{
			"first rel and first parameter count",
			[]string{`</a>; rel=a; rel=b; Title=x; title=y; title*=UTF-8''z`},
			[]Link{{"/a", []string{"a"}, map[string]string{"title": "x", "title*": "UTF-8''z"}}},
		},
		{"missing closing quote", []string{`</a>; rel="next, </b>; rel=last`}, []Link{{"/a", []string{"next"}, nil}, {"/b", []string{"last"}, nil}}},
		{"no rel, empty parameters", []string{`</a>;;x;=y`}, []Link{{"/a", nil, map[string]string{"x": ""}}}},
		{"bad members are skipped", []string{`/a; rel=next, <>; rel=x, <b; rel=y, </c>; rel=z`}, []Link{{"/c", []string{"z"}, nil}}},
		{"no closing bracket", []string{`</a; rel=next`}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Links(tt.given); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Links(%q)\n got %+v\nwant %+v", tt.given, got, tt.want)
			}
		})
	}
}

func TestLinkRel(t *testing.T) {
	t.Parallel()
	h := fields("Link", `</elsewhere>; rel=next; anchor="/other"`, "Link", `</2>; rel="NEXT", </3>; rel=next`)
	if u, ok := LinkRel(h, "Next"); u != "/2" || !ok {
		t.Errorf("got %q, %v; want /2", u, ok)
	}
	if u, ok := LinkRel(h, "prev"); u != "" || ok {
		t.Errorf("got %q, %v; want nothing", u, ok)
	}
}

func TestLinksBounded(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("</a>; rel=next,", 500)
	if got := len(Links([]string{line, line})); got != maxMembers {
		t.Errorf("%d links, want %d", got, maxMembers)
	}
}

func FuzzLinks(f *testing.F) {
	for _, s := range []string{`</a>; rel="next"`, `<a,b>;rel=a;title="x\",y", <c`, `<><>;"`, `<a>;rel="b c`, ",;=\"\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, l := range Links([]string{s}) {
			if l.URL == "" || !strings.Contains(s, l.URL) {
				t.Errorf("%q: URL %q is not in the field", s, l.URL)
			}
			if slices.Contains(l.Rel, "") {
				t.Errorf("%q: an empty relation in %q", s, l.Rel)
			}
			for _, rel := range l.Rel {
				if _, ok := LinkRel(http.Header{"Link": {s}}, rel); !ok && l.Params["anchor"] == "" {
					t.Errorf("%q: LinkRel does not find %q", s, rel)
				}
			}
		}
	})
}
