package aplombtest

import (
	"net/http"
	"net/url"
	"time"
)

const (
	maxStripeKey = 255            // characters of an Idempotency-Key
	keepStripe   = 24 * time.Hour // how long a key is kept at least
	sweepStripe  = 1000           // keys from which on old ones are looked for
)

// stripeStored is what is known of an idempotency key.
type stripeStored struct {
	endpoint string // path it was first used for
	params   string // the parameters in one order
	since    time.Time
	request  string // the id of the request that was first
	done     bool
	reply    stripeReply
}

// once runs a POST at most once per key. The lock is not held while run is
// under way, so that others find the key in use.
func (s *Stripe) once(w http.ResponseWriter, r *http.Request, key string, form stripeForm, run func() (stripeReply, bool)) {
	h := w.Header()
	h.Set("Idempotency-Key", key)
	if len(key) > maxStripeKey {
		invalidRequest("", "", "Idempotency keys can be at most 255 characters long.").reply().send(w)
		return
	}
	scope := r.Header.Get("Authorization") + "\n" + r.Header.Get("Stripe-Account") + "\n" + key
	mine := &stripeStored{
		endpoint: r.URL.Path,
		params:   url.Values(form).Encode(),
		since:    time.Now(),
		request:  h.Get("Request-Id"),
	}
	if stored, err := s.claim(scope, key, mine); err != nil {
		err.reply().send(w)
		return
	} else if stored != nil {
		h.Set("Idempotent-Replayed", "true")
		h.Set("Original-Request", stored.request)
		stored.reply.send(w)
		return
	}
	s.pause()
	reply, began := run()
	if began && s.crash() {
		reply = errCrashed().reply()
	}
	s.settle(scope, mine, reply, began)
	h.Set("Original-Request", mine.request)
	reply.send(w)
}

// crash reports whether this is a request that Crash has asked for.
func (s *Stripe) crash() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashes == 0 {
		return false
	}
	s.crashes--
	return true
}

// claim takes the key for mine, or returns what is stored under it.
func (s *Stripe) claim(scope, key string, mine *stripeStored) (*stripeStored, *stripeError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(mine.since)
	stored := s.keys[scope]
	switch {
	case stored == nil || stored.done && mine.since.Sub(stored.since) >= keepStripe:
		s.keys[scope] = mine
		return nil, nil
	case stored.endpoint != mine.endpoint:
		return nil, errKeyElsewhere(key, mine.endpoint, stored.endpoint)
	case stored.params != mine.params:
		return nil, errKeyReused(key)
	case !stored.done:
		return nil, errKeyInUse(key)
	}
	s.effects.Replays++
	return stored, nil
}

// settle stores the answer, or gives the key back if nothing had begun.
func (s *Stripe) settle(scope string, mine *stripeStored, reply stripeReply, began bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !began {
		delete(s.keys, scope)
		return
	}
	mine.done, mine.reply = true, reply
}

// sweep forgets old keys once there are many, and again once there are twice as
// many.
func (s *Stripe) sweep(now time.Time) {
	if len(s.keys) < max(sweepStripe, s.sweepAt) {
		return
	}
	defer func() { s.sweepAt = 2 * len(s.keys) }()
	for scope, stored := range s.keys {
		if stored.done && now.Sub(stored.since) >= keepStripe {
			delete(s.keys, scope)
		}
	}
}
