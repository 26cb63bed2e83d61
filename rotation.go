package aplomb

import (
	"context"
	"errors"
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

// rotated is the use of one of a rotation's secrets by an attempt.
type rotated struct {
	of    *rotation
	index int32
	value Secret
}

func (r *rotation) Secret(ctx context.Context) (Secret, error) {
	use, err := r.use(ctx)
	if a := attemptFrom(ctx); a != nil && err == nil {
		a.rotated.Store(&use)
	}
	return use.value, err
}

// use asks for the secret in use, and for the other where that one is not to be
// had.
func (r *rotation) use(ctx context.Context) (rotated, error) {
	index := r.inUse.Load()
	value, err := r.sources[index].Secret(ctx)
	if err == nil {
		return rotated{r, index, value}, nil
	}
	if value, other := r.sources[1-index].Secret(ctx); other == nil {
		return rotated{r, 1 - index, value}, nil
	}
	return rotated{}, err
}

// judged tells the secret's own source what became of it, so that one that was
// replaced in its own place is found there. Only if there is no other does it
// turn to the other of the two. It reports whether there is another to try.
func (u *rotated) judged(ctx context.Context, status int) bool {
	carried := func(s Secret) bool { return s.Reveal() == u.value.Reveal() }
	if anotherSecret(ctx, u.of.sources[u.index], status, carried) {
		return true
	}
	if status != http.StatusUnauthorized {
		return false
	}
	other, err := u.of.sources[1-u.index].Secret(ctx)
	if err != nil || carried(other) {
		return false
	}
	u.of.inUse.CompareAndSwap(u.index, 1-u.index)
	return true
}

// judged is for those who know a refused secret only by its value: if it is not
// the one in use any more, it was replaced already.
func (r *rotation) judged(ctx context.Context, status int, carried func(Secret) bool) bool {
	use, err := r.use(ctx)
	if err != nil {
		return false
	}
	if !carried(use.value) {
		return status == http.StatusUnauthorized
	}
	return use.judged(ctx, status)
}

// rotate tells a rotation of an answer to its secret, if the attempt carries one.
func (a *Attempt) rotate(resp *http.Response) bool {
	use := a.rotated.Load()
	return use != nil && use.judged(a.Request.Context(), resp.StatusCode)
}

func (r *rotation) check() error {
	for _, source := range r.sources {
		if isNil(source) {
			return errors.New("Rotation: a SecretSource is nil: use Env, File, SecretFunc or Static")
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
