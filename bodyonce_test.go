package aplomb_test

import (
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

// opaque is a reader that neither tells its length nor can be opened again, and
// notes that it was closed.
type opaque struct {
	io.Reader
	closed bool
}

func (o *opaque) Close() error { o.closed = true; return nil }

// TestLaw01_BodyOnce: what was not touched may be sent by a further attempt, what
// was read is not, not even under a key.
func TestLaw01_BodyOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got []string
		h := script(func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			got = append(got, fmt.Sprint(string(raw), " ", r.ContentLength, " ", r.Header.Get("Content-Type")))
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", h)
		c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()))
		n.Break("api.test", aplombtest.DialRefused)
		body := &opaque{Reader: strings.NewReader("once")}
		go func() {
			pause(1)
			n.Heal("api.test")
		}()
		_, err := aplomb.Post[order](context.Background(), c, "/x", aplomb.BodyOnce("text/plain", body), aplomb.IdempotencyKey("k"))
		assert.Equal(t, aplomb.StatusCode(err), http.StatusServiceUnavailable)
		assert.Equal(t, got, []string{"once -1 text/plain"})
		assert.True(t, body.closed)

		once := aplomb.BodyOnce("text/plain", strings.NewReader("known"))
		_, err = aplomb.Post[order](context.Background(), c, "/x", once)
		assert.Equal(t, aplomb.StatusCode(err), http.StatusServiceUnavailable)
		assert.Equal(t, got[1], "known 5 text/plain")
		_, err = aplomb.Post[order](context.Background(), c, "/x", once)
		assert.Contains(t, fmt.Sprint(err), "give it to one call")
		_, err = aplomb.Post[order](context.Background(), c, "/x", aplomb.BodyOnce("text/plain", (*opaque)(nil)))
		assert.Contains(t, fmt.Sprint(err), "the reader is nil")
		assert.Equal(t, len(got), 2)
	})
}

// TestAtHand: nobody is asked for a secret that is not at hand.
func TestAtHand(t *testing.T) {
	t.Setenv("APLOMB_AT_HAND", "from the environment")
	asks := aplomb.SecretFunc(func(context.Context) (string, error) { return "", errors.New("asked") })
	for want, source := range map[string]aplomb.SecretSource{
		"given":                aplomb.Static("given"),
		"from the environment": aplomb.Env("APLOMB_AT_HAND"),
		"new":                  aplomb.Rotation(aplomb.Static("new"), asks),
	} {
		secret, ok := aplomb.AtHand(source)
		assert.True(t, ok, want)
		assert.Equal(t, secret.Reveal(), want)
	}
	for _, source := range []aplomb.SecretSource{nil, asks, aplomb.Static(""), aplomb.Env("APLOMB_NOT_THERE"), aplomb.File("nowhere"), aplomb.Rotation(asks, aplomb.Static("old"))} {
		_, ok := aplomb.AtHand(source)
		assert.True(t, !ok)
	}
}
