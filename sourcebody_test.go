package aplomb_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestBodyThatCannotBeRead: a caller's body that fails is the caller's trouble: it is
// not sent again, and the host is not blamed for it.
func TestBodyThatCannotBeRead(t *testing.T) {
	disk := errors.New("disk: I/O error")
	for name, serve := range map[string]func(testing.TB, http.Handler) *aplombtest.Server{"HTTP/1.1": aplombtest.NewServer, "HTTP/2": aplombtest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					ok(w, r)
				}))
				c := newClient(t, srv)
				opened := 0
				for range 30 {
					_, err := aplomb.Put[order](t.Context(), c, "/", aplomb.Body("text/plain", func() (io.ReadCloser, error) {
						opened++
						return io.NopCloser(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(disk))), nil
					}))
					assert.ErrorIs(t, err, disk)
					assert.Contains(t, err.Error(), "test: PUT /: the request's body cannot be read: disk: I/O error (1 attempt, ")
				}
				assert.Equal(t, opened, 30)
				_, err := get(t, c)
				assert.NoError(t, err)
			})
		})
	}
	// A body that is closed because the server answered has not failed.
	bubbleCase(t, "closed early", func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(ok, aplombtest.Reset()))
		opened := 0
		_, err := aplomb.Put[order](t.Context(), newClient(t, srv), "/", aplomb.Body("text/plain", func() (io.ReadCloser, error) {
			opened++
			return &closeable{left: 3}, nil
		}))
		assert.NoError(t, err)
		assert.Equal(t, opened, 2)
	})
}

// closeable is a body that fails once it is closed, as a file does.
type closeable struct {
	left   int
	closed bool
}

func (c *closeable) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	switch {
	case c.closed:
		return 0, errors.New("file already closed")
	case c.left == 0:
		return 0, io.EOF
	}
	c.left--
	return copy(p, "x"), nil
}

func (c *closeable) Close() error { c.closed = true; return nil }
