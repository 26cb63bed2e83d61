package stripe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// received is what an upload's handler saw.
type received struct {
	host, auth, version, key string
	length                   int64
	purpose, name, kind      string
	content                  string
	raw                      string
}

// uploads answers an upload and remembers each.
func uploads(t *testing.T, got *[]received) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw bytes.Buffer
		length := r.ContentLength
		r.Body = io.NopCloser(io.TeeReader(r.Body, &raw))
		assert.NoError(t, r.ParseMultipartForm(1<<20))
		file, head, err := r.FormFile("file")
		assert.NoError(t, err)
		content, err := io.ReadAll(file)
		assert.NoError(t, err)
		*got = append(*got, received{r.Host, r.Header.Get("Authorization"), r.Header.Get("Stripe-Version"), r.Header.Get("Idempotency-Key"), length,
			r.FormValue("purpose"), head.Filename, head.Header.Get("Content-Type"), string(content), raw.String()})
		answer(200, "application/json", `{"id":"file_1","filename":`+strconv.Quote(head.Filename)+`,"purpose":"dispute_evidence","size":9,"created":1700000000}`).ServeHTTP(w, r)
	})
}

var evidence = map[string]any{"purpose": "dispute_evidence"}

// TestUpload: an upload goes to the files host with the key, tells its length and
// is sent again byte for byte.
func TestUpload(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "receipt.pdf")
	assert.NoError(t, os.WriteFile(path, []byte("skipped,the rest"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		var got []received
		n := aplombtest.NewNetwork(t)
		n.Serve(stripe.FilesURL, aplombtest.NewScript(uploads(t, &got), aplombtest.LostResponse()))
		sc, err := stripe.New(aplomb.Static(testKey), aplomb.Transport(n.Transport()))
		assert.NoError(t, err)
		t.Cleanup(sc.API().CloseIdleConnections)
		file, err := os.Open(path)
		assert.NoError(t, err)
		defer file.Close()
		_, err = file.Seek(8, io.SeekStart)
		assert.NoError(t, err)

		made, err := stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", `receipt "7".pdf`, file, evidence)
		assert.NoError(t, err)
		assert.Equal(t, made.String(), `file file_1 receipt "7".pdf`)
		assert.Equal(t, len(got), 2)
		assert.Equal(t, got[0], got[1])
		assert.Equal(t, []string{got[0].host, got[0].auth, got[0].version}, []string{"files.stripe.com", "Bearer " + testKey, stripe.Version})
		assert.Equal(t, []string{got[0].purpose, got[0].name, got[0].kind, got[0].content}, []string{"dispute_evidence", `receipt "7".pdf`, "application/pdf", "the rest"})
		assert.Equal(t, got[0].length, int64(len(got[0].raw)))
		assert.True(t, got[0].key != "")
	})
}

// TestUploadOfAStream: what can be read once is sent once.
func TestUploadOfAStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []received
		script := aplombtest.NewScript(uploads(t, &got), aplombtest.Pass(), aplombtest.LostResponse())
		sc := serve(t, script)
		stream := func() io.Reader { return io.MultiReader(strings.NewReader("streamed")) }
		_, err := stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.bin", stream(), evidence)
		assert.NoError(t, err)
		assert.Equal(t, got[0].content+" "+got[0].kind, "streamed application/octet-stream")
		assert.Equal(t, got[0].length, int64(-1))
		_, err = stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.bin", stream(), evidence)
		assert.True(t, err != nil)
		assert.Equal(t, script.Requests(), 2)
	})
}

func TestUploadRefuses(t *testing.T) {
	t.Parallel()
	sc := serve(t, answer(200, "application/json", `{}`))
	closed, err := os.Open(os.DevNull)
	assert.NoError(t, err)
	assert.NoError(t, closed.Close())
	for want, try := range map[string]func() error{
		"nil reader": func() error {
			_, err := stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.pdf", nil, evidence)
			return err
		},
		"not a file's name": func() error {
			_, err := stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a\nb", strings.NewReader(""), evidence)
			return err
		},
		"parameters cannot be": func() error {
			_, err := stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.pdf", strings.NewReader(""), 5)
			return err
		},
		"no Client": func() error {
			_, err := stripe.Upload[stripe.File](t.Context(), nil, "/v1/files", "a.pdf", strings.NewReader(""), evidence)
			return err
		},
		"file already closed": func() error {
			_, err := stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.pdf", closed, evidence)
			return err
		},
	} {
		assert.Contains(t, fmt.Sprint(try()), want)
	}
}

// TestConnectHost: OAuth for Connect has a host of its own, which takes the key too.
func TestConnectHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got string
		n := aplombtest.NewNetwork(t)
		n.Serve(stripe.ConnectURL, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + r.PostFormValue("stripe_user_id")
			answer(200, "application/json", `{"stripe_user_id":"acct_1"}`).ServeHTTP(w, r)
		}))
		sc, err := stripe.New(aplomb.Static(testKey), aplomb.Transport(n.Transport()))
		assert.NoError(t, err)
		t.Cleanup(sc.API().CloseIdleConnections)
		_, err = stripe.Post[struct{}](t.Context(), sc, "/oauth/deauthorize", map[string]any{"stripe_user_id": "acct_1"}, aplomb.BaseURL(stripe.ConnectURL))
		assert.NoError(t, err)
		assert.Equal(t, got, "POST /oauth/deauthorize Bearer "+testKey+" acct_1")
	})
}

func TestDownload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pdf := strings.Repeat("%PDF", 1<<20)
		n := aplombtest.NewNetwork(t)
		n.Serve(stripe.FilesURL, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/quotes/qt_1/pdf" || r.Header.Get("Authorization") == "" {
				answer(404, "application/json", jsonError("invalid_request_error", "resource_missing"), "Request-Id", "req_4").ServeHTTP(w, r)
				return
			}
			_, _ = io.WriteString(w, pdf)
		}))
		sc, err := stripe.New(aplomb.Static(testKey), aplomb.Transport(n.Transport()))
		assert.NoError(t, err)
		t.Cleanup(sc.API().CloseIdleConnections)
		body, err := stripe.Download(t.Context(), sc, "/v1/quotes/{id}/pdf", nil, aplomb.Path("id", "qt_1"))
		assert.NoError(t, err)
		got, err := io.ReadAll(body)
		assert.NoError(t, err)
		assert.NoError(t, body.Close())
		assert.Equal(t, len(got), len(pdf))

		_, err = stripe.Download(t.Context(), sc, "/v1/files/{id}/contents", nil, aplomb.Path("id", "file_1"))
		assert.ErrorIs(t, err, stripe.ErrNotFound)
		e, _ := errors.AsType[*stripe.Error](err)
		assert.Equal(t, e.RequestID, "req_4")
		_, err = stripe.Download(context.Background(), nil, "/v1/x", nil)
		assert.Contains(t, fmt.Sprint(err), "no Client")
		_, err = stripe.Download(t.Context(), sc, "/v1/x", 5)
		assert.Contains(t, fmt.Sprint(err), "parameters cannot be")
	})
}
