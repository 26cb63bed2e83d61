package aplomb

import (
	"context"
	"slices"
	"sync/atomic"
)

// NewContext returns a context that carries opts to every aplomb call made
// with it, also through an SDK or generated client in between. Options of an
// inner context win over those of an outer one.
//
// An [IdempotencyKey] in it belongs to the first logical call that uses it; a
// second call is refused, since one key for two effects would lose one. What
// makes a request, such as JSON, URL or Path, is for typed calls alone, and an
// error on a request that an SDK makes.
// A faulty option is reported by the call that meets it.
func NewContext(ctx context.Context, opts ...CallOption) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	outer, _ := ctx.Value(contextKey{}).(*contextOptions)
	return context.WithValue(ctx, contextKey{}, &contextOptions{outer: outer, opts: slices.Clone(opts)})
}

type contextKey struct{}

// contextOptions is one NewContext, linked to the one around it.
type contextOptions struct {
	outer   *contextOptions
	opts    []CallOption
	keyUsed atomic.Bool
}

// applyTo lays the options over s, outermost first.
func (o *contextOptions) applyTo(s *settings) error {
	if o == nil {
		return nil
	}
	if err := o.outer.applyTo(s); err != nil {
		return err
	}
	outerKey, outerOwner := s.key, s.keyOwner
	s.key = ""
	if err := s.apply(o.opts); err != nil {
		return err
	}
	if s.key != "" {
		s.keyOwner = o
	} else {
		s.key, s.keyOwner = outerKey, outerOwner
	}
	return nil
}
