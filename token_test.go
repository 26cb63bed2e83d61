package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// issuer issues t1, t2, ... for an hour each, after delay, unless it is down.
type issuer struct {
	mu    sync.Mutex
	life  time.Duration
	delay time.Duration
	down  error
	count int
	lasts []string
}

func newIssuer(t *testing.T) (*issuer, *aplomb.Tokens) {
	t.Helper()
	i := &issuer{life: time.Hour}
	return i, aplomb.Fixed(&aplomb.Tokens{Fetch: i.fetch})
}

func (i *issuer) fetch(ctx context.Context, last aplomb.Token) (aplomb.Token, error) {
	i.mu.Lock()
	i.count++
	n, delay, down, life := i.count, i.delay, i.down, i.life
	i.lasts = append(i.lasts, last.Value.Reveal())
	i.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return aplomb.Token{}, ctx.Err()
	}
	if down != nil {
		return aplomb.Token{}, down
	}
	token := aplomb.Token{Value: aplomb.NewSecret(fmt.Sprintf("t%d", n))}
	if life > 0 {
		token.Expiry = time.Now().Add(life)
	}
	return token, nil
}

func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func (i *issuer) fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count
}

func value(t *testing.T, tokens *aplomb.Tokens) string {
	t.Helper()
	token, err := tokens.Token(context.Background())
	if err != nil {
		return "error: " + err.Error()
	}
	return token.Value.Reveal()
}

// down is a status that says the issuer is away.
var errIssuerDown = &aplomb.APIError{Client: "issuer", Operation: "POST /issue", StatusCode: 503}

func TestTokensOneRefreshForAThousand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		i.delay = 260 * time.Millisecond
		c := newClient(t, aplombtest.NewServer(t, script(ok)), tokens)
		for want := range 3 {
			errs, took := crowd(c, 1000, nil)
			for n, err := range errs {
				assert.True(t, err == nil, err)
				assert.Equal(t, took[n], i.delay)
			}
			assert.Equal(t, i.fetches(), want+1)
			time.Sleep(i.life)
		}
	})
}

// The endpoint is down: one request, and the same error for all, each within
// its own deadline.
func TestTokensOneFailureForAThousand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), tokens)
		_, err := get(t, c)
		assert.NoError(t, err)
		time.Sleep(i.life)
		i.set(func(i *issuer) { i.down, i.delay = errIssuerDown, 20*time.Millisecond })
		errs, took := crowd(c, 1000, func(n int) time.Duration { return time.Duration(20+n)*time.Millisecond - time.Duration(n/1000) })
		texts := map[string]int{}
		for n, err := range errs {
			assert.True(t, took[n] <= 20*time.Millisecond, took[n])
			if errors.Is(err, context.DeadlineExceeded) {
				continue // the one whose deadline is the answer's own instant
			}
			texts[strings.Split(err.Error(), " (not sent")[0]]++
			assert.ErrorIs(t, err, errIssuerDown)
			e, _ := errors.AsType[*aplomb.CallError](err)
			assert.Equal(t, time.Until(e.ReadyAt), time.Second)
		}
		assert.True(t, len(texts) == 1, texts)
		assert.Equal(t, [2]int{i.fetches(), h.count()}, [2]int{2, 1})
	})
}

// Patient calls outlast an outage of the endpoint: they wait until the failure
// is forgotten, and then one asks for all.
func TestTokensPatientCallsOutlastAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		i.down = errIssuerDown
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, script(ok)), tokens), 0)
		time.AfterFunc(2*time.Second, func() { i.set(func(i *issuer) { i.down = nil }) })
		start := time.Now()
		errs, _ := crowd(c, 100, nil)
		for _, err := range errs {
			assert.True(t, err == nil, err)
		}
		assert.Equal(t, time.Since(start), 3*time.Second) // remembered for 1 s, then for 2
		assert.Equal(t, i.fetches(), 3)
	})
}

// A call that ends while it waits for a token says why there was none before.
func TestTokensCauseOfAWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		i.down = errIssuerDown
		c := newClient(t, aplombtest.NewServer(t, script(ok)), tokens)
		time.AfterFunc(time.Second/2, func() { i.set(func(i *issuer) { i.delay = time.Minute }) })
		_, err := get(t, c, aplomb.Timeout(20*time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Contains(t, err.Error(), "total timeout after 20s, waiting for a credential after issuer: POST /issue: 503")
		time.Sleep(time.Minute)
		i.set(func(i *issuer) { i.delay, i.down = 0, nil })
		_, err = get(t, c)
		assert.NoError(t, err)
		time.Sleep(i.life)
		i.set(func(i *issuer) { i.delay = time.Hour })
		_, err = get(t, c, aplomb.Timeout(time.Second))
		assert.NotContains(t, err.Error(), "credential after") // that is over
		time.Sleep(30 * time.Second)
	})
}

func TestTokensHungEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		i.delay = time.Hour
		c := newClient(t, aplombtest.NewServer(t, script(ok)), tokens)
		errs, took := crowd(c, 100, func(n int) time.Duration { return time.Duration(n+1) * 100 * time.Millisecond })
		for n, err := range errs {
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, took[n], time.Duration(n+1)*100*time.Millisecond)
		}
		assert.Equal(t, i.fetches(), 1)
		start := time.Now()
		_, err := tokens.Token(context.Background())
		assert.Equal(t, time.Since(start), 20*time.Second) // the Fetch began 10 s ago
		assert.Contains(t, err.Error(), "token fetch timeout after 30s")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A token is fetched anew early, in the background, and served until its end
// while that fails.
func TestTokensEarlyRefresh(t *testing.T) {
	for name, tt := range map[string]struct{ life, early, wantAt time.Duration }{
		"five minutes before": {life: time.Hour, wantAt: 55 * time.Minute},
		"as configured":       {life: time.Hour, early: time.Minute, wantAt: 59 * time.Minute},
		"a quarter of a life": {life: 8 * time.Second, wantAt: 6 * time.Second},
		"a second":            {life: time.Second, early: time.Minute, wantAt: 750 * time.Millisecond},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			i, tokens := newIssuer(t)
			i.life, i.delay, tokens.Early = tt.life, time.Millisecond, tt.early
			assert.Equal(t, value(t, tokens), "t1")
			token, _ := tokens.Token(context.Background())
			assert.NotContains(t, token.Expiry.String(), "m=") // a clock that stands still while the machine sleeps
			time.Sleep(tt.wantAt - 2*time.Millisecond)
			assert.Equal(t, value(t, tokens), "t1")
			assert.Equal(t, i.fetches(), 1)
			time.Sleep(2 * time.Millisecond)
			assert.Equal(t, value(t, tokens), "t1") // at once: the refresh is in the background
			time.Sleep(time.Millisecond)
			synctest.Wait()
			assert.Equal(t, value(t, tokens), "t2")
			assert.Equal(t, i.fetches(), 2)
		})
	}
}

func TestTokensServedWhileRefreshFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		var events []aplomb.TokenEvent
		tokens.Watch = func(e aplomb.TokenEvent) { events = append(events, e) }
		assert.Equal(t, value(t, tokens), "t1")
		i.set(func(i *issuer) { i.down = errors.New("issuer away") })
		time.Sleep(55 * time.Minute)
		for range 5 * 60 { // once a second until its end
			assert.Equal(t, value(t, tokens), "t1")
			time.Sleep(time.Second)
		}
		assert.Contains(t, value(t, tokens), "issuer away")
		var gaps []time.Duration
		for n := range len(events) - 2 {
			gaps = append(gaps, events[n+2].RetryAt.Sub(events[n+1].RetryAt))
		}
		// It is tried again after 1, 2, 4, ... and at last every 30 s.
		assert.Equal(t, gaps[:6], []time.Duration{2 * sec, 4 * sec, 8 * sec, 16 * sec, 30 * sec, 30 * sec})
		assert.True(t, events[0].Err == nil && !events[0].Expiry.IsZero() && events[1].Err != nil)
		i.set(func(i *issuer) { i.down = nil })
		time.Sleep(30 * time.Second)
		assert.Equal(t, value(t, tokens), fmt.Sprintf("t%d", i.fetches()))

		// What failed is forgotten: the next failure is the first one again.
		i.set(func(i *issuer) { i.down = errors.New("issuer away") })
		time.Sleep(time.Hour)
		assert.Contains(t, value(t, tokens), "issuer away")
		assert.Equal(t, events[len(events)-1].RetryAt, time.Now().Add(time.Second))
	})
}

