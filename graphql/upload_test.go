package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// uploads is a server that keeps the forms it is sent.
type uploads struct {
	mu     sync.Mutex
	parts  [][]string // of each request: name, file name, content type and text
	length []int64
	header http.Header
	answer string
}

func (u *uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := multipart.NewReader(r.Body, params["boundary"])
	var parts []string
	for {
		part, err := form.NextPart()
		if err != nil {
			break
		}
		text, _ := io.ReadAll(part)
		parts = append(parts, strings.Join([]string{part.FormName(), part.FileName(), part.Header.Get("Content-Type"), string(text)}, "|"))
	}
	u.parts, u.length, u.header = append(u.parts, parts), append(u.length, r.ContentLength), r.Header.Clone()
	w.Header().Set("Content-Type", plainJSON)
	_, _ = io.WriteString(w, u.answer)
}

// text is a file whose openings are counted and must all be closed.
func text(t *testing.T, name, contents string, opened *atomic.Int32) graphql.File {
	t.Helper()
	var left atomic.Int32
	t.Cleanup(func() { assert.Equal(t, left.Load(), int32(0), name+" is left open") })
	return graphql.File{Name: name, Open: func() (io.ReadCloser, error) {
		opened.Add(1)
		left.Add(1)
		return &counted{strings.NewReader(contents), sync.OnceFunc(func() { left.Add(-1) })}, nil
	}}
}

type counted struct {
	*strings.Reader
	closed func()
}

func (c *counted) Close() error { c.closed(); return nil }

const uploadDocument = `mutation Up($in: In!, $files: [Upload!]) { up(in: $in, files: $files) { id } }`

func TestUpload(t *testing.T) {
	t.Parallel()
	server := &uploads{answer: `{"data":{"up":{"id":"1"}}}`}
	gh := serve(t, server)
	var opened atomic.Int32
	type in struct {
		Title string                    `json:"title"`
		Cover graphql.Opt[graphql.File] `json:"cover,omitzero"`
	}
	vars := graphql.Vars{
		"in": in{"T", graphql.Some(text(t, "naïve \"x\"\r\n.png", "PNG", &opened))},
		"files": []graphql.File{
			text(t, "a.unknown-kind", "A", &opened),
			{Name: "b.txt", ContentType: "text/x-b", Open: text(t, "b.txt", strings.Repeat("b", 100_000), &opened).Open},
		},
	}
	got, err := graphql.Execute[struct{ Up struct{ ID string } }](t.Context(), gh, uploadDocument, vars)
	assert.NoError(t, err)
	assert.Equal(t, got.Up.ID, "1")
	assert.Equal(t, server.parts, [][]string{{
		`operations|||{"query":"` + uploadDocument + `","variables":{"files":[null,null],"in":{"title":"T","cover":null}}}`,
		`map|||{"0":["variables.files.0"],"1":["variables.files.1"],"2":["variables.in.cover"]}`,
		"0|a.unknown-kind|application/octet-stream|A",
		"1|b.txt|text/x-b|" + strings.Repeat("b", 100_000),
		"2|naïve \"x\"%0D%0A.png|image/png|PNG",
	}})
	assert.Equal(t, server.header.Get("Apollo-Require-Preflight"), "1")
	assert.True(t, server.length[0] > 100_000, "the length of readers that tell theirs is announced")
	assert.Equal(t, opened.Load(), int32(3))
}

// TestUploadUnknownLength: what does not tell its length is sent in chunks; a file on
// disk tells it, and is sent as long as it was.
func TestUploadUnknownLength(t *testing.T) {
	t.Parallel()
	server := &uploads{answer: `{"data":{}}`}
	gh := serve(t, server)
	path := filepath.Join(t.TempDir(), "log.txt")
	assert.NoError(t, os.WriteFile(path, []byte("one"), 0o600))
	send := func(open func() (io.ReadCloser, error)) error {
		_, err := graphql.Execute[struct{}](t.Context(), gh, uploadDocument, graphql.Vars{"files": graphql.File{Name: "log", Open: open}})
		return err
	}
	assert.NoError(t, send(func() (io.ReadCloser, error) { return io.NopCloser(io.MultiReader(strings.NewReader("x"))), nil }))
	assert.NoError(t, send(func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		assert.NoError(t, err)
		return &growing{File: f, path: path}, nil
	}))
	assert.NoError(t, send(func() (io.ReadCloser, error) { return os.Open(path) }))
	assert.Equal(t, server.length[0], int64(-1))
	assert.Equal(t, server.parts[0][2], "0|log|application/octet-stream|x")
	assert.Equal(t, server.parts[1][2], "0|log|application/octet-stream|one")
	assert.Equal(t, server.parts[2][2], "0|log|application/octet-stream|one, two")
	assert.True(t, server.length[1] > 0 && server.length[2] == server.length[1]+5, server.length)
}

// growing is a file that is written to between its opening and its reading.
type growing struct {
	*os.File
	path string
	once sync.Once
}

func (g *growing) Len() int { return 3 }

func (g *growing) Read(p []byte) (int, error) {
	g.once.Do(func() { _ = os.WriteFile(g.path, []byte("one, two"), 0o600) })
	return g.File.Read(p)
}

