package aplomb_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// dating is a server whose clock is ahead by skew and which refuses, with code,
// whoever is off by more than tolerance.
func dating(skew, tolerance time.Duration, code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		theirs := time.Now().Add(skew)
		w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
		signed, err := time.Parse(time.RFC3339Nano, r.Header.Get("X-Signed-At"))
		if err != nil || theirs.Sub(signed).Abs() > tolerance {
			status(code, headers...)(w, r)
			return
		}
		ok(w, r)
	}
}

type timestamper struct{ at []time.Duration }

func (s *timestamper) Sign(r *http.Request, now time.Time) error {
	s.at = append(s.at, time.Until(now))
	r.Header.Set("X-Signed-At", now.Format(time.RFC3339Nano))
	return nil
}

func TestServerTime(t *testing.T) {
	for name, tt := range map[string]struct {
		origin string
		step   http.HandlerFunc
		opts   []aplomb.Option
		want   []time.Duration // by how much each of two requests' signatures were corrected
		status int
	}{
		"right":               {"https://api.test", dating(0, time.Minute, 401), nil, []time.Duration{0, 0}, 0},
		"slow by ten minutes": {"https://api.test", dating(10*time.Minute, time.Minute, 401), nil, []time.Duration{0, 10 * time.Minute, 10 * time.Minute}, 0},
		"fast by ten minutes": {"https://api.test", dating(-10*time.Minute, time.Minute, 401), nil, []time.Duration{0, -10 * time.Minute, -10 * time.Minute}, 0},
		"answered 403":        {"https://api.test", dating(10*time.Minute, time.Minute, 403), nil, []time.Duration{0, 10 * time.Minute, 10 * time.Minute}, 0},
		"answered 400":        {"https://api.test", dating(10*time.Minute, time.Minute, 400), nil, []time.Duration{0, 10 * time.Minute, 10 * time.Minute}, 0},
		"answered 404":        {"https://api.test", dating(10*time.Minute, time.Minute, 404), nil, []time.Duration{0, 10 * time.Minute}, 0},
		"it was not the time": {"https://api.test", dating(10*time.Minute, -1, 401), nil, []time.Duration{0, 10 * time.Minute, 10 * time.Minute}, 401},
		"half a second":       {"https://api.test", dating(500*time.Millisecond, 0, 401), nil, []time.Duration{0, 0}, 401},
		"an hour and more":    {"https://api.test", dating(time.Hour+2*time.Second, time.Minute, 401), nil, []time.Duration{0, 0}, 401},
		"from a cache":        {"https://api.test", dating(10*time.Minute, time.Minute, 401, "Age", "600"), nil, []time.Duration{0, 0}, 401},
		"no Date":             {"https://api.test", status(401, "Date", "soon"), nil, []time.Duration{0, 0}, 401},
		"over http":           {"http://api.test", dating(10*time.Minute, time.Minute, 401), nil, []time.Duration{0, 0}, 401},
		"over http, when asked": {"http://api.test", dating(10*time.Minute, time.Minute, 401), []aplomb.Option{aplomb.TrustDate()},
			[]time.Duration{0, 10 * time.Minute, 10 * time.Minute}, 0},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			n := aplombtest.NewNetwork(t)
			h := script(tt.step)
			n.Serve(tt.origin, h)
			var signer timestamper
			c := newClientAt(t, tt.origin, append(tt.opts, aplomb.Transport(n.Transport()), aplomb.Sign(&signer))...)
			_, _ = post(t, c)
			_, err := post(t, c)
			assert.Equal(t, aplomb.StatusCode(err), tt.status)
			assert.Equal(t, signer.at, tt.want)
			assert.Equal(t, h.count(), len(tt.want))
		})
	}
}

// A Date tells whole seconds: within them a correction that may be right stays
// as it is, and so does none.
func TestServerTimeIsSteady(t *testing.T) {
	for _, skew := range []time.Duration{0, 10 * time.Minute} {
		bubbleCase(t, skew.String(), func(t *testing.T) {
			var signer timestamper
			c := newClient(t, aplombtest.NewServer(t, script(slowly(dating(skew, time.Hour, 401)))), aplomb.Sign(&signer), aplomb.TrustDate())
			for range 10 {
				pause(370 * time.Millisecond)
				_, err := get(t, c)
				assert.NoError(t, err)
			}
			for _, at := range signer.at[1:] {
				assert.True(t, (at-skew).Abs() <= time.Second && at <= skew, at)
				if skew == 0 {
					assert.Equal(t, at, 0)
				}
			}
			assert.Equal(t, signer.at[9], signer.at[5])
		})
	}
}

