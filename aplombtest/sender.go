package aplombtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/webhook"
)

// Sender delivers webhooks as their vendor does: signed by its scheme, anew for each
// attempt, and again by its schedule until they are answered 2xx or given up. Make
// one with [NewSender]; in a bubble the three days of Stripe's retries take no time.
//
//	srv := aplombtest.NewServer(t, &webhook.Handler{Source: "shop", Scheme: scheme, Sink: box})
//	sender := aplombtest.NewSender(scheme, srv.Client(), srv.URL)
//	deliveries := sender.Send(t.Context(), stripe.Events()...)
//
// A [Script] before the handler makes it fail; what goes wrong on the sender's side
// are Mishaps. The fields are set before the first Send; all methods are safe for
// concurrent use.
type Sender struct {
	// Schedule is how often it is tried. NewSender sets what the vendor of the
	// scheme is known to do.
	Schedule Schedule
	// Mishaps are what happens to deliveries besides. Default: nothing.
	Mishaps Mishaps

	scheme webhook.Scheme
	habits habits
	client *http.Client
	url    string

	mu   sync.Mutex
	sent uint64 // messages so far
}

// Mishaps are what a receiver has to be ready for. Of one Seed always the same comes
// to the same messages.
type Mishaps struct {
	Seed uint64
	// Lost is the share of answers, from 0 to 1, that do not arrive: what was
	// accepted is sent again.
	Lost float64
	// Duplicated is the share of messages that are sent twice at the same time.
	Duplicated float64
	// Shuffled is how long a message may be held up before it is sent first. Zero:
	// they are sent in order, each when the one before was answered for the first
	// time; only retries come late.
	Shuffled time.Duration
}

// Message is what is to be delivered.
type Message struct {
	Body []byte
	// Header is what the scheme does not set, such as X-GitHub-Event. Content-Type is
	// application/json unless it is here. An id that is here is kept: so a message of
	// a [Delivery], sent once more, is a redelivery.
	Header http.Header
}

// Delivery is what has become of a message.
type Delivery struct {
	// Message is the one sent, with the id that the scheme gave it.
	Message Message
	// Delivered says that an attempt was answered 2xx, as far as the sender knows.
	Delivered bool
	// Attempts are in the order of their beginning.
	Attempts []DeliveryAttempt
}

// DeliveryAttempt is one time that a message was sent.
type DeliveryAttempt struct {
	At     time.Time
	Status int   // of the answer, 0 if there was none
	Err    error // why there was none
	// Lost says that the answer, whatever it was, was taken for none; Twin that the
	// attempt is a duplicate, of which the sender knows nothing.
	Lost, Twin bool

	header http.Header
}

// errLost is what a sender sees of an answer that is lost.
var errLost = errors.New("aplombtest: the answer was lost")

// NewSender returns a Sender of scheme that delivers to url by client, whose redirects
// are not followed, as no vendor follows more than two.
func NewSender(scheme webhook.Scheme, client *http.Client, url string) *Sender {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Timeout = 0 // the schedule has one
	schedule, habits := scheduleOf(scheme.Name)
	return &Sender{Schedule: schedule, habits: habits, scheme: scheme, client: &own, url: url}
}

// Send delivers messages and returns when each is delivered, given up, or ctx ends.
// Their deliveries are in the messages' order. A message that cannot be signed has
// one attempt, whose Err says why.
func (s *Sender) Send(ctx context.Context, messages ...Message) []Delivery {
	deliveries := make([]Delivery, len(messages))
	var sending sync.WaitGroup
	turn := make(chan struct{})
	close(turn)
	for i, m := range messages {
		before, done := turn, make(chan struct{})
		turn = done
		chance := s.chance()
		sending.Go(func() {
			var begun sync.Once
			first := func() { begun.Do(func() { close(done) }) }
			defer first()
			if s.Mishaps.Shuffled > 0 {
				first()
				if !sleep(ctx, time.Duration(chance.Int64N(int64(s.Mishaps.Shuffled)))) {
					deliveries[i].Message = m
					return
				}
			} else {
				<-before
			}
			deliveries[i] = s.deliver(ctx, m, chance, first)
		})
	}
	sending.Wait()
	return deliveries
}

