package aplombtest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxFakeBody bounds a request's body; the real API's limit is not documented.
const maxFakeBody = 1 << 20

// defaultStripeVersion is reported when a request names no version, as the real
// API reports the version of the account.
const defaultStripeVersion = "2026-08-26.dahlia"

// Stripe is a stateful fake of the Stripe API, an [http.Handler] for a [Server]
// or an [net/http/httptest.Server]. Make one with [NewStripe]. All methods are
// safe for concurrent use.
//
// It serves, under /v1 and in the form encoding of the real API:
//
//	customers         create, retrieve, update, delete, list (email, created)
//	payment_intents   create, retrieve, update, confirm, capture, cancel, list (customer, created)
//	charges           create, retrieve, list (customer, payment_intent, created)
//	refunds           create, retrieve, update, list (charge, payment_intent, created)
//	events            retrieve, list (type, types, created), for 30 days; see [Stripe.Events]
//
// Lists are newest first, in pages of limit (1 to 100, 10 if not given) from
// starting_after or ending_before. Errors have Stripe's types, codes and words:
// for missing, unknown and malformed parameters, for unknown ids, for absent
// and bad keys (any sk_test_ or rk_test_ key is a good one), for declined cards.
//
// A POST's Idempotency-Key is kept for 24 hours. Once a request has passed its
// checks and begun to take effect, its status and body are stored, whatever
// they are, and a repetition gets them back with Idempotent-Replayed: true. The
// same key with other parameters is an idempotency_error (400), the same key
// while the first request is under way an idempotency_key_in_use (409). See
// https://docs.stripe.com/api/idempotent_requests.
//
// Cards are the test cards of https://docs.stripe.com/testing: any pm_ or tok_
// id pays, those named chargeDeclined, chargeDeclinedInsufficientFunds,
// chargeDeclinedLostCard, chargeDeclinedStolenCard, chargeDeclinedExpiredCard,
// chargeDeclinedIncorrectCvc and chargeDeclinedProcessingError (also after
// visa_) are declined. A charge of a customer without a source uses a card that
// works.
//
// Left out: 3-D Secure, search, files, expansion (expand[] is
// accepted and ignored), rate limits (a [Script] can answer 429), Stripe-Account
// other than to keep idempotency keys apart, and parameters whose effect no
// field of the answer would show, which are accepted.
type Stripe struct {
	mux *http.ServeMux

	mu        sync.Mutex
	customers shelf[*stripeCustomer]
	intents   shelf[*stripeIntent]
	charges   shelf[*stripeCharge]
	refunds   shelf[*stripeRefund]
	events    shelf[*stripeEvent]
	ids       map[string]int // by prefix: how many were given out
	keys      map[string]*stripeStored
	delay     time.Duration
	crashes   int
	sweepAt   int // how many keys are looked through next
	effects   StripeEffects
	received  []Received
}

// NewStripe returns a Stripe without objects.
func NewStripe() *Stripe {
	s := &Stripe{mux: http.NewServeMux(), ids: map[string]int{}, keys: map[string]*stripeStored{}}
	s.customers.name, s.intents.name, s.charges.name = "customer", "payment_intent", "charge"
	s.refunds.name, s.events.name = "refund", "event"
	s.route()
	return s
}

// route lists the endpoints with the parameters each of them knows.
func (s *Stripe) route() {
	list := []string{"limit", "starting_after", "ending_before", "created"}

	s.handle("POST /v1/customers", s.createCustomer, customerParams)
	s.handle("GET /v1/customers", s.listCustomers, list, []string{"email"})
	s.handle("GET /v1/customers/{id}", s.getCustomer)
	s.handle("POST /v1/customers/{id}", s.updateCustomer, customerParams)
	s.handle("DELETE /v1/customers/{id}", s.deleteCustomer)

	s.handle("POST /v1/payment_intents", s.createIntent, intentParams, []string{"confirm", "confirmation_method"}, confirmParams)
	s.handle("GET /v1/payment_intents", s.listIntents, list, []string{"customer"})
	s.handle("GET /v1/payment_intents/{id}", s.getIntent, []string{"client_secret"})
	s.handle("POST /v1/payment_intents/{id}", s.updateIntent, intentParams)
	s.handle("POST /v1/payment_intents/{id}/confirm", s.confirmIntent, confirmParams)
	s.handle("POST /v1/payment_intents/{id}/capture", s.captureIntent, captureParams)
	s.handle("POST /v1/payment_intents/{id}/cancel", s.cancelIntent, []string{"cancellation_reason"})

	s.handle("POST /v1/charges", s.createCharge, chargeParams)
	s.handle("GET /v1/charges", s.listCharges, list, []string{"customer", "payment_intent", "transfer_group"})
	s.handle("GET /v1/charges/{id}", s.getCharge)

	s.handle("POST /v1/refunds", s.createRefund, []string{"charge", "payment_intent", "amount", "reason", "metadata"}, refundParams)
	s.handle("GET /v1/refunds", s.listRefunds, list, []string{"charge", "payment_intent"})
	s.handle("GET /v1/refunds/{id}", s.getRefund)
	s.handle("POST /v1/refunds/{id}", s.updateRefund, []string{"metadata"})

	s.handle("GET /v1/events", s.listEvents, list, []string{"type", "types", "delivery_success"})
	s.handle("GET /v1/events/{id}", s.getEvent)

	for _, name := range []string{"customers", "payment_intents", "charges"} { // else the id of an object
		s.mux.HandleFunc("GET /v1/"+name+"/search", func(w http.ResponseWriter, r *http.Request) { errUnknownURL(r).reply().send(w) })
	}
}

