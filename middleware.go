package aplomb

import (
	"errors"
	"net/http"
	"slices"
)

// Middleware wraps a RoundTripper. It must keep net/http's contract: clone a
// request before changing it, close the request's body on every path, return a
// response or an error but not both, and honour the request's context.
//
// An existing transport fits in a line:
//
//	aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
//		return otelhttp.NewTransport(next)
//	})
type Middleware func(next http.RoundTripper) http.RoundTripper

// RoundTripFunc is an ordinary function as an http.RoundTripper, to write a
// [Middleware] with.
type RoundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f RoundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// PerCall places mw around the whole call: it sees one request however often
// it is retried, and the last response. The first given is the outermost.
func PerCall(mw ...Middleware) Option {
	return clientOption(func(c *config) error { return place("PerCall", &c.perCall, mw) })
}

// PerAttempt places mw around each attempt, after every wait and before the
// credential is attached. The first given is the outermost.
func PerAttempt(mw ...Middleware) Option {
	return clientOption(func(c *config) error { return place("PerAttempt", &c.perAttempt, mw) })
}

// place adds mw inside those already at a place.
func place(name string, at *[]Middleware, mw []Middleware) error {
	if slices.ContainsFunc(mw, func(m Middleware) bool { return m == nil }) {
		return errors.New("aplomb: " + name + ": nil Middleware")
	}
	*at = append(slices.Clip(*at), mw...)
	return nil
}

// chain wraps rt in mw, the first outermost.
func chain(rt http.RoundTripper, mw []Middleware) (http.RoundTripper, error) {
	for _, m := range slices.Backward(mw) {
		if rt = m(rt); isNil(rt) {
			return nil, errors.New("aplomb: a Middleware returned a nil http.RoundTripper")
		}
	}
	return rt, nil
}
