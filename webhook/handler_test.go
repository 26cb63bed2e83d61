package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

// stripe is a receiver of one kind, with what it says.
func stripe(sink inbox.Sink) (*webhook.Handler, *journal, kind) {
	k, j := kinds()[0], new(journal)
	return &webhook.Handler{Source: "shop", Scheme: k.verifying(), Sink: sink, Hooks: j.hooks()}, j, k
}

func TestDeliveryIsStoredThenAcknowledged(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				sink, j := new(fakeSink), new(journal)
				sink.before = func(context.Context) error { time.Sleep(time.Second); return nil }
				h := &webhook.Handler{Source: "shop", Scheme: k.verifying(), Sink: sink, Hooks: j.hooks(), KeepHeaders: []string{"x-own"}}
				for i, want := range []inbox.Status{inbox.Stored, inbox.Duplicate} {
					r := k.delivery(t, k.body, time.Now())
					r.Header.Set("X-Own", "kept")
					r.Header.Set("Cookie", "not kept")
					began := time.Now()
					resp := serve(h, r)
					assert.Equal(t, time.Since(began), time.Second) // not before it is durable
					assert.Equal(t, resp.StatusCode, 200)
					assert.Equal(t, text(t, resp), "")
					assert.Equal(t, len(j.accepted), i+1)
					e := j.accepted[i]
					assert.Equal(t, []string{e.Source, e.Scheme, e.Verified.Secret}, []string{"shop", h.Scheme.Name, "secret 1"})
					assert.Equal(t, e.Outcomes, []inbox.Outcome{{Status: want}})
					assert.Equal(t, e.Elapsed, time.Second)
				}
				stored := sink.stored()
				assert.Equal(t, len(stored), 1)
				e := stored[0]
				assert.Equal(t, []string{e.Source, e.Key, e.Type, string(e.Via)}, []string{"shop", k.key, k.typ, "webhook"})
				assert.Equal(t, e.Header.Get("X-Own"), "kept")
				assert.Equal(t, len(e.Header.Values("Cookie"))+len(e.Header.Values(k.signature)), 0)
				assert.Equal(t, j.last(), webhook.Reason(""))
			})
		})
	}
}

// What is not a good delivery is refused for its own reason, which only the hook
// is told.
func TestRefusals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(at))
		sink := new(fakeSink)
		h, j, k := stripe(sink)
		h.MaxBody = 200
		good := func() *http.Request { return k.delivery(t, k.body, time.Now()) }
		unsigned := good()
		unsigned.Header.Del("Stripe-Signature")
		get := good()
		get.Method = http.MethodGet
		brokenOff := good()
		brokenOff.Body = io.NopCloser(io.MultiReader(strings.NewReader(k.body[:9]), broken{io.ErrUnexpectedEOF}))
		slow := good()
		slow.Body = io.NopCloser(broken{fmt.Errorf("read: %w", errTimeout)})
		large := k.delivery(t, strings.Repeat("x", 201), time.Now())
		chunked := k.delivery(t, strings.Repeat("x", 201), time.Now())
		chunked.ContentLength = -1
		lied := k.delivery(t, strings.Repeat("x", 201), time.Now())
		lied.ContentLength = 9
		for _, test := range []struct {
			name   string
			r      *http.Request
			status int
			reason webhook.Reason
		}{
			{"not signed", unsigned, 401, webhook.ReasonSignature},
			{"old", k.delivery(t, k.body, at.Add(-time.Hour)), 401, webhook.ReasonStale},
			{"of the future", k.delivery(t, k.body, at.Add(time.Hour)), 401, webhook.ReasonStale},
			{"GET", get, 405, webhook.ReasonMethod},
			{"broken off", brokenOff, 400, webhook.ReasonBody},
			{"slow", slow, 408, webhook.ReasonBody},
			{"large", large, 413, webhook.ReasonTooLarge},
			{"large, in chunks", chunked, 413, webhook.ReasonTooLarge},
			{"larger than it says", lied, 413, webhook.ReasonTooLarge},
			{"no JSON", k.delivery(t, "hello", time.Now()), 400, webhook.ReasonMalformed},
			{"empty", k.delivery(t, "", time.Now()), 400, webhook.ReasonMalformed},
			{"no id", k.delivery(t, `{"type":"x"}`, time.Now()), 400, webhook.ReasonMalformed},
			{"an id that is none", k.delivery(t, `{"id":{},"type":"x"}`, time.Now()), 400, webhook.ReasonMalformed},
			{"NUL in the id", k.delivery(t, `{"id":"a\u0000","type":"x"}`, time.Now()), 400, webhook.ReasonMalformed},
		} {
			resp := serve(h, test.r)
			assert.Equal(t, resp.StatusCode, test.status, test.name)
			assert.Equal(t, j.last(), test.reason, test.name)
			assert.Equal(t, text(t, resp), http.StatusText(test.status)+"\n", test.name) // nothing of why
			assert.Equal(t, resp.Header.Get("Retry-After"), "", test.name)
			last := j.refused[len(j.refused)-1]
			assert.Equal(t, []any{last.Source, last.Scheme, last.Status, last.Err != nil}, []any{"shop", "Stripe", test.status, true})
		}
		assert.Equal(t, serve(h, get).Header.Get("Allow"), "POST")
		assert.Equal(t, len(sink.stored()), 0)
		assert.Equal(t, len(j.accepted), 0)

		exact := k.delivery(t, k.body+strings.Repeat(" ", 200-len(k.body)), time.Now())
		assert.Equal(t, serve(h, exact).StatusCode, 200) // MaxBody itself is not too much
	})
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// errTimeout is what net/http's server reads after its ReadTimeout.
var errTimeout = func() error {
	a, b := pipe()
	defer b.Close()
	_ = a.SetReadDeadline(time.Unix(1, 0))
	_, err := a.Read(make([]byte, 1))
	return err
}()

