package aplomb_test

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// Law 14: what a call allocates, with all defaults and a credential, beyond what the
// transport and encoding/json do. bench/call counts the whole, beside other clients.
func TestLaw14_CallAllocations(t *testing.T) {
	const answered = `{"id":"o_1","amount":25}`
	answer := func(r *http.Request) *http.Response {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(answered)), ContentLength: int64(len(answered)), Request: r}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.test/v1/orders", http.NoBody)
	assert.NoError(t, err)
	inner := fewestAllocations(func() { runtime.KeepAlive(answer(req)) })
	c := newClientAt(t, "http://api.test", aplomb.Bearer(aplomb.Static("a-token-of-some-length")),
		aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) { return answer(r), nil })))
	ctx, raw, sent := t.Context(), []byte(answered), order{ID: "o_1"}
	for name, tt := range map[string]struct {
		want float64
		call func() error
	}{
		"GET": {18, func() error {
			_, err := aplomb.Get[[]byte](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
			return err
		}},
		"POST": {26, func() error {
			_, err := aplomb.Post[[]byte](ctx, c, "/v1/orders", aplomb.Body("application/json", func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(raw)), nil
			}))
			return err
		}},
		"POST of a value": {27, func() error {
			_, err := aplomb.Post[[]byte](ctx, c, "/v1/orders", aplomb.JSON(&sent))
			return err
		}},
		"GET by Do": {19, func() error {
			resp, err := c.Do(req)
			if err == nil {
				err = resp.Body.Close()
			}
			return err
		}},
	} {
		own := fewestAllocations(func() {
			if err := tt.call(); err != nil {
				t.Fatal(err)
			}
		}) - inner
		if own != tt.want {
			t.Errorf("%s allocates %v times, not %v: if that is fewer, say so here", name, own, tt.want)
		}
	}
}

// fewestAllocations is what f allocates where no sync.Pool has lost what it was given: now
// and then it does, and under the race detector one time in four.
func fewestAllocations(f func()) float64 {
	fewest := testing.AllocsPerRun(100, f)
	for range 100 {
		fewest = min(fewest, testing.AllocsPerRun(1, f))
	}
	return fewest
}
