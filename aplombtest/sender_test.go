package aplombtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/webhook"
)

// hook is an endpoint that verifies what it gets, and answers as told.
type hook struct {
	scheme webhook.Scheme
	answer func(n int, w http.ResponseWriter, r *http.Request)

	mu      sync.Mutex
	start   time.Time
	at      []time.Duration
	headers []http.Header
	bodies  []string
	refused []error
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, err := h.scheme.Verify(r, body, time.Now())
	h.mu.Lock()
	h.at = append(h.at, time.Since(h.start))
	h.headers, h.bodies = append(h.headers, r.Header), append(h.bodies, string(body))
	if err != nil {
		h.refused = append(h.refused, err)
	}
	n := len(h.at)
	h.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body)) // for who reads it too
	h.answer(n, w, r)
}

func failed(_ int, w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusInternalServerError)
}

// newHook is an endpoint on a server of its own, and a sender to it.
func newHook(t *testing.T, scheme webhook.Scheme, answer func(int, http.ResponseWriter, *http.Request), faults ...aplombtest.Fault) (*hook, *aplombtest.Sender) {
	t.Helper()
	h := &hook{scheme: scheme, answer: answer, start: time.Now()}
	srv := aplombtest.NewServer(t, aplombtest.NewScript(h, faults...))
	transport := srv.Transport()
	transport.DisableKeepAlives = true
	return h, aplombtest.NewSender(scheme, &http.Client{Transport: transport}, srv.URL+"/hook")
}

const (
	hookSecret     = "a secret " + "for tests"
	standardSecret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// TestSenderSchedules: each vendor's retries come when they should, each signed anew.
func TestSenderSchedules(t *testing.T) {
	t.Parallel()
	secret, standard := webhook.Static(hookSecret), webhook.Static(standardSecret)
	const m, h = time.Minute, time.Hour
	for name, tt := range map[string]struct {
		scheme webhook.Scheme
		at     []time.Duration // of the first ones
		n      int             // in all
		last   time.Duration
	}{
		"Stripe":  {webhook.Stripe(secret), []time.Duration{0}, 11, 72 * h},
		"GitHub":  {webhook.GitHub(secret), []time.Duration{0}, 1, 0},
		"Slack":   {webhook.Slack(secret), []time.Duration{0, 0, m, 6 * m}, 4, 6 * m},
		"Shopify": {webhook.Shopify(secret), []time.Duration{0}, 9, 4 * h},
		"Zoom":    {webhook.Zoom(secret), []time.Duration{0, 5 * m, 25 * m, 85 * m}, 4, 85 * m},
		"Square":  {webhook.Square("http://api.test/hook", secret), []time.Duration{0, m, 3 * m, 7 * m, 15 * m, 31 * m, 63 * m, 123 * m}, 77, 71*h + 3*m},
		"Svix":    {webhook.Svix(standard), []time.Duration{0, 5 * time.Second, 5*m + 5*time.Second}, 8, 27*h + 35*m + 5*time.Second},
		"Standard Webhooks": {webhook.StandardWebhooks(standard), []time.Duration{
			0, 5 * time.Second, 5*m + 5*time.Second, 35*m + 5*time.Second, 2*h + 35*m + 5*time.Second, 7*h + 35*m + 5*time.Second,
		}, 10, 75*h + 35*m + 5*time.Second},
		"Twilio":   {webhook.Twilio("http://api.test/hook", secret), []time.Duration{0}, 1, 0},
		"CircleCI": {webhook.CircleCI(secret), []time.Duration{0}, 10, 75*h + 35*m + 5*time.Second},
	} {
		bubbled(t, name, func(t *testing.T) {
			hook, sender := newHook(t, tt.scheme, failed)
			d := sender.Send(t.Context(), aplombtest.Message{Body: []byte(`{"id":"evt_1"}`)})[0]
			assert.Equal(t, hook.at[:len(tt.at)], tt.at)
			assert.Equal(t, [2]int{len(hook.at), len(d.Attempts)}, [2]int{tt.n, tt.n})
			assert.Equal(t, hook.at[tt.n-1].Round(time.Second), tt.last)
			assert.Equal(t, hook.refused, nil) // three days later the signature is not three days old
			assert.Equal(t, [2]any{d.Delivered, d.Attempts[0].Status}, [2]any{false, 500})
			for _, id := range []string{"Webhook-Id", "Svix-Id", "X-Github-Delivery", "X-Shopify-Webhook-Id"} {
				for _, header := range hook.headers {
					assert.Equal(t, header.Get(id), d.Message.Header.Get(id))
				}
			}
		})
	}
}

func TestSenderOfSlack(t *testing.T) {
	t.Parallel()
	bubbled(t, "reasons", func(t *testing.T) {
		hook, sender := newHook(t, webhook.Slack(webhook.Static(hookSecret)), func(n int, w http.ResponseWriter, r *http.Request) {
			switch n {
			case 1:
				w.WriteHeader(http.StatusBadGateway)
			case 2:
				<-r.Context().Done()
			}
		}, aplombtest.Pass(), aplombtest.Reset())
		d := sender.Send(t.Context(), aplombtest.Message{Body: []byte(`{"event_id":"Ev1"}`)})[0]
		var got []string
		for _, h := range hook.headers {
			got = append(got, h.Get("X-Slack-Retry-Num")+" "+h.Get("X-Slack-Retry-Reason"))
		}
		assert.Equal(t, got, []string{" ", "2 connection_failed", "3 http_timeout"})
		assert.Equal(t, [2]any{d.Delivered, len(d.Attempts)}, [2]any{true, 4})
		assert.ErrorIs(t, d.Attempts[2].Err, context.DeadlineExceeded)
		assert.Equal(t, d.Attempts[3].At.Sub(d.Attempts[2].At), 5*time.Minute+3*time.Second)
	})
	bubbled(t, "X-Slack-No-Retry", func(t *testing.T) {
		hook, sender := newHook(t, webhook.Slack(webhook.Static(hookSecret)), func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Slack-No-Retry", "1")
			w.WriteHeader(500)
		})
		sender.Send(t.Context(), aplombtest.Message{Body: []byte("{}")})
		assert.Equal(t, len(hook.at), 1)
	})
}

func TestSenderOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		after  string
		at     []time.Duration
	}{
		"410":               {410, "", []time.Duration{0}},
		"302":               {302, "", []time.Duration{0, 5 * time.Second}},
		"Retry-After":       {503, "60", []time.Duration{0, time.Minute}},
		"Retry-After a bit": {503, "1", []time.Duration{0, 5 * time.Second}},
	} {
		bubbled(t, name, func(t *testing.T) {
			hook, sender := newHook(t, webhook.StandardWebhooks(webhook.Static(standardSecret)), func(n int, w http.ResponseWriter, _ *http.Request) {
				if n == 1 {
					w.Header().Set("Retry-After", tt.after)
					w.Header().Set("Location", "/hook")
					w.WriteHeader(tt.status)
				}
			})
			d := sender.Send(t.Context(), aplombtest.Message{Body: []byte("{}")})[0]
			assert.Equal(t, hook.at, tt.at)
			assert.Equal(t, d.Delivered, len(tt.at) > 1)
		})
	}
}

// Twilio tries once more where it found no connection, and nothing else.
func TestSenderOfTwilio(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		n := aplombtest.NewNetwork(t)
		sender := aplombtest.NewSender(webhook.Twilio("http://api.test/sms", webhook.Static(hookSecret)), n.Client(), "http://api.test/sms")
		m := aplombtest.Message{Body: []byte("MessageSid=SM1"), Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
		assert.Equal(t, len(sender.Send(t.Context(), m)[0].Attempts), 2)
		n.Serve("http://api.test", http.NotFoundHandler())
		assert.Equal(t, len(sender.Send(t.Context(), m)[0].Attempts), 1)
	})
}

