package aplomb_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestGzip: every kind of body, and the same bytes with each attempt.
func TestGzip(t *testing.T) {
	long := strings.Repeat("a line\n", 20_000)
	opener := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(long)), nil }
	for what, c := range map[string]struct {
		body  aplomb.CallOption
		want  string
		known bool
	}{
		"JSON":     {aplomb.JSON(map[string]string{"a": "b"}), `{"a":"b"}`, true},
		"a stream": {aplomb.Body("text/plain", opener), long, false},
		"once":     {aplomb.BodyOnce("text/plain", strings.NewReader("x")), "x", false},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var raw [][]byte
				s := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
					raw = append(raw, body)
					assert.Equal(t, r.Header.Get("Content-Encoding"), "gzip")
					assert.Equal(t, r.ContentLength, map[bool]int64{true: int64(len(body)), false: -1}[c.known])
					if len(raw) == 1 && what != "once" {
						w.WriteHeader(http.StatusServiceUnavailable)
					}
				}))
				client := newClientAt(t, s.URL, aplomb.Transport(s.Transport()))
				_, err := aplomb.Put[struct{}](context.Background(), client, "/x", c.body, aplomb.Gzip())
				assert.NoError(t, err)
				for _, body := range raw {
					assert.True(t, bytes.Equal(body, raw[0]))
				}
				zip, err := gzip.NewReader(bytes.NewReader(raw[0]))
				assert.NoError(t, err)
				plain, err := io.ReadAll(zip)
				assert.NoError(t, err)
				assert.Equal(t, string(plain), c.want)
				assert.Equal(t, len(raw), map[bool]int{true: 1, false: 2}[what == "once"])
			})
		})
	}
}

// TestGzipLeaves what it cannot compress, and hides no error of the body.
func TestGzipLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seen []string
		s := aplombtest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			seen = append(seen, r.Header.Get("Content-Encoding"))
		}))
		c := newClientAt(t, s.URL, aplomb.Transport(s.Transport()))
		_, err := aplomb.Get[struct{}](context.Background(), c, "/x", aplomb.Gzip())
		assert.NoError(t, err)
		_, err = aplomb.Put[struct{}](context.Background(), c, "/x", aplomb.Form(nil), aplomb.Gzip())
		assert.NoError(t, err)
		assert.Equal(t, seen, []string{"", ""})
		_, err = aplomb.Put[struct{}](context.Background(), c, "/x", aplomb.JSON(1), aplomb.Gzip(), aplomb.Header("Content-Encoding", "br"))
		assert.Contains(t, fmt.Sprint(err), "a Content-Encoding of its own")
		broken := errors.New("disk")
		_, err = aplomb.Put[struct{}](context.Background(), c, "/x", aplomb.Gzip(), aplomb.Body("", func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("some"), brokenReader{broken})), nil
		}))
		assert.ErrorIs(t, err, broken)
		req, err := http.NewRequestWithContext(aplomb.NewContext(context.Background(), aplomb.Gzip()), http.MethodGet, s.URL, http.NoBody)
		assert.NoError(t, err)
		_, err = c.Do(req) //nolint:bodyclose // there is none
		assert.Contains(t, fmt.Sprint(err), "Gzip in a NewContext has no effect")
	})
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }
