package aplomb_test

import (
	"context"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// crowd makes n calls at once, the i-th with a Timeout of its own if there is
// one, and returns their errors and how long each took.
func (m *rig) crowd(n int, timeout func(i int) time.Duration) (errs []error, took []time.Duration) {
	return crowd(m.client, n, timeout)
}

func crowd(c *aplomb.Client, n int, timeout func(i int) time.Duration) (errs []error, took []time.Duration) {
	errs, took = make([]error, n), make([]time.Duration, n)
	start := time.Now()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var opts []aplomb.CallOption
			if timeout != nil {
				opts = append(opts, aplomb.Timeout(timeout(i)))
			}
			_, errs[i] = aplomb.Get[order](context.Background(), c, "/v1/orders", opts...)
			took[i] = time.Since(start)
		})
	}
	all.Wait()
	return errs, took
}

// Credentials that are refused, late or not to be had.
func tokenRows() []faultRow {
	atOnce := []time.Duration{0}
	return []faultRow{
		signedRow("36 our clock is 10 minutes behind", 10*time.Minute, ok, postOrder, outcome{
			requests: 2, waits: atOnce, dials: 1, kept: 1, status: 200}),
		signedRow("36 our clock is 10 minutes ahead", -10*time.Minute, ok, getOrder, outcome{
			requests: 2, waits: atOnce, dials: 1, kept: 1, status: 200}),
		signedRow("36 the clock once corrected stays so", 10*time.Minute, ok, warmed(postOrder), outcome{
			requests: 3, waits: []time.Duration{0, 0}, attempts: 1, dials: 1, kept: 1, status: 200}),
		signedRow("36 it was not the clock", 10*time.Minute, status(401), postOrder, outcome{
			requests: 2, waits: atOnce, dials: 1, kept: 1, status: 401, err: "APIError"}),
		guardedRow("37 token revoked", func(m *rig, a *authority) {
			assert.NoError(m.T, getOrder(m))
			a.revoke()
			assert.NoError(m.T, postOrder(m))
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{2, 3})
			assert.Equal(m.T, m.done.Attempts, 2)
		}),
		guardedRow("37 token expires on the way", func(m *rig, a *authority) {
			a.life = 5 * time.Second
			arrive := m.api.steps[0]
			m.api.steps = []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { pause(6 * time.Second); arrive(w, r) }, arrive}
			assert.NoError(m.T, postOrder(m))
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{2, 2})
		}),
		guardedRow("37 every token is refused", func(m *rig, a *authority) {
			a.life = 0
			assert.Equal(m.T, aplomb.StatusCode(postOrder(m)), 401)
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{2, 2})
		}),
		guardedRow("37 token revoked, body that cannot be read again", func(m *rig, a *authority) {
			assert.NoError(m.T, getOrder(m))
			a.revoke()
			assert.NoError(m.T, piped(m)) // net/http's door: the 401 is the answer
			assert.Equal(m.T, m.done.Status, 401)
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{2, 2})
			assert.NoError(m.T, getOrder(m))
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{2, 3})
		}),
		guardedRow("39 a thousand find the token revoked", func(m *rig, a *authority) {
			assert.NoError(m.T, getOrder(m))
			a.revoke()
			a.delay = 260 * time.Millisecond
			errs, _ := m.crowd(1000, nil)
			for _, err := range errs {
				assert.NoError(m.T, err)
			}
			assert.Equal(m.T, a.count(), 2)
			assert.True(m.T, m.api.count() <= 2001, m.api.count()) // once refused, once served
		}),
		oauth2Row("39 a thousand need the first token, then the next", func(m *rig, a *authority) {
			a.delay = 260 * time.Millisecond
			for want := range 2 {
				errs, took := m.crowd(1000, nil)
				for i, err := range errs {
					assert.NoError(m.T, err)
					assert.Equal(m.T, took[i], a.delay)
				}
				assert.Equal(m.T, a.count(), want+1)
				pause(a.life)
			}
		}),
		oauth2Row("38 token endpoint down", func(m *rig, a *authority) {
			a.delay = 20 * time.Millisecond
			a.fail(1000)
			errs, _ := m.crowd(200, nil)
			for _, err := range errs {
				assert.Equal(m.T, typeOf(err), "CallError")
				assert.Contains(m.T, err.Error(), "the OAuth 2.0 token endpoint answered 503")
				assert.Contains(m.T, err.Error(), "(not sent, ")
			}
			// One failure for all, whenever one may be had again.
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{4, 0})
		}),
		oauth2Row("38 token endpoint down for a moment", func(m *rig, a *authority) {
			a.fail(2)
			start := time.Now()
			assert.NoError(m.T, postOrder(m))
			// The failures are remembered for 1.5 s and 3 s, and a tenth is added to each wait.
			assert.Equal(m.T, time.Since(start), 4950*time.Millisecond)
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{3, 1})
		}),
		oauth2Row("38 token endpoint hangs", func(m *rig, a *authority) {
			a.delay = time.Hour
			m.linger = 30 * time.Second // the fetch itself ends with its own client's timeout
			timeout := func(i int) time.Duration { return time.Duration(i+1) * time.Millisecond }
			errs, took := m.crowd(200, timeout)
			for i, err := range errs {
				assert.ErrorIs(m.T, err, context.DeadlineExceeded)
				assert.Equal(m.T, took[i], timeout(i))
			}
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{1, 0})
		}),
		oauth2Row("38 a token that is still good is kept", func(m *rig, a *authority) {
			assert.NoError(m.T, getOrder(m))
			a.fail(1000)
			pause(a.life - 11*time.Second)
			assert.NoError(m.T, getOrder(m))
			assert.Equal(m.T, [2]int{a.count(), m.api.count()}, [2]int{1, 2})
		}),
		{name: "43 two processes share a rotating refresh token", crowd: twoProcesses},
	}
}

