package aplomb_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestHostilePeekIsApart: what a Judge appends to what it peeked at is written
// into the body that the call decodes.
func TestHostilePeekIsApart(t *testing.T) {
	t.Parallel()
	srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"amount":100}`)
	}))
	c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()), aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
		head, _ := a.Peek(10)
		_ = append(head, '9')
		return aplomb.Verdict{}
	}))
	assert.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	got, err := aplomb.Get[struct{ Amount int }](t.Context(), c, "/x")
	assert.NoError(t, err)
	assert.Equal(t, got.Amount, 100)
}

// TestHostileOpenTrickle: Open reads an error's body without any bound in time.
func TestHostileOpenTrickle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			for range 1000 {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(20 * time.Second):
				case <-r.Context().Done():
					return
				}
			}
		}))
		c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()))
		assert.NoError(t, err)
		defer c.CloseIdleConnections()
		start := time.Now()
		_, err = aplomb.Open(t.Context(), c, http.MethodGet, "/x")
		assert.True(t, err != nil)
		if took := time.Since(start); took > 10*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// TestHostileOpenQuery: Query(name) takes a client's parameter out of a typed
// call; of Open's the defaults put it back, also behind a URL.
func TestHostileOpenQuery(t *testing.T) {
	t.Parallel()
	var seen []string
	srv := aplombtest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.URL.RawQuery) }))
	c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()), aplomb.Query("v", "1"))
	assert.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	for _, opt := range []aplomb.CallOption{aplomb.Query("v"), aplomb.URL("/y?w=2")} {
		_, err = aplomb.Get[struct{}](t.Context(), c, "/x", opt)
		assert.NoError(t, err)
		resp, err := aplomb.Open(t.Context(), c, http.MethodGet, "/x", opt)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		n := len(seen)
		assert.Equal(t, seen[n-1], seen[n-2], "Open's query is not that of Get")
	}
}

// TestHostileLaw05_EphemeralKey: Stripe's ephemeral keys are keys too
// (https://docs.stripe.com/api/ephemeral_keys).
func TestHostileLaw05_EphemeralKey(t *testing.T) {
	t.Parallel()
	key := "ek_" + "live_YWNjdF8xTm90QVJlYWxLZXk"
	assert.NotContains(t, aplomb.Response{}.Redact("the ephemeral key "+key+" has expired"), key)
}
