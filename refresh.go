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
	// freeRefusals do not slow down the next: to revoke a few tokens, one after the
	// other, is no habit of an API's yet.
	freeRefusals = 2
)

// A pacer spaces repetitions: each waits twice as long as the one before, but for
// the first free ones.
type pacer struct {
	free  int
	count int
	until time.Time
}

// next notes another repetition and returns when the one after it may be. The
// jitter, of up to a half, keeps the processes of a fleet apart.
func (p *pacer) next(now time.Time, random float64) time.Time {
	p.count++
	if p.count <= p.free {
		return now
	}
	wait := doubled(minPace, p.count-p.free-1, maxPace)
	p.until = now.Add(min(wait+time.Duration(random*float64(wait/2)), maxPace))
	return p.until
}

func (p *pacer) reset() { *p = pacer{free: p.free} }

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

// fetch joins the flight under way or starts one, unless the last was too short
// a time ago: then it returns its failure, or nothing for a token that was over
// when it came. The caller holds t.mu.
func (t *Tokens) fetch(ctx context.Context, now time.Time) (*flight, error) {
	switch {
	case t.flight != nil:
		return t.flight, nil
	case now.Before(t.pace.until) || t.hung:
		switch {
		case t.failure != nil:
			return nil, t.failure
		case t.current == nil:
			return nil, &tokenError{errStale, t.pace.until}
		}
		return nil, nil
	}
	f := &flight{done: make(chan struct{})}
	if t.failure != nil {
		f.before = t.failure
	}
	t.flight = f
	go t.run(ctx, f, t.last)
	return f, nil
}

var errStale = errors.New("the last one had ended when it came: is this machine's clock right?")

// fetched is what a Fetch returned.
type fetched struct {
	token Token
	err   error
}

// run is the flight: detached from the caller who happened to start it. A Fetch
// that heeds no context is not waited for after Timeout, nor called again until
// it returns.
func (t *Tokens) run(caller context.Context, f *flight, last Token) {
	timeout := orDefault(t.Timeout, defaultFetchTimeout)
	ctx, cancel := context.WithTimeoutCause(t.detached(caller), timeout, &timeoutError{"token fetch", timeout})
	defer cancel()
	start, returned := time.Now(), make(chan fetched, 1)
	go t.call(ctx, last, returned)
	select {
	case got := <-returned:
		if got.err != nil && ctx.Err() != nil {
			got.err = fmt.Errorf("%w: %w", context.Cause(ctx), got.err)
		}
		t.land(f, got, start)
	case <-ctx.Done():
		t.mu.Lock()
		t.hung = true
		t.mu.Unlock()
		t.land(f, fetched{err: context.Cause(ctx)}, start)
		t.late(<-returned)
	}
}

// call runs Fetch, whose panic is an error like another.
func (t *Tokens) call(ctx context.Context, last Token, returned chan<- fetched) {
	got := fetched{err: errors.New("aplomb: Tokens.Fetch ended its goroutine")}
	defer func() {
		if p := recover(); p != nil {
			got.err = fmt.Errorf("aplomb: Tokens.Fetch panicked: %v", p)
		}
		returned <- got
	}()
	if got.token, got.err = t.Fetch(ctx, last); got.err == nil && got.token.Value.Reveal() == "" {
		got.err = errors.New("aplomb: Tokens.Fetch returned an empty token")
	}
}

// detached is ctx without its end, and without the attempt and the settings of
// its call, which are not meant for the requests that a Fetch makes.
func (t *Tokens) detached(ctx context.Context) context.Context {
	a := attemptFrom(ctx)
	ctx = context.WithValue(context.WithoutCancel(ctx), contextKey{}, nil)
	if a != nil {
		ctx = context.WithValue(context.WithValue(ctx, redact.CarrierKey{}, nil), behindKey{}, a)
	}
	return context.WithValue(ctx, fetching{t}, true)
}

// fetching marks the context of a Fetch: who asks for the token with it would
// wait for itself.
type fetching struct{ *Tokens }

var errOwnToken = errors.New("aplomb: Tokens.Fetch needs what it is to fetch, so give it a client of its own, made by New")