// A body that is too large is not hashed: the secret is not even asked for.
func TestTooLargeIsRefusedBeforeHashing(t *testing.T) {
	t.Parallel()
	asked := 0
	h := &webhook.Handler{Source: "x", Sink: new(fakeSink), Scheme: webhook.GitHub(webhook.Secret{Key: func(context.Context) ([]byte, error) { asked++; return []byte("x"), nil }})}
	r := request()
	r.Body = io.NopCloser(io.LimitReader(zeros{}, 1<<20+1))
	r.ContentLength = -1
	assert.Equal(t, serve(h, r).StatusCode, 413)
	assert.Equal(t, asked, 0)

	// And of one that says so, nothing is read.
	r = request()
	r.Body, r.ContentLength = io.NopCloser(broken{errors.New("read")}), 1<<20+1
	assert.Equal(t, serve(h, r).StatusCode, 413)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestStoreThatFailsIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(ctx context.Context) error
		status int
		reason webhook.Reason
		after  time.Duration
	}{
		"down":     {func(context.Context) error { return errors.New("database is gone") }, 503, webhook.ReasonStore, 0},
		"full":     {func(context.Context) error { return fmt.Errorf("queue: %w", inbox.ErrFull) }, 503, webhook.ReasonFull, 0},
		"slow":     {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 503, webhook.ReasonDeadline, 2500 * time.Millisecond},
		"deaf":     {func(context.Context) error { time.Sleep(time.Minute); return nil }, 503, webhook.ReasonDeadline, 2500 * time.Millisecond},
		"just so":  {func(context.Context) error { time.Sleep(2499 * time.Millisecond); return nil }, 200, "", 2499 * time.Millisecond},
		"panics":   {func(context.Context) error { panic("at the worst moment") }, 500, webhook.ReasonFault, 0},
		"aborts":   {func(context.Context) error { panic(http.ErrAbortHandler) }, 500, webhook.ReasonFault, 0},
		"vanishes": {func(context.Context) error { runtime.Goexit(); return nil }, 503, webhook.ReasonDeadline, 2500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, j, k := stripe(&fakeSink{before: test.before})
				var logged bytes.Buffer
				h.Logger = slog.New(slog.NewTextHandler(&logged, nil))
				began := time.Now()
				resp := serve(h, k.delivery(t, k.body, time.Now()))
				assert.Equal(t, time.Since(began), test.after)
				assert.Equal(t, resp.StatusCode, test.status)
				assert.Equal(t, j.last(), test.reason)
				assert.Equal(t, resp.Header.Get("Retry-After") != "", test.status == 503)
				assert.Equal(t, len(j.accepted) == 1, test.status == 200)
				assert.Equal(t, strings.Contains(logged.String(), "webhook not acknowledged"), test.status != 200)
				assert.Equal(t, strings.Contains(logged.String(), "stack="), test.reason == webhook.ReasonFault)
				assert.NotContains(t, text(t, resp), "database")
				time.Sleep(time.Hour) // the deaf one ends
			})
		})
	}
}

