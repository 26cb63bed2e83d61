package aplomb_test

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

var errUserStop = errors.New("user stop")

// cancelled has the caller give up one second into the call.
func cancelled(call func(ctx context.Context, m *rig) error) caller {
	return func(m *rig) error {
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		defer time.AfterFunc(time.Second, func() { cancel(errUserStop) }).Stop()
		return call(ctx, m)
	}
}

// twice makes the call that fills the queue, whatever comes of it, and the
// row's own.
func twice(call caller) caller {
	return func(m *rig) error {
		_ = getOrder(m)
		return call(m)
	}
}

// cancelRows are row 41: wherever the call is, it returns the moment the caller
// gives up, with the caller's own cause, and nothing is left.
func cancelRows() []faultRow {
	gone := cancelled(func(ctx context.Context, m *rig) error {
		_, err := aplomb.Post[order](ctx, m.client, "/v1/orders", aplomb.JSON(order{Amount: 25}))
		return err
	})
	streaming := cancelled(func(ctx context.Context, m *rig) error {
		req, _ := http.NewRequestWithContext(ctx, "GET", m.url+"/v1/orders", nil)
		return m.send(req)
	})
	uploading := cancelled(func(ctx context.Context, m *rig) error {
		req, _ := http.NewRequestWithContext(ctx, "PUT", m.url+"/v1/orders", &dripping{parts: 1 << 30})
		return m.send(req)
	})
	never := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	stall := fault(aplombtest.StallBody(3, 0))
	sec := time.Second
	none := -1 // nothing was sent
	at := func(stage string, row faultRow) faultRow {
		row.name, row.want.takes, row.want.is = "41 cancelled "+stage, sec, errUserStop
		if row.call == nil {
			row.call = gone
		}
		if row.want.err == "" {
			row.want.err = "CallError"
		}
		return row
	}
	return []faultRow{
		at("in the limiter's queue", faultRow{call: twice(gone), opts: []aplomb.Option{aplomb.RateLimit{PerSecond: 0.02, Burst: 1}},
			want: outcome{requests: 1, attempts: none, dials: 1, kept: 1}}),
		at("at a closed gate", faultRow{call: twice(gone), steps: []http.HandlerFunc{status(429, "Retry-After", "50")}, opts: []aplomb.Option{aplomb.NoRetry()},
			want: outcome{requests: 1, attempts: none, dials: 1, kept: 1}}),
		at("dialling", faultRow{inject: func(m *rig) { breaking("http", aplombtest.DialHangs)(m); m.linger = 5 * sec },
			want: outcome{attempts: 1, dials: 1}}),
		at("in the TLS handshake", faultRow{inject: func(m *rig) { breaking("https", aplombtest.TLSHangs)(m); m.linger = 5 * sec },
			want: outcome{attempts: 1, dials: 1, kept: 1}}), // net/http goes on for who comes next; settle sees it end
		at("waiting for headers", faultRow{steps: []http.HandlerFunc{mutes},
			want: outcome{requests: 1, dials: 1}}),
		at("waiting for headers, HTTP/2", faultRow{inject: http2(func(h2Conn, uint32) {}),
			want: outcome{requests: 1, dials: 1, kept: 1}}),
		at("in an upload", faultRow{call: uploading, steps: []http.HandlerFunc{never},
			want: outcome{requests: 1, dials: 1}}),
		at("in the body", faultRow{steps: []http.HandlerFunc{stall},
			want: outcome{requests: 1, dials: 1, status: 200}}),
		at("in the body, streamed", faultRow{call: streaming, steps: []http.HandlerFunc{stall},
			want: outcome{requests: 1, dials: 1, status: 200, err: "*errors.errorString"}}),
		at("in a backoff", faultRow{steps: []http.HandlerFunc{status(429)}, opts: []aplomb.Option{aplomb.Retry{ThrottleBackoff: 20 * sec}},
			want: outcome{requests: 1, dials: 1, kept: 1, status: 429}}),
		at("waiting for a token", faultRow{
			inject: func(m *rig) {
				a := newAuthority(m)
				a.delay, m.linger = time.Hour, 30*sec // the token's own client ends the fetch
				m.connect(aplomb.OAuth2(a.source()))
			},
			want: outcome{attempts: none}}),
		at("waiting for a secret", faultRow{
			inject: func(m *rig) {
				m.linger = 30 * sec // no caller ends the question: the next one may want the answer
				m.connect(aplomb.Bearer(aplomb.SecretFunc(func(ctx context.Context) (string, error) {
					<-ctx.Done()
					return "", context.Cause(ctx)
				})))
			},
			want: outcome{attempts: none}}),
	}
}

// stampedeRows are row 40: a thousand callers at the moment the breaker may
// probe.
func stampedeRows() []faultRow {
	stampede := func(probe http.HandlerFunc, then aplomb.BreakerState) func(*rig) {
		return func(m *rig) {
			var events []aplomb.BreakerEvent
			slow := func(w http.ResponseWriter, r *http.Request) { pause(time.Second); probe(w, r) }
			for range 19 {
				m.api.steps = append(m.api.steps, status(503))
			}
			m.api.steps = append(m.api.steps, slow)
			m.connect(aplomb.NoRetry(), aplomb.Hooks{Breaker: func(e aplomb.BreakerEvent) { events = append(events, e) }})
			for range 20 {
				assert.Equal(m.T, aplomb.StatusCode(getOrder(m)), 503)
			}
			pause(time.Until(events[0].ReadyAt))
			errs, took := m.crowd(1000, nil)
			refused := 0
			for i, err := range errs {
				if errors.Is(err, aplomb.ErrCircuitOpen) {
					refused++
					assert.Equal(m.T, took[i], 0)
				}
			}
			assert.Equal(m.T, [2]int{refused, m.api.count()}, [2]int{999, 21})
			assert.Equal(m.T, events[len(events)-1].To, then)
		}
	}
	return []faultRow{
		{name: "40 stampede at the flip", steps: []http.HandlerFunc{status(503)}, crowd: stampede(ok, aplomb.BreakerClosed)},
		{name: "40 stampede at the flip, still down", steps: []http.HandlerFunc{status(503)}, crowd: stampede(status(503), aplomb.BreakerOpen)},
	}
}