// A Fetch that needs its own token is told so, at once.
func TestTokensOfTheirOwnClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(body(`{"id":"t1"}`), ok)
		var c *aplomb.Client
		var opts []aplomb.CallOption
		tokens := aplomb.Fixed(&aplomb.Tokens{Fetch: func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
			o, err := aplomb.Post[order](ctx, c, "/login", opts...)
			return aplomb.Token{Value: aplomb.NewSecret(o.ID)}, err
		}})
		c = newClient(t, aplombtest.NewServer(t, h), tokens)
		start := time.Now()
		_, err := get(t, c)
		assert.Contains(t, fmt.Sprint(err), "Tokens.Fetch needs what it is to fetch, so give it a client of its own")
		assert.Equal(t, time.Since(start), 0)
		opts = append(opts, aplomb.NoAuth())
		time.Sleep(time.Second)
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.count(), 2)
	})
}

const sec = time.Second

// A caller that starts a fetch lends it its values, but neither its end nor the
// settings of its call.
func TestTokensFetchIsDetached(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type key struct{}
		issuerAPI := script(body(`{"id":"t1"}`))
		issuer := newClient(t, aplombtest.NewServer(t, issuerAPI))
		var seen any
		tokens := &aplomb.Tokens{Fetch: func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
			seen = ctx.Value(key{})
			time.Sleep(time.Second)
			o, err := aplomb.Post[order](ctx, issuer, "/token")
			return aplomb.Token{Value: aplomb.NewSecret(o.ID)}, err
		}}
		c := newClient(t, aplombtest.NewServer(t, script(ok)), tokens)
		ctx := aplomb.NewContext(context.WithValue(t.Context(), key{}, "trace"), aplomb.IdempotencyKey("the call's own"), aplomb.Header("X-Tenant", "a"))
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, err := aplomb.Post[order](ctx, c, "/v1/orders")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, seen, any("trace"))
		assert.Equal(t, issuerAPI.count(), 1)
		assert.Equal(t, issuerAPI.request(0).Header.Get("Idempotency-Key"), "")
		assert.Equal(t, issuerAPI.request(0).Header.Get("X-Tenant"), "")
		assert.Equal(t, value(t, tokens), "t1") // nobody waited, and it is there
	})
}

func TestTokensBadFetch(t *testing.T) {
	for name, tt := range map[string]struct {
		fetch func() (aplomb.Token, error)
		want  string
	}{
		"panics": {func() (aplomb.Token, error) { panic("password=hunter22") }, "Tokens.Fetch panicked: password=[redacted]"},
		"exits":  {func() (aplomb.Token, error) { runtime.Goexit(); return aplomb.Token{}, nil }, "Tokens.Fetch ended its goroutine"},
		"empty":  {func() (aplomb.Token, error) { return aplomb.Token{}, nil }, "Tokens.Fetch returned an empty token"},
		"secret": {func() (aplomb.Token, error) { return aplomb.Token{}, errors.New("client_secret=hunter22") }, "client_secret=[redacted]"},
		"expired": {func() (aplomb.Token, error) {
			return aplomb.Token{Value: aplomb.NewSecret("old"), Expiry: time.Now()}, nil
		}, ""},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			tokens := &aplomb.Tokens{Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) { return tt.fetch() }}
			for range 2 {
				_, err := tokens.Token(context.Background())
				if tt.want == "" {
					assert.NoError(t, err) // used once, and never kept
					continue
				}
				assert.Contains(t, fmt.Sprint(err), tt.want)
				assert.NotContains(t, fmt.Sprint(err), "hunter22")
			}
		})
	}
}

func TestTokensInvalid(t *testing.T) {
	t.Parallel()
	for want, tokens := range map[string]*aplomb.Tokens{
		"Tokens.Fetch is nil":   {},
		"Tokens.Early: -1s":     {Fetch: (&issuer{}).fetch, Early: -sec},
		"Tokens.Timeout: 5ns":   {Fetch: (&issuer{}).fetch, Timeout: 5},
		"is not an origin":      {Fetch: (&issuer{}).fetch, Origins: []string{"files.test"}},
		"request option 1 is n": nil,
	} {
		_, err := aplomb.Get[order](context.Background(), newClientAt(t, "http://api.test"), "/x", tokens)
		assert.Contains(t, fmt.Sprint(err), want)
	}
	_, err := (*aplomb.Tokens)(nil).Token(context.Background())
	assert.Contains(t, fmt.Sprint(err), "Tokens.Fetch is nil")
}

// guarded lets through who carries the newest token, and counts.
func guarded(i *issuer, step http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", i.fetches()) {
			status(401)(w, r)
			return
		}
		step(w, r)
	}
}