// The insert that comes late may still go through: the next delivery is a duplicate,
// and acknowledged.
func TestLateInsertIsADuplicateNextTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var quick atomic.Bool
		sink := &fakeSink{before: func(context.Context) error {
			if !quick.Load() {
				time.Sleep(3 * time.Second)
			}
			return nil
		}}
		h, j, k := stripe(sink)
		assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 503)
		assert.Equal(t, len(sink.stored()), 0)
		time.Sleep(time.Second)
		assert.Equal(t, len(sink.stored()), 1)
		quick.Store(true)
		assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 200)
		assert.Equal(t, j.accepted[0].Outcomes[0].Status, inbox.Duplicate)
	})
}

// Every function of the user's may panic, and none acknowledges by it.
func TestPanicsDoNotAcknowledge(t *testing.T) {
	t.Parallel()
	boom := func() { panic("boom") }
	for name, change := range map[string]func(*webhook.Handler){
		"Order": func(h *webhook.Handler) { h.Order = func(*inbox.Event) string { boom(); return "" } },
		"Read": func(h *webhook.Handler) {
			h.Scheme.Read = func(webhook.Delivery) ([]inbox.Event, error) { boom(); return nil, nil }
		},
		"Key": func(h *webhook.Handler) {
			h.Scheme = webhook.Stripe(webhook.Secret{Key: func(context.Context) ([]byte, error) { boom(); return nil, nil }})
		},
		"Sink": func(h *webhook.Handler) { h.Sink = (*fakeSink)(nil) },
	} {
		h, j, k := stripe(new(fakeSink))
		change(h)
		resp := serve(h, k.delivery(t, k.body, time.Now()))
		assert.Equal(t, resp.StatusCode, 500, name)
		assert.Equal(t, j.last(), webhook.ReasonFault, name)
	}
	// A hook's goes to net/http, which hangs up.
	h, _, k := stripe(new(fakeSink))
	h.Hooks.Accepted = func(context.Context, webhook.AcceptedEvent) { panic("boom") }
	w := &silent{ResponseRecorder: httptest.NewRecorder()}
	func() {
		defer func() { assert.Equal(t, fmt.Sprint(recover()), "boom") }()
		h.ServeHTTP(w, k.delivery(t, k.body, time.Now()))
	}()
	assert.Equal(t, w.answers, 0)
}

// silent counts answers.
type silent struct {
	*httptest.ResponseRecorder

	answers int
}

func (s *silent) WriteHeader(status int) {
	s.answers++
	s.ResponseRecorder.WriteHeader(status)
}

// A fault of this side is 500, so that the delivery comes again when it is mended.
func TestFaultsOfThisSide(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*webhook.Handler){
		"Order too long": func(h *webhook.Handler) { h.Order = func(*inbox.Event) string { return strings.Repeat("x", 513) } },
		"Read fails": func(h *webhook.Handler) {
			h.Scheme.Read = func(webhook.Delivery) ([]inbox.Event, error) { return nil, errors.New("no idea") }
		},
	} {
		h, j, k := stripe(new(fakeSink))
		change(h)
		assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 500, name)
		assert.Equal(t, j.last(), webhook.ReasonFault, name)
	}
	h, j, k := stripe(new(fakeSink))
	h.Scheme.Read = func(webhook.Delivery) ([]inbox.Event, error) { return nil, nil }
	assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 400)
	h.Scheme.Read = func(webhook.Delivery) ([]inbox.Event, error) { return []inbox.Event{{}}, nil }
	assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 400)
	assert.Equal(t, j.last(), webhook.ReasonMalformed)
}

