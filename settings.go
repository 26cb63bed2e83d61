package aplomb

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// settings are what a call is told, by itself, its context and its client.
// The zero value says nothing.
type settings struct {
	header      []field
	query       []param
	path        []field
	pathOne     [1]field
	payload     *payload
	zip         func(*payload) (*payload, error) // nil as a rule, so that a program without Gzip links none of it
	target      string
	baseURL     *url.URL // instead of the client's base URL
	key         string
	keyOwner    *contextOptions // the context that key came from
	timeout     time.Duration
	retry       *Retry
	hedge       *hedging
	idempotency *Idempotency
	auths       []Auth
	noRetry     bool
	noHedge     bool
	noAuth      bool
	safe        bool
	prefetch    bool
	listing     bool // set by the iterators, for which alone prefetch, resume and atMost are
	capture     []*Response
	expect      []int
	codec       *Codec
	maxBody     int64
	operation   string
	trace       func(*http.Request, *call) *http.Request // nil without Traceparent
	decoders    []ErrorDecoder
	judges      []Judge
	resume      string
	atMost      int
}

// callSettings are what the context and the call itself say.
func callSettings(ctx context.Context, opts []CallOption) (own settings, err error) {
	err = own.read(ctx, opts)
	return own, err
}

// read takes in what the context and the call itself say.
func (s *settings) read(ctx context.Context, opts []CallOption) error {
	if ctx == nil {
		return errors.New("aplomb: nil context.Context: pass context.Background()")
	}
	outer, _ := ctx.Value(contextKey{}).(*contextOptions)
	if err := outer.applyTo(s); err != nil {
		return err
	}
	if err := s.apply(opts); err != nil {
		return err
	}
	if s.retry != nil && s.retry.Budget != defaultBudget {
		return errors.New("aplomb: Retry.Budget belongs to the client: leave it out of a call's Retry")
	}
	return nil
}

// fillFrom fills what s leaves open with the client's settings, whose judges and decoders
// come first. Header, query and path are laid where a request is built.
func (s *settings) fillFrom(client *settings) {
	if s.retry == nil && !s.noRetry {
		s.retry = client.retry
	}
	if s.hedge == nil && !s.noHedge {
		s.hedge = client.hedge
	}
	if s.idempotency == nil {
		s.idempotency = client.idempotency
	}
	if s.auths == nil && !s.noAuth {
		s.auths = client.auths
	}
	if s.expect == nil {
		s.expect = client.expect
	}
	if s.codec == nil {
		s.codec = client.codec
	}
	s.timeout = orDefault(s.timeout, client.timeout)
	s.maxBody = orDefault(s.maxBody, client.maxBody)
	s.judges = behind(client.judges, s.judges)
	s.decoders = behind(client.decoders, s.decoders)
}

// behind is first with then after it, which most often is nothing.
func behind[E any](first, then []E) []E {
	if len(then) == 0 {
		return slices.Clip(first)
	}
	return slices.Concat(first, then)
}

// typedOnly names a setting that makes a request, which only typed calls do.
func (s *settings) typedOnly() string {
	switch {
	case s.payload != nil:
		return "JSON, Form or Body"
	case s.zip != nil:
		return "Gzip"
	case s.target != "":
		return "URL"
	case s.baseURL != nil:
		return "BaseURL"
	case s.path != nil:
		return "Path"
	case s.resume != "" || s.prefetch || s.atMost != 0:
		return "Resume, Prefetch or AtMost"
	}
	return ""
}