// A 401 ends the token for all that carried it, and only that one.
func TestTokens401EndsAGeneration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		h := script(slowly(guarded(i, ok)))
		c := newClient(t, aplombtest.NewServer(t, h), tokens)
		_, err := get(t, c)
		assert.NoError(t, err)
		i.set(func(i *issuer) { i.count++; i.delay = 50 * time.Millisecond }) // t1 is revoked
		errs, took := crowd(c, 100, nil)
		for n, err := range errs {
			assert.True(t, err == nil, err)
			assert.Equal(t, took[n], i.delay+2*41*time.Millisecond)
		}
		assert.Equal(t, i.fetches(), 3)
		assert.Equal(t, i.lasts, []string{"", "t1"})
		assert.Equal(t, h.count(), 201)
	})
}

// A token that is refused before it was ever accepted says more of the API than
// of the token: the issuer is not asked at the API's pace.
func TestTokensRefusedAtSight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		h := script(status(401))
		c := newClient(t, aplombtest.NewServer(t, h), tokens)
		for range 10 * 60 {
			_, err := get(t, c)
			assert.Equal(t, aplomb.StatusCode(err), 401)
			time.Sleep(100 * time.Millisecond)
		}
		// One to begin with and one for each of three calls; then after 1, 2, 4, 8, 16 s and not for another 30 s.
		assert.Equal(t, i.fetches(), 9)
		assert.Equal(t, h.count(), 10*60+8)
	})
}

// refusing answers with the statuses of a plan, one a request.
type refusing struct {
	issuer *issuer
	plan   []int
}

func (r *refusing) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	code := r.plan[0]
	r.plan = r.plan[1:]
	if code == 200 {
		ok(w, req)
		return
	}
	status(code)(w, req)
}

// Three refusals have a token replaced at once, further ones ever later, until
// one has been accepted for half a minute.
func TestTokensPaceBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		replaced := []int{401, 200}
		h := &refusing{issuer: i, plan: slices.Concat([]int{200}, replaced, replaced, replaced, []int{401, 401}, replaced, []int{401}, replaced, []int{200}, replaced, replaced)}
		c := newClient(t, aplombtest.NewServer(t, h), tokens)
		at := func(after time.Duration, want, tokens int) {
			time.Sleep(after)
			_, err := get(t, c)
			assert.Equal(t, aplomb.StatusCode(err), want)
			assert.Equal(t, i.fetches(), tokens)
		}
		for n := range 4 {
			at(0, 0, n+1)
		}
		at(0, 401, 4)
		at(999*time.Millisecond, 401, 4)
		at(time.Millisecond, 0, 5)
		at(1999*time.Millisecond, 401, 5)
		at(time.Millisecond, 0, 6)
		at(30*time.Second, 0, 6) // accepted, for long enough
		at(0, 0, 7)
		at(0, 0, 8)
	})
}

// A path that answers 401 to everybody has the issuer asked ever less.
func TestTokens401OfOnePath(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		c := newClient(t, aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/forbidden" {
				status(401)(w, r)
				return
			}
			ok(w, r)
		})), tokens)
		for range 10 * 60 {
			_, err := get(t, c)
			assert.NoError(t, err)
			_, err = aplomb.Get[order](context.Background(), c, "/forbidden")
			assert.Equal(t, aplomb.StatusCode(err), 401)
			time.Sleep(100 * time.Millisecond)
		}
		assert.True(t, i.fetches() <= 11, i.fetches())
	})
}

// A token that is over when it comes, because a clock is wrong, is used all the
// same, and not fetched again for each call.
func TestTokensDeadOnArrival(t *testing.T) {
	for name, change := range map[string]func(*aplomb.Token){
		"ended": func(token *aplomb.Token) { token.Expiry = time.Now().Add(-time.Hour) },
		"old":   func(token *aplomb.Token) { token.RefreshAt = time.Now().Add(-time.Second) },
	} {
		bubbleCase(t, name, func(t *testing.T) {
			i, tokens := newIssuer(t)
			tokens.Fetch = func(ctx context.Context, last aplomb.Token) (aplomb.Token, error) {
				token, err := i.fetch(ctx, last)
				change(&token)
				return token, err
			}
			c := newClient(t, aplombtest.NewServer(t, script(ok)), tokens)
			for range 600 {
				_, err := get(t, c)
				assert.NoError(t, err)
				time.Sleep(100 * time.Millisecond)
			}
			assert.True(t, i.fetches() <= 7, i.fetches()) // at 0, 1, 3, 7, 15, 31 s
		})
	}
}

