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

// use asks for the secret in use, and for the other where that one is not to be
// had.
func (r *rotation) use(ctx context.Context) (index int32, secret Secret, err error) {
	index = r.inUse.Load()
	if secret, err = r.sources[index].Secret(ctx); err == nil {
		return index, secret, nil
	}
	if other, failure := r.sources[1-index].Secret(ctx); failure == nil {
		return 1 - index, other, nil
	}
	return index, Secret{}, err
}

// judged tells the secret's own source what became of it, so that one that was
// replaced in its own place is found there. Only if there is no other does it
// turn to the other of the two.
func (r *rotation) judged(ctx context.Context, status int, secret Secret) bool {
	index, inUse, err := r.use(ctx)
	if err != nil {
		return false
	}
	if inUse.Reveal() != secret.Reveal() {
		return status == http.StatusUnauthorized // it was replaced already
	}
	own := carried{source: r.sources[index], secret: secret}
	if own.judge(ctx, status) {
		return true
	}
	if status != http.StatusUnauthorized {
		return false
	}
	other, err := r.sources[1-index].Secret(ctx)
	if err != nil || other.Reveal() == secret.Reveal() {
		return false
	}
	r.inUse.CompareAndSwap(index, 1-index)
	return true
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
