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
	own.key, own.keyOwner = "", nil // it is another request
	if c.id > 0 {
		own.id = calls.Add(1)
	}
	own.started.Store(true)
	return context.WithValue(ctx, callKey{}, own)
}

// CredentialOf tells a middleware that keeps answers whose they are. Requests
// with equal ids are given the same [Auth]s; id is comparable, nothing else, and
// nil if there are none. own reports that they are those that [New] was told, not
// others of [Client.With], of a [NewContext] or of the call itself, and that they
// speak for the same one in every call: an [AuthFunc], a [Signer] or a [SecretSource]
// from outside this package may go by the context, so it is never own. What the
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
	for i := range c.auths {
		own = own && c.auths[i].constant()
	}
	if mine == nil {
		return nil, own
	}
	return mine, own
}

// constant reports that the credential speaks for the same one in every call.
func (a *Auth) constant() bool {
	if a.slot == "" { // of somebody else's making
		return false
	}
	if a.Secret == nil { // from the base URL
		return true
	}
	return constantSource(a.Secret)
}

func constantSource(source SecretSource) bool {
	s, ok := source.(interface{ constant() bool })
	return ok && s.constant()
}

func (*staticSecret) constant() bool  { return true }
func (envSecret) constant() bool      { return true }
func (*fileSecret) constant() bool    { return true }
func (*managedSecret) constant() bool { return true } // it is asked once for all
func (*Tokens) constant() bool        { return true } // the same
func (r *rotation) constant() bool {
	return constantSource(r.sources[0]) && constantSource(r.sources[1])
}
