package aplomb

import (
	"context"
	"errors"
	"sync/atomic"
)

// NewContext returns a context that carries opts to every aplomb call made
// with it, also through an SDK or generated client in between. Options of an
// inner context win over those of an outer one.
//
// An [IdempotencyKey] in it belongs to the first logical call that uses it; a
// second call is refused, since one key for two effects would lose one.
// A faulty option is reported by the call that meets it.
func NewContext(ctx context.Context, opts ...RequestOption) context.Context {
	outer, _ := ctx.Value(contextKey{}).(*contextOptions)
	return context.WithValue(ctx, contextKey{}, &contextOptions{outer: outer, opts: append([]RequestOption(nil), opts...)})
}

type contextKey struct{}

// contextOptions is one NewContext, linked to the one around it.
type contextOptions struct {
	outer   *contextOptions
	opts    []RequestOption
	keyUsed atomic.Bool
}

// applyTo lays the options over s, outermost first, and claims a key that they
// carry for this call.
func (o *contextOptions) applyTo(s *settings) error {
	if o == nil {
		return nil
	}
	if err := o.outer.applyTo(s); err != nil {
		return err
	}
	var own settings
	if err := own.apply(o.opts); err != nil {
		return err
	}
	if own.key != "" && o.keyUsed.Swap(true) {
		return errors.New("aplomb: the IdempotencyKey in this context was used by an earlier call: " +
			"make a NewContext for each call, or pass the key to the call itself")
	}
	return s.apply(o.opts)
}

type callKey struct{}

// callFrom is the logical call that ctx belongs to, nil outside one.
func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

type attemptKey struct{}

// attemptFrom is the attempt that ctx belongs to, nil outside one.
func attemptFrom(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}
