package aplomb

import (
	"context"
	"time"
)

// Beside returns a context for a request that a [PerCall] middleware sends of
// its own beside the call that ctx belongs to, and that may outlive it, as a
// cache refreshes what it has just handed out. Such a request has the call's
// settings, credential and name, but a count of attempts of its own, and no
// [Hooks] tell of it as a call. It keeps ctx's values and neither its
// cancellation nor its deadline: give it one. The middleware reads and closes the
// answer's body.
//
// A context that belongs to no call is only freed from its cancellation.
func Beside(ctx context.Context) context.Context {
	ctx = context.WithoutCancel(ctx)
	c := callFrom(ctx)
	if c == nil {
		return ctx
	}
	own := &call{
		settings: c.settings, stack: c.stack, method: c.method, operation: c.operation,
		start: time.Now(), origin: c.origin, allowed: c.allowed, hops: c.hops,
	}
	own.key, own.keyOwner, own.capture = "", nil, nil // another request, and another answer
	own.started.Store(true)
	return context.WithValue(ctx, callKey{}, own)
}

// CredentialOf tells a middleware that keeps answers whose they are. Requests
// with equal ids are given the same [Auth]s; id is comparable, nothing else, and
// nil if there are none. own reports that they are those that [New] was told: not
// others of [Client.With], of a [NewContext] or of the call itself. What the
// request's own headers carry is for the middleware to see.
//
// Outside a call it returns nil and true.
func CredentialOf(ctx context.Context) (id any, own bool) {
	c := callFrom(ctx)
	if c == nil {
		return nil, true
	}
	first := func(auths []Auth) *Auth {
		if len(auths) == 0 {
			return nil
		}
		return &auths[0]
	}
	mine := first(c.auths)
	own = mine == first(c.stack.root.auths) && len(c.auths) == len(c.stack.root.auths)
	if mine == nil {
		return nil, own
	}
	return mine, own
}