// chance is of the next message, whatever the others do meanwhile.
func (s *Sender) chance() *rand.Rand {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	return rand.New(rand.NewPCG(s.Mishaps.Seed, s.sent))
}

// deliver sends a message until it is through. first is called when its first attempt
// is over.
func (s *Sender) deliver(ctx context.Context, m Message, chance *rand.Rand, first func()) Delivery {
	d := Delivery{Message: Message{Body: m.Body, Header: m.Header.Clone()}}
	if d.Message.Header == nil {
		d.Message.Header = http.Header{}
	}
	if err := s.name(ctx, &d.Message); err != nil {
		d.Attempts = []DeliveryAttempt{{At: time.Now(), Err: err}}
		return d
	}
	twin := chance.Float64() < s.Mishaps.Duplicated
	var reason string
	for n := 0; ; n++ {
		lost := chance.Float64() < s.Mishaps.Lost
		attempt, also := s.attempts(ctx, d.Message, n, reason, twin && n == 0)
		if lost && attempt.Status != 0 {
			attempt.Lost, attempt.Err = true, errLost
		}
		d.Attempts = append(d.Attempts, attempt)
		d.Attempts = append(d.Attempts, also...)
		first()
		if attempt.Err == nil && attempt.Status/100 == 2 {
			d.Delivered = true
			return d
		}
		wait, again := s.next(n, &attempt)
		if !again || !sleep(ctx, wait) {
			return d
		}
		reason = attempt.reason()
	}
}

// attempts sends a message once, or twice at the same time.
func (s *Sender) attempts(ctx context.Context, m Message, n int, reason string, twin bool) (DeliveryAttempt, []DeliveryAttempt) {
	if !twin {
		return s.attempt(ctx, m, n, reason), nil
	}
	var other DeliveryAttempt
	var both sync.WaitGroup
	both.Go(func() { other = s.attempt(ctx, m, n, reason) })
	one := s.attempt(ctx, m, n, reason)
	both.Wait()
	other.Twin = true
	return one, []DeliveryAttempt{other}
}

// idHeaders are what names a message, where its body does not.
var idHeaders = []string{
	"Webhook-Id", "Svix-Id", "X-Github-Delivery", "X-Shopify-Webhook-Id", "I-Twilio-Idempotency-Token",
}

// name keeps the id that the scheme gives a message without one, so that it is the
// same on every attempt.
func (s *Sender) name(ctx context.Context, m *Message) error {
	r, err := s.request(ctx, *m)
	if err != nil {
		return err
	}
	for _, name := range idHeaders {
		if id := r.Header.Get(name); id != "" {
			m.Header.Set(name, id)
		}
	}
	return nil
}

// request is a message as it is sent now.
func (s *Sender) request(ctx context.Context, m Message) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header = m.Header.Clone()
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, s.scheme.Sign(r, bytes.Clone(m.Body), time.Now())
}

// attempt sends a message.
func (s *Sender) attempt(ctx context.Context, m Message, n int, reason string) DeliveryAttempt {
	a := DeliveryAttempt{At: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Schedule.Timeout, usualTimeout))
	defer cancel()
	r, err := s.request(ctx, m)
	if err != nil {
		a.Err = err
		return a
	}
	if s.habits.numbered && n > 0 {
		r.Header.Set("X-Slack-Retry-Num", strconv.Itoa(n))
		r.Header.Set("X-Slack-Retry-Reason", reason)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the URL is known
		}
		a.Err = err
		return a
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxFakeBody))
	_ = resp.Body.Close()
	a.Status, a.header = resp.StatusCode, resp.Header
	return a
}

// reason is what Slack calls a failure.
func (a *DeliveryAttempt) reason() string {
	switch {
	case errors.Is(a.Err, context.DeadlineExceeded), a.Lost:
		return "http_timeout"
	case a.Err != nil:
		return "connection_failed"
	}
	return "http_error"
}
