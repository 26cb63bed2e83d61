package aplomb_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

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
