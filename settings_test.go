package aplomb_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// What the caller does to a slice after it was given changes nothing.
func TestSlicesAreCopied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		foreign := script(ok)
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(body("[]")))
		n.Serve("https://evil.test", foreign)
		auth := aplomb.Bearer(aplomb.Static("token"))
		auth.Origins = []string{"https://files.test"}
		statuses := []int{200}
		c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), auth, aplomb.Expect(statuses...))
		auth.Origins[0], statuses[0] = "https://evil.test", 500
		_, err := aplomb.Get[order](context.Background(), c, "/x", aplomb.URL("https://evil.test/x"))
		assert.NoError(t, err)
		assert.Equal(t, foreign.request(0).Header.Get("Authorization"), "")

		opts := []aplomb.CallOption{aplomb.Query("q", "1")}
		list := aplomb.Items[order](context.Background(), c, "/x", aplomb.ByLink{}, opts...)
		ctx := aplomb.NewContext(context.Background(), opts...)
		opts[0] = nil
		for _, err := range list {
			assert.NoError(t, err)
		}
		_, err = aplomb.Get[[]order](ctx, c, "/x")
		assert.NoError(t, err)
	})
}

// What net/http would take for a faulty query is sent on as it came, whatever
// is added to it.
func TestQueryWithSemicolonIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.APIKeyQuery("key", aplomb.Static("s")), aplomb.Query("v", "1"))
		assert.NoError(t, doThrough(context.Background(), c.Do, "http://api.test/x?filter=a;b&page=2", [2]string{}))
		for _, part := range []string{"filter=a;b", "page=2", "key=s", "v=1"} {
			assert.Contains(t, h.request(0).URL.RawQuery, part)
		}
	})
}

// A key in a context belongs to that context, not to those around it.
func TestInnerKeyLeavesTheOuterOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h))
		outer := aplomb.NewContext(context.Background(), aplomb.IdempotencyKey("outer"))
		inner := aplomb.NewContext(outer, aplomb.IdempotencyKey("inner"))
		for _, ctx := range []context.Context{inner, outer} {
			_, err := aplomb.Post[order](ctx, c, "/x")
			assert.NoError(t, err)
		}
		assert.Equal(t, h.request(0).Header.Get("Idempotency-Key"), "inner")
		assert.Equal(t, h.request(1).Header.Get("Idempotency-Key"), "outer")
	})
}

// A bound that the caller's transport sets is not widened.
func TestTransportKeepsItsBounds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := aplombtest.NewServer(t, script(body("1", "X-Long", strings.Repeat("x", 100<<10))))
		tr := s.Transport()
		tr.MaxResponseHeaderBytes = 64 << 10
		_, err := get(t, newClientAt(t, s.URL, aplomb.Transport(tr)))
		assert.Contains(t, fmt.Sprint(err), "response headers exceeded 65536 bytes")
	})
}

// A request taken from a redirected answer and sent again is a call of its own.
func TestReusedRequestHasAKeyOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(307, "Location", "/y"), ok)
		hc := newClient(t, aplombtest.NewServer(t, h), aplomb.Idempotency{}).HTTPClient()
		resp, err := hc.Post("http://api.test/x", "text/plain", strings.NewReader("a"))
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		again := resp.Request.Clone(context.Background())
		again.Header.Del("Idempotency-Key")
		again.Body, again.GetBody = io.NopCloser(strings.NewReader("b")), nil
		resp, err = hc.Transport.RoundTrip(again)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		first, second := h.request(1).Header.Get("Idempotency-Key"), h.request(2).Header.Get("Idempotency-Key")
		assert.True(t, second != "" && second != first, first, second)
	})
}

// A credential that changes a header's values in place does so for its own request.
func TestClientHeadersOutliveACredential(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Header("X-Tenant", "one"))
		_, err := get(t, c, aplomb.AuthFunc(func(r *http.Request) error { r.Header["X-Tenant"][0] = "two"; return nil }))
		assert.NoError(t, err)
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.request(0).Header.Get("X-Tenant"), "two")
		assert.Equal(t, h.request(1).Header.Get("X-Tenant"), "one")
	})
}

// A transport may rewrite where its request goes, as one to a gateway does: the retry has
// its credential all the same, and links are those of the call.
func TestTransportMayRewriteItsRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503), ok)
		gateway := aplombtest.NewServer(t, h).Transport()
		c := newClientAt(t, "https://api.test", aplomb.Bearer(aplomb.Static("token")), aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			r.URL.Scheme = "http"
			return gateway.RoundTrip(r)
		})))
		var got aplomb.Response
		_, err := get(t, c, aplomb.Capture(&got))
		assert.NoError(t, err)
		assert.Equal(t, h.count(), 2)
		assert.Equal(t, h.request(1).Header.Get("Authorization"), "Bearer token")
		assert.Equal(t, got.Resolve("/y"), "https://api.test/y")
	})
}

// Many calls at once keep what is their own to themselves, through retries, hedges,
// redirects and ends of all kinds: what they begin with is the same for all.
func TestCallsAtOnceKeepApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var keys sync.Map // whose body each is of
		var good, wrong atomic.Int64
		s := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				return // its caller has gone
			}
			of, _ := keys.LoadOrStore(r.Header.Get("Idempotency-Key"), string(raw))
			has := func(name string) bool { return r.Header.Get(name) != "" }
			if of != string(raw) || has("Idempotency-Key") != (r.Method == http.MethodPost) || !has("X-Tenant") ||
				has("Authorization") == (r.URL.Path == "/open") || has("X-Own") != (r.URL.Path == "/own") {
				wrong.Add(1)
			}
			switch rand.IntN(6) {
			case 0:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 1:
				http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
			case 2:
				pause(5 * time.Millisecond)
			}
			ok(w, r)
		}))
		c := newClient(t, s, aplomb.Header("X-Tenant", "one"), aplomb.Bearer(aplomb.Static("token")), aplomb.Idempotency{}, aplomb.NoBreaker(),
			aplomb.Retry{MinBackoff: time.Millisecond}, aplomb.Hedge{After: 2 * time.Millisecond})
		var all sync.WaitGroup
		for i := range 640 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rand.IntN(40))*time.Millisecond)
				defer cancel()
				if sendAnyhow(ctx, c, s.URL, i) == nil {
					good.Add(1)
				}
			})
		}
		all.Wait()
		assert.True(t, good.Load() > 0)
		assert.Equal(t, wrong.Load(), 0)
	})
}

// sendAnyhow sends the i-th request in one of the ways there are.
func sendAnyhow(ctx context.Context, c *aplomb.Client, address string, i int) (err error) {
	switch id := strconv.Itoa(i); i % 5 {
	case 0:
		_, err = aplomb.Get[order](ctx, c, "/orders")
	case 1:
		_, err = aplomb.Post[order](ctx, c, "/orders", aplomb.JSON(order{ID: id}))
	case 2:
		_, err = aplomb.Get[order](ctx, c, "/open", aplomb.NoAuth())
	case 3:
		_, err = aplomb.Get[order](ctx, c, "/{id}", aplomb.Path("id", "own"), aplomb.Header("X-Own", id))
	default:
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, address+"/own", strings.NewReader(id))
		req.Header.Set("X-Own", id)
		var resp *http.Response
		if resp, err = c.Do(req); err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		req.Header.Set("X-Own", "it is the caller's again")
	}
	return err
}
