package stripe_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// TestHostileShared: one client, one set of options, parameters and extras under
// retries, hedges, redirects and middlewares that keep what they see: nobody sees
// another's key, body or headers. Meant for -race.
func TestHostileShared(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	bodies, keys := map[string]string{}, map[string]map[string]bool{}
	n := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // cancelled half-way: the other of two was answered
		}
		key := r.Header.Get("Idempotency-Key")
		mu.Lock()
		n++
		turn := n
		if old, ok := bodies[key]; key != "" && ok && old != string(body) {
			t.Errorf("key %s has two bodies: %s and %s", key, old, body)
		}
		bodies[key] = string(body)
		who := string(body)
		if keys[who] == nil {
			keys[who] = map[string]bool{}
		}
		keys[who][key] = true
		mu.Unlock()
		if r.Header.Get("Stripe-Version") != stripe.Version || r.Header.Get("Authorization") != "Bearer "+testKey || r.Header.Get("X-Mw") != "" {
			t.Errorf("headers: %v", r.Header)
		}
		switch turn % 7 {
		case 0:
			http.Redirect(w, r, r.URL.RequestURI(), http.StatusTemporaryRedirect)
			return
		case 1:
			answer(503, "application/json", jsonError("api_error", "")).ServeHTTP(w, r)
			return
		case 2:
			pause(5 * time.Millisecond)
		}
		answer(200, "application/json", `{"id":"cus_1","metadata":{"k":"v"},"has_more":false,"data":[{"id":"cus_1"}]}`).ServeHTTP(w, r)
	})
	var kept sync.Map
	keep := func(next http.RoundTripper) http.RoundTripper {
		return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			kept.Store(r, fmt.Sprint(r.Header))
			own := r.Clone(r.Context())
			own.Header.Set("X-Seen", "1")
			return next.RoundTrip(own)
		})
	}
	for name, opts := range map[string][]aplomb.Option{
		"plain":   {aplomb.Hedge{After: time.Millisecond}},
		"percall": {aplomb.Hedge{After: time.Millisecond}, aplomb.PerCall(keep)},
		"attempt": {aplomb.Hedge{After: time.Millisecond}, aplomb.PerAttempt(keep)},
	} {
		srv := aplombtest.NewServer(t, h)
		sc, err := stripe.NewAt(srv.URL, aplomb.Static(testKey), append(opts, aplomb.Transport(srv.Transport()), aplomb.NoRateLimit(),
			aplomb.Retry{MinBackoff: time.Millisecond})...)
		assert.NoError(t, err)
		t.Cleanup(sc.API().CloseIdleConnections)
		shared := make([]aplomb.CallOption, 0, 16)
		shared = append(shared, stripe.Account("acct_1"), aplomb.Operation("x"))
		extra := url.Values{"a[b]": {"1", "2"}}
		meta := map[string]string{"k": "v", "z": "y"}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 15 {
					who := fmt.Sprintf("%s-%d-%d@example.com", name, g, i)
					_, err := sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{Email: who, Metadata: meta, Extra: extra}, shared...)
					if err != nil && aplomb.StatusCode(err) != http.StatusServiceUnavailable { // four times in a row, by chance
						t.Error(err)
					}
					_, _ = aplomb.Collect(sc.Customers.List(t.Context(), stripe.CustomerListParams{Extra: extra}, append(shared[:2:2], aplomb.Prefetch())...))
					_, _ = stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.txt", strings.NewReader(who), evidence, shared...)
				}
			})
		}
		wg.Wait()
		kept.Range(func(r, was any) bool {
			if now := fmt.Sprint(r.(*http.Request).Header); now != was {
				t.Errorf("%s: the headers a middleware was shown have changed: %v, were %v", name, now, was)
			}
			return true
		})
	}
	for who, all := range keys {
		if strings.HasPrefix(who, "email=") && len(all) != 1 {
			t.Errorf("%s went under %d keys", who, len(all))
		}
	}
}
