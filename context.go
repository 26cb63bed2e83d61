package aplomb

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/aplomb-go/aplomb/internal/redact"
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

type callKey struct{}

// callFrom is the logical call that ctx belongs to, nil outside one.
func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// carrier is how a context holds an attempt: what records requests below the
// stack may ask it for the secrets it must not write, and for nothing else.
type carrier struct{ attempt *Attempt }

// CarriedSecrets implements [redact.Carrier].
func (c *carrier) CarriedSecrets() (secrets []string) {
	for _, carried := range c.attempt.carriedSecrets() {
		for c := &carried; c != nil; c = c.made {
			secrets = append(secrets, c.secret.Reveal())
		}
	}
	return secrets
}

// attemptFrom is the attempt that ctx belongs to, nil outside one.
func attemptFrom(ctx context.Context) *Attempt {
	if c, _ := ctx.Value(redact.CarrierKey{}).(*carrier); c != nil {
		return c.attempt
	}
	return nil
}
