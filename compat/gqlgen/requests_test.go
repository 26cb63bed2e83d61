package gqlgen_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/compat/gqlgen"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// file is an upload of n bytes. It is opened as a stream of unknown length.
func file(name, contentType string, n int) (graphql.File, stored) {
	content := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
	sum := sha256.Sum256(content)
	open := func() (io.ReadCloser, error) { return io.NopCloser(io.MultiReader(bytes.NewReader(content))), nil }
	return graphql.File{Name: name, ContentType: contentType, Open: open}, stored{name, contentType, n, hex.EncodeToString(sum[:])}
}

// stored is what the server says of a file.
type stored struct {
	Filename, ContentType string
	Size                  int
	Sha256                string
}

func TestUpload(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	const document = `mutation($f: Upload!) { upload(file: $f) { filename contentType size sha256 } }`
	for name, size := range map[string]int{"empty": 0, "small": 16, "large": 5 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, want := file(`a "quoted" näme.txt`, "text/plain; charset=utf-8", size)
			got, err := graphql.Execute[struct{ Upload stored }](t.Context(), c, document, graphql.Vars{"f": f})
			assert.NoError(t, err)
			assert.Equal(t, got.Upload, want)
		})
	}
}

// TestUploads: files in an input object, in their order.
func TestUploads(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	a, first := file("a.json", "application/json", 100)
	b, second := file("b.bin", "application/octet-stream", 3)
	type input struct {
		Files []graphql.File `json:"files"`
	}
	got, err := graphql.Execute[struct{ Uploads []stored }](t.Context(), c,
		`mutation($in: UploadsInput!) { uploads(in: $in) { filename contentType size sha256 } }`, graphql.Vars{"in": input{[]graphql.File{a, b, a}}})
	assert.NoError(t, err)
	assert.Equal(t, got.Uploads, []stored{first, second, first})
	assert.Contains(t, s.Seen()[0].Header.Get("Content-Type"), "multipart/form-data; boundary=")
}

// TestGET: queries and their variables come in the URL, mutations never do.
func TestGET(t *testing.T) {
	t.Parallel()
	s, c := start(t, graphql.UseGET())
	got, err := all(graphql.Nodes[repo](t.Context(), c, forwards, graphql.Vars{"n": 10}))
	assert.NoError(t, err)
	assert.Equal(t, len(got), 25)
	for _, r := range s.Seen() {
		assert.Equal(t, r.Method, http.MethodGet)
	}
	last, err := url.ParseQuery(s.Seen()[2].Query)
	assert.NoError(t, err)
	assert.Equal(t, []string{last.Get("query"), last.Get("variables")}, []string{forwards, `{"cursor":"20","n":10}`})

	_, err = graphql.Execute[struct{ Rename string }](t.Context(), c, `mutation { rename(name: "eve") }`, nil)
	assert.NoError(t, err)
	assert.Equal(t, s.Seen()[3].Method, http.MethodPost)

	_, err = graphql.Execute[named](t.Context(), c, `{ nothing }`, nil)
	assert.Contains(t, err.Error(), "GRAPHQL_VALIDATION_FAILED")
}

// TestPersistedQueries: the text travels once, the hash after that; by GET too.
func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s, c := start(t, graphql.PersistedQueries())
			if method == http.MethodGet {
				c = graphql.New(c.API(), graphql.PersistedQueries(), graphql.UseGET())
			}
			const document = `query Who($login: String!) { user(login: $login) { login } }`
			for _, login := range []string{"octocat", "hubot", "defunkt"} {
				r, err := graphql.Do[struct{ User struct{ Login string } }](t.Context(), c, graphql.Request{Query: document, Variables: graphql.Vars{"login": login}})
				assert.NoError(t, err)
				assert.Equal(t, r.Data.User.Login, login)
			}
			var texts []bool
			for _, r := range s.Seen() {
				assert.True(t, strings.Contains(sent(r), "sha256Hash"), sent(r))
				texts = append(texts, strings.Contains(sent(r), "query Who"))
			}
			assert.Equal(t, texts, []bool{false, true, false, false})
			assert.Equal(t, s.Seen()[3].Method, method)
		})
	}
}

// TestPersistedMutation: a mutation travels whole, once.
func TestPersistedMutation(t *testing.T) {
	t.Parallel()
	s, c := start(t, graphql.PersistedQueries())
	got, err := graphql.Execute[struct{ Rename string }](t.Context(), c, `mutation { rename(name: "eve") }`, nil)
	assert.NoError(t, err)
	assert.Equal(t, got.Rename, "ada")
	assert.Equal(t, []int{s.Renames(), len(s.Seen())}, []int{1, 1})
}

// sent is what a request says, wherever it says it.
func sent(r gqlgen.Seen) string {
	query, err := url.QueryUnescape(r.Query)
	if err != nil {
		return err.Error()
	}
	return query + string(r.Body)
}

// TestLongGET: what no URL should hold goes by POST.
func TestLongGET(t *testing.T) {
	t.Parallel()
	s, c := start(t, graphql.UseGET())
	_, err := graphql.Execute[named](t.Context(), c, "{ name }"+strings.Repeat(" ", 9000), nil)
	assert.NoError(t, err)
	assert.True(t, len(s.Seen()) == 1 && s.Seen()[0].Method == http.MethodPost)
}

// TestBatch: gqlgen takes none, and says so of the whole.
func TestBatch(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	b := graphql.NewBatch(c)
	one := graphql.Add[named](b, `{ name }`, nil)
	two := graphql.Add[named](b, `{ name }`, nil)
	err := b.Send(t.Context())
	re, ok := errors.AsType[*graphql.ResponseError](err)
	assert.True(t, ok && re.StatusCode == 400 && errors.Is(one.Err, err) && errors.Is(two.Err, err), err)
	assert.Contains(t, err.Error(), "json request body could not be decoded")
	assert.Equal(t, len(s.Seen()), 1)
}
