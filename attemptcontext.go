package aplomb

import (
	"context"
	"time"

	"github.com/aplomb-go/aplomb/internal/redact"
)

type callKey struct{}

// callFrom is the logical call that ctx belongs to, nil outside one.
func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// A carrier is an attempt's context. What records requests below the
// stack may ask it for the secrets it must not write, and for nothing else.
type carrier struct {
	context.Context // the call's
	attempt         *Attempt
	ending          lazyEnd
}

// ends is the context that ends with the attempt.
func (c *carrier) ends() context.Context {
	return c.ending.context(c.Context, time.Time{}, nil)
}

// end ends the attempt. Its cause, which is nil where it is over anyway, can be asked for.
func (c *carrier) end(cause error) {
	if cause != nil {
		_ = c.ends()
	}
	c.ending.end(cause)
}

func (c *carrier) Value(key any) any {
	switch key.(type) {
	case redact.CarrierKey:
		return c
	case callKey:
		return c.attempt.call
	}
	inner, _ := c.ending.inner(c.Context)
	return inner.Value(key)
}

// Done is the inner context's own channel, so that package context starts no goroutine
// for a child.
func (c *carrier) Done() <-chan struct{} { return c.ends().Done() }

func (c *carrier) Err() error {
	inner, over := c.ending.inner(c.Context)
	if err := inner.Err(); err != nil || !over {
		return err
	}
	return c.ends().Err() // which stays, whatever becomes of the call's
}

// String keeps fmt from printing the attempt, which may hold secrets.
func (c *carrier) String() string { return "aplomb.Attempt" }

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