// A Fetch that heeds no context holds nobody beyond Timeout; it is not called
// again until it returns, and what it brings late is welcome.
func TestTokensFetchThatHeedsNoContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fetches := 0
		tokens := aplomb.Fixed(&aplomb.Tokens{Timeout: sec, Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
			fetches++
			time.Sleep(time.Minute)
			return aplomb.Token{Value: aplomb.NewSecret("late"), Expiry: time.Now().Add(time.Hour)}, nil
		}})
		for range 5 {
			assert.Contains(t, value(t, tokens), "token fetch timeout after 1s")
			time.Sleep(10 * time.Second)
		}
		time.Sleep(10 * time.Second)
		assert.Equal(t, value(t, tokens), "late")
		assert.Equal(t, fetches, 1)
	})
}

// The jitter, too, keeps to half a minute.
func TestTokensSlowestPace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		aplomb.Latest(tokens)
		i.down = errIssuerDown
		var waits []time.Duration
		tokens.Watch = func(e aplomb.TokenEvent) { waits = append(waits, time.Until(e.RetryAt)) }
		for range 8 {
			assert.Contains(t, value(t, tokens), "503")
			time.Sleep(waits[len(waits)-1])
		}
		assert.Equal(t, waits, []time.Duration{1500 * time.Millisecond, 3 * sec, 6 * sec, 12 * sec, 24 * sec, 30 * sec, 30 * sec, 30 * sec})
	})
}

// A secret that a Fetch reads is not the API's request's: its 401 says nothing of
// it.
func TestTokensFetchReadsASecret(t *testing.T) {
	bubble(t, func(t *testing.T) {
		source := aplomb.Rotation(aplomb.Static("client-secret-2"), aplomb.Static("client-secret-1"))
		var read []string
		tokens := &aplomb.Tokens{Fetch: func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
			raw, err := aplomb.Reveal(source)(ctx)
			read = append(read, string(raw))
			return aplomb.Token{Value: aplomb.NewSecret(fmt.Sprint("t", len(read))), Expiry: time.Now().Add(time.Hour)}, err
		}}
		c := newClient(t, aplombtest.NewServer(t, script(status(401), ok)), tokens)
		_, err := get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, read, []string{"client-secret-2", "client-secret-2"})
	})
}

// retryError says itself when another try is worth it.
type retryError struct{ at time.Time }

func (e retryError) Error() string      { return "not yet" }
func (e retryError) RetryAt() time.Time { return e.at }

func TestTokensErrorSaysWhen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		i.down = retryError{time.Now()}
		var waits []time.Duration
		tokens.Watch = func(e aplomb.TokenEvent) { waits = append(waits, time.Until(e.RetryAt)) }
		for n := range 5 {
			assert.Contains(t, value(t, tokens), "not yet")
			assert.Equal(t, i.fetches(), n+1)
		}
		i.down = retryError{time.Now().Add(time.Hour)}
		for range 5 {
			assert.Contains(t, value(t, tokens), "not yet")
			time.Sleep(10 * time.Minute)
		}
		assert.Equal(t, i.fetches(), 6)
		assert.Equal(t, waits, []time.Duration{0, 0, 0, 0, 0, time.Hour})
	})
}

// Whoever watches may panic: it ends neither the program nor the token.
func TestTokensWatchPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, tokens := newIssuer(t)
		tokens.Watch = func(aplomb.TokenEvent) { panic("mine") }
		assert.Equal(t, value(t, tokens), "t1")
	})
}

// The 401 carries why there was no other token; a call that was not sent has no
// status, whatever the issuer's was.
func TestErrorsOfCredentials(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		c := newClient(t, aplombtest.NewServer(t, script(ok, status(401))), tokens, aplomb.NoRetry())
		_, err := get(t, c)
		assert.NoError(t, err)
		i.down = errIssuerDown
		_, err = get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 401)
		assert.ErrorIs(t, err, errIssuerDown)
		_, err = get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 0)
		assert.ErrorIs(t, err, aplomb.ErrNoCredential)
		assert.ErrorIs(t, err, errIssuerDown)
		assert.Equal(t, aplomb.StatusCode(errors.Join(errors.New("x"), fmt.Errorf("wrapped: %w", errIssuerDown))), 503)
	})
}

// For an SDK that wants a source of x/oauth2's.
func TestTokensAsTokenSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		source := tokens.TokenSource(t.Context())
		for range 2 {
			token, err := source.Token()
			assert.NoError(t, err)
			assert.Equal(t, [2]string{token.Type(), token.AccessToken}, [2]string{"Bearer", "t1"})
			assert.Equal(t, time.Until(token.Expiry), time.Hour)
		}
		i.down = errIssuerDown
		time.Sleep(time.Hour)
		_, err := source.Token()
		assert.ErrorIs(t, err, errIssuerDown)
	})
}