// land takes in what the flight brought and lets those who wait go on. The flight
// is over once Watch was told, so that Watch is told of one after the other.
func (t *Tokens) land(f *flight, got fetched, start time.Time) {
	t.mu.Lock()
	now := time.Now()
	event := TokenEvent{Err: got.err, Elapsed: now.Sub(start)}
	if got.err != nil {
		failure := t.fail(got.err, now)
		f.err, event.Err, event.RetryAt = failure, failure, failure.readyAt
	} else {
		f.token = t.adopt(got.token, now)
		event.Expiry = f.token.Expiry
	}
	t.mu.Unlock()
	t.tell(event)
	t.mu.Lock()
	t.flight = nil
	t.mu.Unlock()
	close(f.done)
}

// late takes in what a Fetch returned after its time.
func (t *Tokens) late(got fetched) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hung = false
	if got.err == nil {
		t.adopt(got.token, time.Now())
	}
}

// fail remembers a failure: for as long as the pace has it, or as the error
// itself says.
func (t *Tokens) fail(err error, now time.Time) *tokenError {
	t.failure = &tokenError{err: err, readyAt: t.pace.next(now, t.random01())}
	if own, ok := errors.AsType[interface {
		error
		RetryAt() time.Time
	}](err); ok {
		t.failure.readyAt = own.RetryAt()
		t.pace = pacer{until: own.RetryAt()}
	}
	return t.failure
}

// adopt makes token the current one. Its end is told by the clock on the wall,
// which goes on while a machine sleeps. One that is over when it comes, by a wrong
// clock or a careless server, is not asked for again at the callers' pace.
func (t *Tokens) adopt(token Token, now time.Time) Token {
	token.Expiry, token.RefreshAt = token.Expiry.Round(0), token.RefreshAt.Round(0)
	if token.Value.Reveal() == t.last.Value.Reveal() { // the same again: not worth asking soon once more
		t.forced.free, t.forced.count = freeRefusals, max(t.forced.count, freeRefusals)
		t.forced.next(now, t.random01())
	}
	t.failure, t.last = nil, token
	t.current = &generation{Token: token, fetched: now, refreshAt: t.refreshAt(token, now)}
	if t.current.alive(now) && !t.current.old(now) {
		t.pace.reset()
	} else {
		t.pace.next(now, t.random01())
	}
	return token
}

// tell calls Watch on a goroutine that no caller could recover.
func (t *Tokens) tell(event TokenEvent) {
	if t.Watch == nil {
		return
	}
	defer func() { _ = recover() }()
	t.Watch(event)
}

// refreshAt is when a token got now is to be fetched anew.
func (t *Tokens) refreshAt(token Token, now time.Time) time.Time {
	if !token.RefreshAt.IsZero() || token.Expiry.IsZero() {
		return token.RefreshAt
	}
	return token.Expiry.Add(-min(orDefault(t.Early, defaultEarly), token.Expiry.Sub(now)/4))
}

// accept notes that an answer has accepted a token. Where the current one has
// lived for long, the next refusal is about the token and not the API's habit.
func (t *Tokens) accept() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.current; t.forced.count > 0 && g != nil && time.Since(g.fetched) >= maxPace {
		t.forced.reset()
	}
}

// replace ends the token that was refused, unless that was done already, waits
// for the next and reports whether there is one. Of all the requests that
// carried it, only the first to be refused starts a Fetch.
func (t *Tokens) replace(ctx context.Context, refused Secret) (another bool, err error) {
	t.mu.Lock()
	now := time.Now()
	if g := t.current; g != nil {
		switch {
		case g.Value.Reveal() != refused.Reveal():
			t.mu.Unlock()
			return true, nil // somebody has replaced it meanwhile
		case g.refused && t.flight != nil:
			// Somebody has ended it; the next is under way.
		case now.Before(t.forced.until):
			t.mu.Unlock()
			return false, nil // the API may refuse whatever it is shown
		default:
			t.end(g, now)
		}
	}
	f, err := t.fetch(ctx, now)
	t.mu.Unlock()
	if f == nil {
		return false, err
	}
	next, err := f.wait(ctx)
	return err == nil && next.Value.Reveal() != refused.Reveal(), err
}

// end takes a refused token out of use. One without an end, such as a key from
// a secrets manager, is still handed out until there is another: the refusal may
// be the API's own mistake, and the manager may be away.
func (t *Tokens) end(g *generation, now time.Time) {
	t.forced.free = freeRefusals
	t.forced.next(now, t.random01())
	if g.Expiry.IsZero() {
		g.refused = true
		return
	}
	t.current = nil
}