// An inbox behind a handler takes each event once, whatever its sender does: answers
// lost, duplicates at the same time, nothing in order.
func TestSenderMishaps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		bubbled(t, fmt.Sprint("seed ", seed), func(t *testing.T) {
			store := inbox.NewMemory()
			scheme := webhook.Stripe(webhook.Static(hookSecret))
			handler := &webhook.Handler{Source: "shop", Scheme: scheme, Sink: store}
			hook, sender := newHook(t, scheme, func(n int, w http.ResponseWriter, r *http.Request) {
				if n%4 == 3 { // it was down, besides
					w.WriteHeader(503)
					return
				}
				handler.ServeHTTP(w, r)
			})
			sender.Mishaps = aplombtest.Mishaps{Seed: seed, Lost: 0.3, Duplicated: 0.3, Shuffled: time.Minute}
			messages := make([]aplombtest.Message, 40)
			for i := range messages {
				messages[i].Body = fmt.Appendf(nil, `{"id":"evt_%d","type":"a","created":%d}`, i, i)
			}
			var lost, twins int
			for i, d := range sender.Send(t.Context(), messages...) {
				assert.True(t, d.Delivered, d)
				assert.Equal(t, string(d.Message.Body), string(messages[i].Body))
				for _, a := range d.Attempts {
					if a.Lost {
						lost++
					}
					if a.Twin {
						twins++
					}
				}
			}
			assert.True(t, lost > 0 && twins > 0, lost, twins)
			first := slices.IndexFunc(messages, func(m aplombtest.Message) bool { return string(m.Body) == hook.bodies[0] })
			assert.True(t, first != 0 || hook.bodies[1] != string(messages[1].Body), "nothing was shuffled")
			stats, err := store.Stats(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, [2]int{stats.Ready, stats.Conflicts}, [2]int{len(messages), 0})
		})
	}
}

// Of one seed always the same comes, and without trouble messages come in order.
func TestSenderRepeats(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, mishaps aplombtest.Mishaps) (bodies []string, at []time.Duration) {
		t.Helper()
		hook, sender := newHook(t, webhook.GitHub(webhook.Static(hookSecret)), func(int, http.ResponseWriter, *http.Request) {})
		sender.Mishaps, sender.Schedule.Waits = mishaps, []time.Duration{time.Second, time.Second}
		messages := make([]aplombtest.Message, 20)
		for i := range messages {
			messages[i].Body = fmt.Append(nil, i)
		}
		sender.Send(t.Context(), messages...)
		return hook.bodies, hook.at
	}
	bubbled(t, "in trouble", func(t *testing.T) {
		mishaps := aplombtest.Mishaps{Seed: 7, Lost: 0.5, Shuffled: time.Hour}
		one, oneAt := run(t, mishaps)
		two, twoAt := run(t, mishaps)
		assert.Equal(t, one, two)
		assert.Equal(t, oneAt, twoAt)
		mishaps.Seed = 8
		three, _ := run(t, mishaps)
		assert.True(t, !slices.Equal(one, three))
	})
	bubbled(t, "in order", func(t *testing.T) {
		bodies, _ := run(t, aplombtest.Mishaps{})
		assert.Equal(t, len(bodies), 20)
		for i, body := range bodies {
			assert.Equal(t, body, strconv.Itoa(i))
		}
	})
}

func TestSenderStops(t *testing.T) {
	t.Parallel()
	bubbled(t, "with its context", func(t *testing.T) {
		hook, sender := newHook(t, webhook.Zoom(webhook.Static(hookSecret)), failed)
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
		defer cancel()
		start := time.Now()
		d := sender.Send(ctx, aplombtest.Message{Body: []byte("{}")}, aplombtest.Message{Body: []byte("{}")})
		assert.Equal(t, [3]any{time.Since(start), len(hook.at), d[1].Delivered}, [3]any{6 * time.Minute, 4, false})
	})
	bubbled(t, "where it cannot sign", func(t *testing.T) {
		hook, sender := newHook(t, webhook.Scheme{}, failed)
		d := sender.Send(t.Context(), aplombtest.Message{Body: []byte("{}")})[0]
		assert.Contains(t, fmt.Sprint(d.Attempts[0].Err), "the Scheme is empty")
		assert.Equal(t, len(hook.at), 0)
	})
	bubbled(t, "a redelivery has the id", func(t *testing.T) {
		hook, sender := newHook(t, webhook.GitHub(webhook.Static(hookSecret)), func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.WriteHeader(503)
			}
		})
		d := sender.Send(t.Context(), aplombtest.Message{Body: []byte("{}"), Header: http.Header{"X-Github-Event": {"ping"}}})[0]
		assert.Equal(t, d.Delivered, false)
		assert.Equal(t, sender.Send(t.Context(), d.Message)[0].Delivered, true)
		assert.Equal(t, hook.headers[0].Get("X-Github-Delivery"), hook.headers[1].Get("X-Github-Delivery"))
		assert.Equal(t, hook.headers[1].Get("X-Github-Event"), "ping")
	})
}
