package aplomb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aplomb-go/aplomb/internal/redact"
)

const (
	defaultEarly        = 5 * time.Minute
	defaultFetchTimeout = 30 * time.Second
	// After a failure, or a token that nobody accepted, the next Fetch comes a
	// second later at the soonest, then two, and so on: a token endpoint that
	// is down is one that everybody asks at once.
	minPace = time.Second
	maxPace = 30 * time.Second
)

// A pacer spaces repetitions: each waits twice as long as the one before.
type pacer struct {
	count int
	until time.Time
}

// next notes another repetition and returns when the one after it may be. The
// jitter, of up to a half, keeps the processes of a fleet apart.
func (p *pacer) next(now time.Time, random float64) time.Time {
	wait := doubled(minPace, p.count, maxPace)
	p.count++
	p.until = now.Add(wait + time.Duration(random*float64(wait/2)))
	return p.until
}

func (p *pacer) reset() { *p = pacer{} }

// flight is one Fetch, waited for by any number of callers.
type flight struct {
	done   chan struct{}
	before error // why the one before brought nothing
	token  Token
	err    error
}

func (f *flight) wait(ctx context.Context) (Token, error) {
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		if f.before != nil {
			return Token{}, fmt.Errorf("%w, after %w", context.Cause(ctx), f.before)
		}
		return Token{}, context.Cause(ctx)
	}
}

// tokenError is a Fetch that failed, remembered until readyAt.
type tokenError struct {
	err     error
	readyAt time.Time
}

func (e *tokenError) Error() string { return redact.Text(e.err.Error(), 400) }
func (e *tokenError) Unwrap() error { return e.err }

// fetch joins the flight under way or starts one, unless a failure is still
// remembered. The caller holds t.mu.
func (t *Tokens) fetch(ctx context.Context, now time.Time) (*flight, error) {
	switch {
	case t.flight != nil:
		return t.flight, nil
	case t.failure != nil && now.Before(t.failure.readyAt):
		return nil, t.failure
	}
	f := &flight{done: make(chan struct{})}
	if t.failure != nil {
		f.before = t.failure
	}
	t.flight = f
	go t.run(ctx, f, t.last)
	return f, nil
}

// run is the flight: detached from the caller who happened to start it.
func (t *Tokens) run(caller context.Context, f *flight, last Token) {
	timeout := orDefault(t.Timeout, defaultFetchTimeout)
	ctx, cancel := context.WithTimeoutCause(t.detached(caller), timeout, &timeoutError{"token fetch", timeout})
	defer cancel()
	start := time.Now()
	f.err = errors.New("aplomb: Tokens.Fetch ended its goroutine")
	defer func() {
		if p := recover(); p != nil {
			f.err = fmt.Errorf("aplomb: Tokens.Fetch panicked: %v", p)
		}
		t.land(f, start)
	}()
	f.token, f.err = t.Fetch(ctx, last)
	switch {
	case f.err != nil && ctx.Err() != nil:
		f.err = fmt.Errorf("%w: %w", context.Cause(ctx), f.err)
	case f.err == nil && f.token.Value.Reveal() == "":
		f.err = errors.New("aplomb: Tokens.Fetch returned an empty token")
	}
}

// detached is ctx without its end, and without the attempt and the settings of
// its call, which are not meant for the requests that a Fetch makes.
func (t *Tokens) detached(ctx context.Context) context.Context {
	a := attemptFrom(ctx)
	ctx = context.WithValue(context.WithoutCancel(ctx), contextKey{}, nil)
	if a != nil {
		ctx = context.WithValue(context.WithValue(ctx, attemptKey{}, nil), clockKey{}, a)
	}
	return context.WithValue(ctx, fetching{t}, true)
}

// fetching marks the context of a Fetch: who asks for the token with it would
// wait for itself.
type fetching struct{ *Tokens }

var errOwnToken = errors.New("aplomb: Tokens.Fetch needs what it is to fetch, so give its request NoAuth() or a client of its own")

// land takes in what the flight brought and lets those who wait go on.
func (t *Tokens) land(f *flight, start time.Time) {
	t.mu.Lock()
	now := time.Now()
	t.flight = nil
	event := TokenEvent{Err: f.err, Elapsed: now.Sub(start)}
	if f.err != nil {
		failure := &tokenError{err: f.err, readyAt: t.pace.next(now, t.random01())}
		t.failure, f.token, f.err = failure, Token{}, failure
		event.Err, event.RetryAt = failure, failure.readyAt
	} else {
		t.failure = nil
		t.pace.reset()
		t.last = f.token
		t.current = &generation{Token: f.token, refreshAt: t.refreshAt(f.token, now)}
		event.Expiry = f.token.Expiry
	}
	t.mu.Unlock()
	close(f.done)
	if t.Watch != nil {
		t.Watch(event)
	}
}

// refreshAt is when a token got now is to be fetched anew.
func (t *Tokens) refreshAt(token Token, now time.Time) time.Time {
	if !token.RefreshAt.IsZero() || token.Expiry.IsZero() {
		return token.RefreshAt
	}
	return token.Expiry.Add(-min(orDefault(t.Early, defaultEarly), token.Expiry.Sub(now)/4))
}

// accept notes that an answer has accepted the token.
func (t *Tokens) accept(token Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.current; g != nil && !g.proved && g.Value.Reveal() == token.Reveal() {
		g.proved = true
		t.forced.reset()
	}
}

// replace ends the token that was refused, unless that was done already, waits
// for the next and reports whether there is one. Of all the requests that
// carried it, only the first to be refused starts a Fetch.
func (t *Tokens) replace(ctx context.Context, refused Secret) bool {
	t.mu.Lock()
	now := time.Now()
	if g := t.current; g != nil {
		switch {
		case g.Value.Reveal() != refused.Reveal():
			t.mu.Unlock()
			return true // somebody has replaced it meanwhile
		case g.refused && t.flight != nil:
			// Somebody has ended it; the next is under way.
		case !g.proved && now.Before(t.forced.until):
			t.mu.Unlock()
			return false // the API refuses whatever it is shown
		default:
			t.end(g, now)
		}
	}
	f, err := t.fetch(ctx, now)
	t.mu.Unlock()
	if err != nil {
		return false
	}
	next, err := f.wait(ctx)
	return err == nil && next.Value.Reveal() != refused.Reveal()
}

// end takes a refused token out of use. One without an end, such as a key from
// a secrets manager, is still handed out until there is another: the refusal may
// be the API's own mistake, and the manager may be away.
func (t *Tokens) end(g *generation, now time.Time) {
	t.forced.next(now, t.random01())
	if g.Expiry.IsZero() {
		g.refused, g.proved = true, false
		return
	}
	t.current = nil
}