// TestLaw01_UploadsAreSentAgainAsTheyWere: opened anew for each attempt, with the same
// bytes; a mutation that may have happened is not repeated without a key.
func TestLaw01_UploadsAreSentAgainAsTheyWere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		document string
		opts     []aplomb.CallOption
		requests int
	}{
		{`query Q($files: Upload) { a }`, nil, 3},
		{uploadDocument, []aplomb.CallOption{aplomb.IdempotencyKey("up-1")}, 3},
		{uploadDocument, nil, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var bodies [][]byte
			server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				bodies = append(bodies, body)
				w.Header().Set("Content-Type", plainJSON)
				if len(bodies) < 3 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				_, _ = io.WriteString(w, `{"data":{}}`)
			})
			var opened atomic.Int32
			gh := serve(t, server)
			_, err := graphql.Execute[struct{}](t.Context(), gh, tt.document, graphql.Vars{"files": text(t, "a", "contents", &opened)}, tt.opts...)
			assert.Equal(t, err == nil, tt.requests == 3, err)
			assert.Equal(t, len(bodies), tt.requests)
			assert.Equal(t, int(opened.Load()), tt.requests)
			for _, body := range bodies {
				assert.True(t, bytes.Equal(body, bodies[0]) && bytes.Contains(body, []byte("contents")))
			}
		})
	}
}

func TestUploadRefusedBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	script := aplombtest.NewScript(answer(200, plainJSON, `{"data":{}}`))
	gh := serve(t, script)
	var opened atomic.Int32
	good := text(t, "good", "x", &opened)
	missing := graphql.File{Name: "a", Open: func() (io.ReadCloser, error) { return nil, fs.ErrNotExist }}
	cyclic := map[string]any{}
	cyclic["in"] = []any{cyclic, good}
	for want, vars := range map[string]graphql.Vars{
		"the File at variables.in.0 has no Open": {"in": []graphql.File{{Name: "a"}}},
		"the File at variables.in has no Name":   {"in": graphql.File{Open: good.Open}},
		"its ContentType has a line break":       {"in": graphql.File{Name: "a", ContentType: "a\r\nX: y", Open: good.Open}},
		"is empty or has a dot":                  {"in": map[string]any{"a.b": good}},
		`the File "a" at variables.in.1: file d`: {"in": []graphql.File{good, missing}},
		"neither contents nor an error":          {"in": graphql.File{Name: "a", Open: func() (io.ReadCloser, error) { return nil, nil }}}, //nolint:nilnil // the slip
		"the variables: json: unsupported value": {"in": cyclic},
	} {
		_, err := graphql.Execute[struct{}](t.Context(), gh, uploadDocument, vars)
		assert.True(t, err != nil, want)
		assert.Contains(t, err.Error(), want)
		oneLine(t, err)
		b := graphql.NewBatch(gh)
		_ = graphql.Add[struct{}](b, uploadDocument, vars)
		err = b.Send(t.Context())
		assert.True(t, err != nil, want)
		want = strings.ReplaceAll(want, "at variables.in.1", "at 0.variables.in.1")
		assert.Contains(t, err.Error(), want)
	}
	_, err := graphql.Execute[struct{}](t.Context(), gh, uploadDocument, graphql.Vars{"in": missing})
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, script.Requests(), 0)
}

// TestUploadEverywhere: a range and Do carry files as Execute does, and none goes by
// GET or without its document.
func TestUploadEverywhere(t *testing.T) {
	t.Parallel()
	server := &uploads{answer: `{"data":{"x":{"nodes":[1],"pageInfo":{"hasNextPage":false}}}}`}
	gh := graphql.New(serve(t, server).API(), graphql.PersistedQueries(), graphql.UseGET())
	var opened atomic.Int32
	vars := graphql.Vars{"f": text(t, "a", "x", &opened)}
	const document = `query($f: Upload, $cursor: String) { x }`
	_, err := graphql.Do[json.RawMessage](t.Context(), gh, graphql.Request{Query: document, Variables: vars})
	assert.NoError(t, err)
	for _, err := range graphql.Nodes[int](t.Context(), gh, document, vars) {
		assert.NoError(t, err)
	}
	assert.Equal(t, len(server.parts), 2)
	for _, parts := range server.parts {
		assert.Contains(t, parts[0], `"query":"query($f`)
		assert.Equal(t, parts[2], "0|a|application/octet-stream|x")
	}
}

// TestUploadCancelled: the files are closed when the caller goes.
func TestUploadCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		gh := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
		var opened atomic.Int32
		_, err := graphql.Execute[struct{}](ctx, gh, uploadDocument, graphql.Vars{"f": text(t, "a", "x", &opened)})
		assert.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
	})
}

func TestUploadSecrets(t *testing.T) {
	t.Parallel()
	const secret = "opaque-value-of-no-known-shape"
	for _, status := range []int{200, 422, 500} {
		server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseMultipartForm(1 << 20)
			w.Header().Set("Content-Type", graphqlJSON)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"message":"got `+secret+`","errors":[{"message":`+strconv.Quote(r.FormValue("operations"))+`}]}`)
		})
		gh := serve(t, server)
		var opened atomic.Int32
		_, err := graphql.Execute[struct{}](t.Context(), gh, uploadDocument, graphql.Vars{"newPassword": secret, "f": text(t, "a", "x", &opened)})
		_, ok := errors.AsType[*graphql.ResponseError](err)
		assert.True(t, ok, err)
		noneShows(t, err, secret)
	}
}