// A secrets manager that is down is no reason to lose events.
func TestSecretThatCannotBeHadIs503(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, j, k := stripe(new(fakeSink))
		down := func(context.Context) ([]byte, error) { return nil, errors.New("vault is sealed") }
		h.Scheme = webhook.Stripe(webhook.Secret{Key: down})
		resp := serve(h, k.delivery(t, k.body, time.Now()))
		assert.Equal(t, resp.StatusCode, 503)
		assert.Equal(t, resp.Header.Get("Retry-After"), "10")
		assert.Equal(t, j.last(), webhook.ReasonSecret)
		assert.NotContains(t, text(t, resp), "vault")

		// One that hangs has no more time than the sink.
		h, j, k = stripe(new(fakeSink))
		h.Scheme = webhook.Stripe(webhook.Secret{Key: func(ctx context.Context) ([]byte, error) { <-ctx.Done(); time.Sleep(time.Hour); return nil, ctx.Err() }})
		began := time.Now()
		assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 503)
		assert.Equal(t, time.Since(began), 2500*time.Millisecond)
		assert.Equal(t, j.last(), webhook.ReasonDeadline)

		// None in its time is a mistake of the settings.
		h, j, k = stripe(new(fakeSink))
		h.Scheme = webhook.Stripe(webhook.Secret{Key: signature.StaticKey("x"), NotAfter: time.Now().Add(-1)})
		assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 500)
		assert.Equal(t, j.last(), webhook.ReasonSettings)

		// Beside one that matches it is told, and logged.
		h, j, k = stripe(new(fakeSink))
		var logged bytes.Buffer
		h.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		h.Scheme = webhook.Stripe(webhook.Secret{Key: down}, webhook.Static(k.secret))
		assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 200)
		assert.Equal(t, j.accepted[0].Verified.Secret, "secret 2")
		assert.Contains(t, fmt.Sprint(j.accepted[0].Verified.Faulty), "vault is sealed")
		assert.Contains(t, logged.String(), "another secret is at fault")
		time.Sleep(2 * time.Hour)
	})
}

func TestHandlerIsChecked(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*webhook.Handler){
		"Source is empty":         func(h *webhook.Handler) { h.Source = "" },
		"Source is longer":        func(h *webhook.Handler) { h.Source = strings.Repeat("x", 513) },
		"Sink is nil":             func(h *webhook.Handler) { h.Sink = nil },
		"MaxBody is -1":           func(h *webhook.Handler) { h.MaxBody = -1 },
		"MaxBody is 67108865":     func(h *webhook.Handler) { h.MaxBody = inbox.MaxBody + 1 },
		"Deadline or MaxPending":  func(h *webhook.Handler) { h.Deadline = -1 },
		"MaxPending is negative":  func(h *webhook.Handler) { h.MaxPending = -1 },
		"cookie holds secrets":    func(h *webhook.Handler) { h.KeepHeaders = []string{"cookie"} },
		`"a b" is no header's na`: func(h *webhook.Handler) { h.KeepHeaders = []string{"a b"} },
		"the Scheme is empty":     func(h *webhook.Handler) { h.Scheme = webhook.Scheme{} },
		"Stripe has no secret":    func(h *webhook.Handler) { h.Scheme = webhook.Stripe() },
	} {
		h, j, k := stripe(new(fakeSink))
		assert.NoError(t, h.Check())
		var logged bytes.Buffer
		h.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		change(h)
		assert.Contains(t, fmt.Sprint(h.Check()), want)
		assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 500)
		assert.Equal(t, j.last(), webhook.ReasonSettings)
		assert.Contains(t, logged.String(), strings.ReplaceAll(want, `"`, `\"`))
	}
}

func TestClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sink := &fakeSink{before: func(context.Context) error { time.Sleep(time.Second); return nil }}
		h, j, k := stripe(sink)
		under := make(chan int)
		go func() { under <- serve(h, k.delivery(t, k.body, time.Now())).StatusCode }()
		synctest.Wait()
		assert.NoError(t, h.Close())
		resp := serve(h, k.delivery(t, k.body, time.Now()))
		assert.Equal(t, resp.StatusCode, 503)
		assert.Equal(t, resp.Header.Get("Retry-After"), "10")
		assert.Equal(t, j.last(), webhook.ReasonClosed)
		assert.Equal(t, <-under, 200) // what was under way goes on
		assert.NoError(t, h.Close())
	})
}