// stripeCall is one request on its way through an endpoint.
type stripeCall struct {
	id   string // of the path, if it has one
	path string
	form stripeForm
	now  int64 // unix seconds

	request, key string // its id, and its Idempotency-Key
}

// stripeOp does what an endpoint is for, with s.mu held. An error that came
// before any effect leaves no trace of an idempotency key.
type stripeOp func(*stripeCall) (answer any, err *stripeError)

// stripeReply is an answer ready to send, and to store.
type stripeReply struct {
	status int
	body   []byte
}

// ServeHTTP implements [http.Handler].
func (s *Stripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxFakeBody))
	if err != nil {
		return // the client broke off; there is nobody to answer
	}
	_ = r.Body.Close()
	r.Body = io.NopCloser(strings.NewReader(string(body)))

	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Request-Id", s.receive(r, string(body)))
	h.Set("Stripe-Version", defaultStripeVersion)
	if v := r.Header.Get("Stripe-Version"); v != "" {
		h.Set("Stripe-Version", v)
	}
	if err := authenticate(r); err != nil {
		h.Set("WWW-Authenticate", `Bearer realm="Stripe"`)
		err.reply().send(w)
		return
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		errUnknownURL(r).reply().send(w)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// handle serves pattern by op. A parameter that is in none of the lists is an
// error, except expand, which every endpoint takes.
func (s *Stripe) handle(pattern string, op stripeOp, params ...[]string) {
	known := map[string]bool{"expand": true}
	for _, list := range params {
		for _, name := range list {
			known[name] = true
		}
	}
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		form, err := readForm(r)
		if err != nil {
			err.reply().send(w)
			return
		}
		key := r.Header.Get("Idempotency-Key")
		c := &stripeCall{id: r.PathValue("id"), path: r.URL.Path, form: form, request: w.Header().Get("Request-Id"), key: key}
		run := func() (stripeReply, bool) { return s.run(c, op, known) }
		if r.Method != http.MethodPost || key == "" { // GET and DELETE need none: the header is ignored
			s.pause()
			reply, _ := run()
			reply.send(w)
			return
		}
		s.once(w, r, key, form, run)
	})
}

// run checks the parameters' names and does op. It reports whether op began to
// take effect, which is when an idempotency key is spent.
func (s *Stripe) run(c *stripeCall, op stripeOp, known map[string]bool) (reply stripeReply, began bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = time.Now().Unix()
	if err := c.form.unknown(known); err != nil {
		return err.reply(), false
	}
	answer, err := op(c)
	if err != nil {
		return err.reply(), err.began
	}
	return stripeReply{http.StatusOK, encodeStripe(answer)}, true // inside the lock: answer may be a living object
}

// pause lasts as long as Delay says, also when the client has gone: a server
// that has begun does not stop.
func (s *Stripe) pause() {
	s.mu.Lock()
	d := s.delay
	s.mu.Unlock()
	if d > 0 {
		<-time.After(d)
	}
}

func (r stripeReply) send(w http.ResponseWriter) {
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

// authenticate takes any test key, as a bearer token or as the user of basic
// authentication.
func authenticate(r *http.Request) *stripeError {
	key, _, ok := r.BasicAuth()
	if !ok {
		key, ok = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	switch {
	case !ok || strings.TrimSpace(key) == "":
		return errNoKey()
	case !strings.HasPrefix(key, "sk_test_") && !strings.HasPrefix(key, "rk_test_"):
		return errBadKey(key)
	}
	return nil
}

// readForm returns the parameters of the query and, for a POST, of the body.
func readForm(r *http.Request) (stripeForm, *stripeError) {
	values := r.URL.Query()
	if r.Method != http.MethodPost {
		return stripeForm(values), nil
	}
	body, _ := io.ReadAll(r.Body) // in memory already
	if len(body) == 0 {
		return stripeForm(values), nil
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(kind) != "application/x-www-form-urlencoded" {
		return nil, errContentType()
	}
	posted, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errContentType()
	}
	for name, list := range posted {
		values[name] = append(values[name], list...)
	}
	return stripeForm(values), nil
}