func signedRow(name string, skew time.Duration, step http.HandlerFunc, call caller, want outcome) faultRow {
	return faultRow{name: name, steps: []http.HandlerFunc{verifying(skew, step)}, call: call, want: want,
		opts: []aplomb.Option{aplomb.Sign(signer{}), aplomb.TrustDate()}}
}

// guardedRow is a row of a client whose token can be replaced when it is refused,
// oauth2Row one with x/oauth2's source, which keeps its own.
func guardedRow(name string, f func(*rig, *authority)) faultRow {
	return withAuthority(name, (*authority).tokens, f)
}

func oauth2Row(name string, f func(*rig, *authority)) faultRow {
	return withAuthority(name, func(a *authority) aplomb.Option { return aplomb.OAuth2(a.source()) }, f)
}

func withAuthority(name string, auth func(*authority) aplomb.Option, f func(*rig, *authority)) faultRow {
	return faultRow{name: name, crowd: func(m *rig) {
		a := newAuthority(m)
		m.api.steps = []http.HandlerFunc{a.guard(ok)}
		m.connect(auth(a))
		f(m, a)
	}}
}

// twoProcesses are two clients with nothing in common but a file. Killed ones,
// and real processes, are tested in package oauth.
func twoProcesses(m *rig) {
	a := newAuthority(m)
	m.network.Serve("http://localhost", a)
	a.delay = 50 * time.Millisecond
	m.api.steps = []http.HandlerFunc{a.guard(ok)}
	store := oauth.FileStore(filepath.Join(m.TempDir(), "login.json"))
	process := func() aplomb.Option {
		c, err := oauth.New(oauth.Config{TokenURL: "http://localhost/token", ClientID: "id", Transport: a.client.Transport})
		assert.NoError(m.T, err)
		if a.count() == 0 {
			assert.NoError(m.T, c.Adopt(context.Background(), store, aplomb.NewSecret("r0")))
		}
		tokens, err := c.Session(store)
		assert.NoError(m.T, err)
		return tokens
	}
	m.connect(process())
	other, err := m.client.With(process())
	assert.NoError(m.T, err)
	both := func(wantHits int) {
		var all sync.WaitGroup
		for _, c := range []*aplomb.Client{m.client, other} {
			all.Go(func() {
				errs, _ := crowd(c, 20, nil)
				for _, err := range errs {
					assert.True(m.T, err == nil, err)
				}
			})
		}
		all.Wait()
		assert.Equal(m.T, [2]int{a.count(), a.reused}, [2]int{wantHits, 0})
	}
	for n := range 3 {
		both(n + 1)
		pause(a.life)
	}
	both(4)
	a.revoke() // who is refused first asks, and the other finds what it got
	both(5)
}