// A late refusal is about the token that its request carried: there is another.
func TestTokensLateRefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		c := newClient(t, aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer t2" {
				ok(w, r)
				return
			}
			if r.URL.Path == "/slow" {
				time.Sleep(20 * time.Second)
			}
			status(401)(w, r)
		})), tokens)
		slow := make(chan error)
		go func() {
			_, err := aplomb.Get[order](context.Background(), c, "/slow")
			slow <- err
		}()
		time.Sleep(10 * time.Second)
		_, err := get(t, c)
		assert.NoError(t, err)
		assert.NoError(t, <-slow)
		assert.Equal(t, i.fetches(), 2)
	})
}

func TestTokensNeverOn403(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		h := script(status(403))
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), tokens))
		assert.Equal(t, aplomb.StatusCode(err), 403)
		assert.Equal(t, [2]int{i.fetches(), h.count()}, [2]int{1, 1})
	})
}

// The same token again is no reason to send the same request again.
func TestTokensSameAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(401))
		fetches := 0
		tokens := &aplomb.Tokens{Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
			fetches++
			return aplomb.Token{Value: aplomb.NewSecret("cached"), Expiry: time.Now().Add(time.Hour)}, nil
		}}
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), tokens))
		assert.Equal(t, aplomb.StatusCode(err), 401)
		assert.Equal(t, [2]int{fetches, h.count()}, [2]int{2, 1})
	})
}

// The refusal stands where no other token is to be had, and says why.
func TestTokens401WhileTheIssuerIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		h := script(ok, status(401))
		c := newClient(t, aplombtest.NewServer(t, h), tokens)
		_, err := get(t, c)
		assert.NoError(t, err)
		i.down = errIssuerDown
		_, err = get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 401)
		assert.Contains(t, err.Error(), "a token, and the last try to get another failed: issuer: POST /issue: 503")
		_, err = get(t, c, aplomb.NoRetry())
		assert.Contains(t, err.Error(), "no credential")
		assert.Equal(t, h.count(), 2) // a refused token is not shown again
	})
}

// Elsewhere than in Authorization: as a SecretSource.
func TestTokensAsSecretSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		h := script(ok, status(401), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.APIKey("X-Auth-Token", tokens))
		for range 2 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, h.request(1).Header.Get("X-Auth-Token"), "t1")
		assert.Equal(t, h.request(2).Header.Get("X-Auth-Token"), "t2")
		assert.Equal(t, h.request(2).Header.Get("Authorization"), "")
		assert.Equal(t, i.fetches(), 2)
	})
}

// A proof stands beside the token, and its nonce comes with an answer.
func TestTokensProof(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		nonce := ""
		tokens.Proof = func(r *http.Request, token aplomb.Token) error {
			r.Header.Set("X-Proof", token.Value.Reveal()+nonce)
			return nil
		}
		tokens.Answered = func(resp *http.Response) bool {
			old := nonce
			nonce = resp.Header.Get("X-Nonce")
			return resp.StatusCode == 401 && nonce != old
		}
		h := script(status(401, "X-Nonce", "-n"), ok)
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), tokens))
		assert.NoError(t, err)
		assert.Equal(t, h.request(1).Header.Get("X-Proof"), "t1-n")
		assert.Equal(t, h.request(1).Header.Get("Authorization"), "Bearer t1")
		assert.Equal(t, i.fetches(), 1)
	})
}

func TestTokensPrintNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, tokens := newIssuer(t)
		assert.Equal(t, value(t, tokens), "t1")
		token, _ := tokens.Token(context.Background())
		for _, text := range []string{fmt.Sprintf("%v %+v %#v", tokens, tokens, tokens), fmt.Sprintf("%v %+v %#v", token, token, token)} {
			assert.NotContains(t, text, "t1")
		}
	})
}

// One Tokens serves several clients, and each binds it to its own origins.
func TestTokensOfTwoClients(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, tokens := newIssuer(t)
		for range 2 {
			h := script(ok)
			_, err := get(t, newClient(t, aplombtest.NewServer(t, h), tokens))
			assert.NoError(t, err)
			assert.Equal(t, h.request(0).Header.Get("Authorization"), "Bearer t1")
		}
		assert.Equal(t, i.fetches(), 1)
	})
}
