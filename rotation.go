package aplomb

import (
	"context"
	"net/http"
	"sync/atomic"
)

// Rotation is a secret that is being changed: current is used, and previous
// once the API refuses current with a 401, until it refuses that one too. So a
// service may be given its new key before the API knows it, or keep its old one
// until the API forgets it.
//
// A request that was refused is sent again, once: with what stands in the
// refused one's own place by now, a [SecretFunc] being asked anew, else with the
// other. previous may be without a value.
func Rotation(current, previous SecretSource) SecretSource {
	return &rotation{sources: [2]SecretSource{current, previous}}
}

type rotation struct {
	sources [2]SecretSource
	inUse   atomic.Int32
}

func (r *rotation) Secret(ctx context.Context) (Secret, error) {
	_, secret, err := r.use(ctx)
	return secret, err
}

// use asks for the secret in use, or the other if the call is trying that, and
// for the one that is left where that is not to be had.
func (r *rotation) use(ctx context.Context) (index int32, secret Secret, err error) {
	if isNil(r.sources[0]) || isNil(r.sources[1]) { // New has said so, but not to whoever asks by Reveal
		return 0, Secret{}, nilSource("Rotation")
	}
	index = r.inUse.Load()
	if tried, ok := callBehind(ctx).trying(r); ok {
		index = tried
	}
	if secret, err = r.sources[index].Secret(ctx); err == nil {
		return index, secret, nil
	}
	if other, failure := r.sources[1-index].Secret(ctx); failure == nil {
		return 1 - index, other, nil
	}
	return index, Secret{}, err
}

// judged tells the secret's own source what became of it, and puts in use for all
// what a call has tried with success.
func (r *rotation) judged(ctx context.Context, status int, secret Secret) (another bool, err error) {
	if status == http.StatusUnauthorized {
		return r.refused(ctx, secret)
	}
	if _, trying := callBehind(ctx).trying(r); trying && status < 400 {
		if index, used, err := r.use(ctx); err == nil && used.Reveal() == secret.Reveal() {
			r.inUse.Store(index)
		}
	}
	own := carried{source: r.sources[r.inUse.Load()], secret: secret}
	return own.judge(ctx, status) // which asks for no secret
}

// refused looks for another secret: in the refused one's own place, where it may
// have been replaced, and only else in the other's, which the call then tries: a
// 401 may be about something else.
func (r *rotation) refused(ctx context.Context, secret Secret) (another bool, err error) {
	index, used, err := r.use(ctx)
	switch {
	case err != nil:
		return false, err
	case used.Reveal() != secret.Reveal():
		return true, nil // it was replaced already
	}
	own := carried{source: r.sources[index], secret: secret}
	if another, err = own.judge(ctx, http.StatusUnauthorized); another {
		return true, err
	}
	other, failure := r.sources[1-index].Secret(ctx)
	call := callBehind(ctx)
	switch {
	case failure != nil || other.Reveal() == secret.Reveal():
		return false, err
	case call != nil:
		call.try(r, 1-index)
	default:
		r.inUse.Store(1 - index)
	}
	return true, nil
}

// callBehind is the call that a secret is read for, nil where there is none.
func callBehind(ctx context.Context) *call {
	if a := attemptBehind(ctx); a != nil {
		return a.call
	}
	return nil
}

// A trial is a call's use of one of a rotation's secrets, whatever the others use.
type trial struct {
	of    SecretSource // a *rotation; by the interface, lest every program links one
	index int32
}

func (c *call) try(r *rotation, index int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trial = trial{r, index}
}

func (c *call) trying(r *rotation) (index int32, ok bool) {
	if c == nil {
		return 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trial.index, c.trial.of == r
}

func (r *rotation) check() error {
	for _, source := range r.sources {
		if isNil(source) {
			return nilSource("Rotation")
		}
	}
	if c, ok := r.sources[0].(checked); ok {
		return c.check()
	}
	return nil
}

func (r *rotation) describe() string {
	index := r.inUse.Load()
	what := [...]string{"the current", "the previous"}[index]
	if d, ok := r.sources[index].(described); ok {
		return what + " of two: " + d.describe()
	}
	return what + " of two"
}

func (r *rotation) String() string   { return "Rotation" }
func (r *rotation) GoString() string { return r.String() }
