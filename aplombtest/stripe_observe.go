package aplombtest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxReceived is how many requests a fake remembers.
const maxReceived = 1000

// StripeEffects counts what requests have brought about: what a customer would
// find on the card statement, not what was tried. Seeds and replays do not
// count.
type StripeEffects struct {
	Customers      int   // created, also if deleted later
	PaymentIntents int   // created, paid or not
	Charges        int   // that succeeded, captured or not
	Declined       int   // charges that failed
	ChargedMinor   int64 // sum of what was captured, in minor units, currencies added up regardless
	Refunds        int   // created
	RefundedMinor  int64 // sum of the refunds, as ChargedMinor
	Replays        int   // answers given from an Idempotency-Key
	Requests       int   // all, with those that were refused
}

// Received is a request as a fake has seen it.
type Received struct {
	Method string
	Path   string
	Query  string // without the question mark
	Header http.Header
	Body   string
}

// Effects returns what has happened so far.
func (s *Stripe) Effects() StripeEffects {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.effects
}

// Received returns the last 1000 requests, oldest first. Their headers hold the
// keys they were sent with.
func (s *Stripe) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// Delay makes each request take d before it has an effect, also when its client
// gives up meanwhile; so long is its Idempotency-Key in use. Zero, the default,
// is no delay. The requests that have begun are not affected.
func (s *Stripe) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Crash makes the next n requests with an Idempotency-Key fail after they have
// taken effect: the answer is a 500 api_error, stored under the key and given
// again to whoever repeats it, as the real API does
// (https://docs.stripe.com/error-low-level#sending-idempotency-keys).
func (s *Stripe) Crash(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crashes = n
}

// SeedCustomer creates a customer and returns its id.
func (s *Stripe) SeedCustomer(email string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	customer := s.newCustomer(time.Now().Unix())
	customer.Email = &email
	return customer.ID
}

// SeedCharges creates n charges of customer, an id or "" for none, and returns
// their ids, oldest first. The k-th is of 1000+k US cents; the last is as of
// now, each one before it a second older.
func (s *Stripe) SeedCharges(customer string, n int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Unix()
	ids := make([]string, n)
	for k := range n {
		charge := s.newCharge(now-int64(n-1-k), 1000+int64(k)+1, "usd", "pm_card_visa")
		if customer != "" {
			charge.Customer = &customer
		}
		s.succeed(charge, charge.Amount)
		ids[k] = charge.ID
	}
	return ids
}

// receive keeps r and returns the id the request has from now on.
func (s *Stripe) receive(r *http.Request, body string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.effects.Requests++
	s.received = remember(s.received, r, body)
	return s.id("req")
}

// remember appends r to the requests received and drops the oldest beyond the
// limit.
func remember(received []Received, r *http.Request, body string) []Received {
	if len(received) == maxReceived {
		received = slices.Delete(received, 0, 1)
	}
	return append(received, Received{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Clone(), body})
}

// id returns the next id with prefix, such as cus_1. Its caller holds s.mu.
func (s *Stripe) id(prefix string) string {
	s.ids[prefix]++
	return prefix + "_" + strconv.Itoa(s.ids[prefix])
}
