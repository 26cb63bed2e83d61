package aplomb

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// maxSkew bounds what is believed of a Date header: a clock further off than
	// this is likelier the server's fault than ours.
	maxSkew = time.Hour
	// minSkew is what makes a signature worth another try. A Date has whole
	// seconds, and what travels takes time.
	minSkew = time.Second
)

// ServerTime is the time by the clock of the server that r goes to, as far as
// its Date headers (RFC 9110, section 6.6.1) have told: what an [Auth] should
// sign with. Without an answer yet, and outside of Attach, it is time.Now().
//
// It learns from the answers to requests for which it was asked, over https
// only, unless [TrustDate] allows http too, and believes no difference above an
// hour. A request that was signed by the wrong time and answered 400, 401 or 403
// is signed and sent again, once.
func ServerTime(r *http.Request) time.Time { return serverTime(r.Context()) }

func serverTime(ctx context.Context) time.Time {
	now := time.Now()
	a := attemptBehind(ctx)
	if a == nil {
		return now
	}
	offset := a.clock().offset.Load()
	a.dated.Store(serverOffset(offset))
	return now.Add(time.Duration(offset))
}

// A dating is what a request was dated by. It is a [serverOffset], behind an interface,
// so that a program that never asks for a server's time links none of this.
type dating interface {
	moved(a *Attempt, resp *http.Response, r *http.Request, sent time.Time) bool
	off(a *Attempt) (ahead time.Duration, ok bool)
}

// serverOffset is what was added to our time, in nanoseconds.
type serverOffset int64

// dating is nil where nobody asked.
func (a *Attempt) dating() dating {
	d, _ := a.dated.Load().(dating)
	return d
}

// behindKey is where a Fetch finds the attempt that it was begun for: its server
// may want to know the time, and its call may try another key.
type behindKey struct{}

// attemptBehind is the attempt that ctx belongs to, or a Fetch on its behalf.
func attemptBehind(ctx context.Context) *Attempt {
	if a := attemptFrom(ctx); a != nil {
		return a
	}
	a, _ := ctx.Value(behindKey{}).(*Attempt)
	return a
}

// TrustDate lets [ServerTime] learn from Date headers over plain http as well,
// where anybody on the way may have written them. It is for a loopback or a
// private network.
func TrustDate() Option {
	return clientOption(func(c *config) error { c.trustDate = true; return nil })
}

// A serverClock is how far one origin's clock is ahead of ours, in nanoseconds.
type serverClock struct{ offset atomic.Int64 }

func newClocks() *keyed[*serverClock] {
	return newKeyed(maxKeys, func(string) *serverClock { return &serverClock{} })
}

func (a *Attempt) clock() *serverClock {
	return a.call.stack.clocks.at(stateKey{to: a.origin()})
}

// moved learns the server's clock from an answer, and reports a refusal of what was
// signed by the wrong time.
func (used serverOffset) moved(a *Attempt, resp *http.Response, r *http.Request, sent time.Time) bool {
	if r.URL.Scheme != "https" && !a.call.stack.cfg.trustDate {
		return false
	}
	clock := a.clock()
	if offset, ok := skew(resp.Header, sent, time.Now(), time.Duration(clock.offset.Load())); ok {
		clock.offset.Store(int64(offset))
	}
	return refusesTime(resp.StatusCode) && time.Duration(clock.offset.Load()-int64(used)).Abs() >= minSkew
}

// off is how far a refusal's Date is ahead of the time that was signed by,
// where that is far enough to be the reason.
func (used serverOffset) off(a *Attempt) (ahead time.Duration, ok bool) {
	if a.Response == nil {
		return 0, false
	}
	date, err := http.ParseTime(a.Response.Header.Get("Date"))
	ahead = time.Until(date) - time.Duration(used)
	return ahead, err == nil && ahead.Abs() >= time.Minute
}

// clockOff is the same for an attempt that may have no date.
func (a *Attempt) clockOff() (ahead time.Duration, ok bool) {
	if d := a.dating(); d != nil {
		return d.off(a)
	}
	return 0, false
}

// refusesTime reports a status that servers answer with to a signature of
// another time: there is no one of its own for it.
func refusesTime(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden
}

// skew is how far the server's clock is ahead: now, if what the Date says can
// be true of it, else the least that can be.
func skew(h http.Header, sent, received time.Time, now time.Duration) (time.Duration, bool) {
	date, ok := dateOf(h)
	if !ok {
		return 0, false
	}
	least, most := date.Sub(received), date.Add(time.Second).Sub(sent) // it was written in between, in a second begun
	switch {
	case least > maxSkew || most < -maxSkew:
		return 0, false
	case least <= now && now <= most:
		return now, true
	}
	return least, true
}

// dateOf is when an answer was written by the server's clock. A Date that a cache
// has kept says nothing.
func dateOf(h http.Header) (time.Time, bool) {
	text := h.Get("Date")
	if text == "" || h.Get("Age") != "" && h.Get("Age") != "0" {
		return time.Time{}, false
	}
	date, err := http.ParseTime(text)
	return date, err == nil
}