// A clock that is off and may not be corrected is named.
func TestClockHint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(dating(10*time.Minute, time.Minute, 401))
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Sign(&timestamper{})))
		assert.Contains(t, err.Error(), "the server's clock is 10m0s ahead of ours, and its Date was not believed: see ServerTime and TrustDate")
		_, err = get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Bearer(aplomb.Static("t0ken"))))
		assert.NotContains(t, err.Error(), "clock")
		_, err = get(t, newClient(t, aplombtest.NewServer(t, script(dating(30*time.Second, 0, 401))), aplomb.Sign(&timestamper{})))
		assert.NotContains(t, err.Error(), "clock") // not for so little
	})
}

// A transport that signs asks as well.
func TestServerTimeInATransport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(dating(-10*time.Minute, time.Minute, 401)))
		next := n.Transport()
		var signer timestamper
		c := newClientAt(t, "https://api.test", aplomb.Bearer(aplomb.Static("token")), aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			own := r.Clone(r.Context())
			if err := signer.Sign(own, aplomb.ServerTime(r)); err != nil {
				return nil, err
			}
			return next.RoundTrip(own)
		})))
		_, err := get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, signer.at, []time.Duration{0, -10 * time.Minute})
	})
}

// Outside an attempt there is no server to ask.
func TestServerTimeElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, _ := http.NewRequestWithContext(context.Background(), "GET", "https://api.test", http.NoBody)
		assert.Equal(t, aplomb.ServerTime(r), time.Now())
	})
}

// A clock is one origin's, shared by With, and known again after hours.
func TestServerTimePerOrigin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(dating(10*time.Minute, time.Minute, 401)))
		n.Serve("https://files.test", script(dating(-20*time.Minute, time.Minute, 401)))
		var signer timestamper
		auth := aplomb.Sign(&signer)
		auth.Origins = []string{"https://files.test"}
		c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), auth)
		for range 2 {
			_, err := get(t, c)
			assert.NoError(t, err)
			_, err = aplomb.Get[order](context.Background(), c, "/f", aplomb.URL("https://files.test/f"))
			assert.NoError(t, err)
			c, err = c.With()
			assert.NoError(t, err)
		}
		minute := time.Minute
		assert.Equal(t, signer.at, []time.Duration{0, 10 * minute, 0, -20 * minute, 10 * minute, -20 * minute})
	})
}

// A signature covers what the other credentials put on the request.
func TestSignIsLast(t *testing.T) {
	bubbleCase(t, "of all", func(t *testing.T) {
		h := script(ok)
		sign := aplomb.Sign(signerFunc(func(r *http.Request, _ time.Time) error {
			r.Header.Set("X-Covered", r.Header.Get("X-Api-Key")+" "+r.Header.Get("Idempotency-Key")+" "+r.URL.Query().Get("k"))
			return nil
		}))
		c := newClient(t, aplombtest.NewServer(t, h), sign, aplomb.APIKey("X-Api-Key", aplomb.Static("key-1")), aplomb.APIKeyQuery("k", aplomb.Static("key-2")))
		_, err := post(t, c, aplomb.IdempotencyKey("i-1"))
		assert.NoError(t, err)
		assert.Equal(t, h.request(0).Header.Get("X-Covered"), "key-1 i-1 key-2")
	})
	bubbleCase(t, "in order", func(t *testing.T) {
		h := script(ok)
		add := func(s string) aplomb.Option {
			return aplomb.Sign(signerFunc(func(r *http.Request, _ time.Time) error {
				r.Header.Add("X-Signed", s)
				return nil
			}))
		}
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), add("first"), aplomb.Bearer(aplomb.Static("t0ken")), add("second")))
		assert.NoError(t, err)
		assert.Equal(t, h.request(0).Header.Values("X-Signed"), []string{"first", "second"})
	})
	_, err := aplomb.New("http://api.test", aplomb.Sign(nil))
	assert.Contains(t, err.Error(), "the Signer is nil")
}

type signerFunc func(*http.Request, time.Time) error

func (f signerFunc) Sign(r *http.Request, now time.Time) error { return f(r, now) }