// A sink that hangs holds on to no more than MaxPending deliveries, however many
// come.
func TestMaxPending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var quick atomic.Bool
		h, j, k := stripe(&fakeSink{before: func(context.Context) error {
			if !quick.Load() {
				time.Sleep(time.Hour)
			}
			return nil
		}})
		h.MaxPending = 3
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 503) })
		}
		wg.Wait()
		assert.Equal(t, j.last(), webhook.ReasonDeadline)
		began := time.Now()
		resp := serve(h, k.delivery(t, k.body, time.Now()))
		assert.Equal(t, time.Since(began), time.Duration(0))
		assert.Equal(t, []any{resp.StatusCode, resp.Header.Get("Retry-After")}, []any{503, "10"})
		assert.Equal(t, j.last(), webhook.ReasonFull)
		time.Sleep(2 * time.Hour)
		quick.Store(true)
		assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 200)
	})
}

// The insert decides: of many deliveries at once one is stored, and all are
// acknowledged.
func TestDuplicatesAtOnce(t *testing.T) {
	t.Parallel()
	sink := new(fakeSink)
	h, j, k := stripe(sink)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := serve(h, k.delivery(t, k.body, time.Now())).StatusCode; got != 200 {
				t.Errorf("got %d", got)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, len(sink.stored()), 1)
	count := map[inbox.Status]int{}
	for _, e := range j.accepted {
		count[e.Outcomes[0].Status]++
	}
	assert.Equal(t, count, map[inbox.Status]int{inbox.Stored: 1, inbox.Duplicate: 49})
}

// Same key, another payload: kept beside it, and acknowledged.
func TestConflictIsAcknowledged(t *testing.T) {
	t.Parallel()
	h, j, k := stripe(new(fakeSink))
	assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 200)
	assert.Equal(t, serve(h, k.delivery(t, strings.Replace(k.body, "paid", "void", 1), time.Now())).StatusCode, 200)
	assert.Equal(t, j.accepted[1].Outcomes[0].Status, inbox.Conflict)
}

// A sender that hangs up ends nothing: what was accepted goes on, and it delivers
// again.
func TestSenderHangsUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sink := &fakeSink{before: func(ctx context.Context) error { time.Sleep(time.Second); return ctx.Err() }}
		h, _, k := stripe(sink)
		ctx, cancel := context.WithCancel(t.Context())
		r := k.delivery(t, k.body, time.Now()).WithContext(ctx)
		go func() { time.Sleep(time.Millisecond); cancel() }()
		assert.Equal(t, serve(h, r).StatusCode, 200)
		assert.Equal(t, len(sink.stored()), 1)
	})
}

func TestOrder(t *testing.T) {
	t.Parallel()
	sink := new(fakeSink)
	h, _, k := stripe(sink)
	h.Order = func(e *inbox.Event) string { return e.Source + " " + e.Key + " " + e.Type }
	assert.Equal(t, serve(h, k.delivery(t, k.body, time.Now())).StatusCode, 200)
	assert.Equal(t, sink.stored()[0].Order, "shop evt_1 invoice.paid")
}

// A compressed body is verified, kept and handed on as it came.
func TestContentEncodingIsKept(t *testing.T) {
	t.Parallel()
	sink, k := new(fakeSink), kinds()[3]
	h := &webhook.Handler{Source: "x", Scheme: k.verifying(), Sink: sink}
	r := k.delivery(t, "\x1f\x8b\x08not really", time.Now())
	r.Header.Set("Content-Encoding", "gzip")
	assert.Equal(t, serve(h, r).StatusCode, 200)
	assert.Equal(t, string(sink.stored()[0].Body), "\x1f\x8b\x08not really")
	assert.Equal(t, sink.stored()[0].Header.Get("Content-Encoding"), "gzip")
}
