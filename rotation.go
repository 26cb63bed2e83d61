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
// A request that was refused is sent again, once, with the other. previous may
// be without a value.
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

// refused turns to the other secret, unless the refused one has been replaced
// in its own place meanwhile, and reports whether there is another to try.
func (u *rotated) refused(ctx context.Context) bool {
	if now, err := u.of.sources[u.index].Secret(ctx); err == nil && now.Reveal() != u.value.Reveal() {
		return true
	}
	other, err := u.of.sources[1-u.index].Secret(ctx)
	if err != nil || other.Reveal() == u.value.Reveal() {
		return false
	}
	u.of.inUse.CompareAndSwap(u.index, 1-u.index)
	return true
}

// rotate turns to the other secret of a rotation that the attempt has used, if
// that was refused.
func (a *Attempt) rotate(resp *http.Response) bool {
	use := a.rotated.Load()
	return use != nil && resp.StatusCode == http.StatusUnauthorized && use.refused(a.Request.Context())
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
