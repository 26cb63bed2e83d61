package aplomb

import (
	"context"
	"fmt"
	"io"
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
		settings: c.settings, stack: c.stack, method: c.method,
		start: time.Now(), origin: c.origin, allowed: c.allowed, hops: c.hops,
	}
	own.key, own.keyOwner = "", nil // it is another request
	if c.id > 0 {
		own.id = calls.Add(1)
	}
	own.started.Store(true)
	return context.WithValue(ctx, callKey{}, own)
}

// Whose says where the credentials of a request come from.
type Whose int

// Where credentials come from.
const (
	// ClientCredential: from [New], with the [Transport] and the [PerAttempt] that it was
	// told, or from there by a [Client.With] that names none of these. The zero value.
	ClientCredential Whose = iota
	// DerivedCredential: from a [Client.With] that names an [Auth], a [Transport] or a
	// [PerAttempt] of its own.
	DerivedCredential
	// CallCredential: from the call itself or a [NewContext], or one that may go by the
	// context: that of an [AuthFunc], a [Signer] or a [SecretSource] from outside this
	// package. What a [SecretFunc] returns is asked for once for all and is the client's.
	CallCredential
)

// CredentialOf tells a middleware that keeps answers whose they are. Requests with
// equal ids are given the same [Auth]s and sent the same way: by clients of one [New],
// with the same [Transport] and the same [PerAttempt], which may attach a credential
// too. id is comparable and nothing else. What the request's own headers carry is for
// the middleware to see, and a PerAttempt or a Transport that goes by the context is
// seen by nobody.
//
// Outside a call id is nil, and whose is CallCredential where a NewContext has a
// credential.
func CredentialOf(ctx context.Context) (id any, whose Whose) {
	c := callFrom(ctx)
	if c == nil {
		own, err := callSettings(ctx, nil)
		if err != nil || own.auths != nil || own.noAuth {
			return nil, CallCredential
		}
		return nil, ClientCredential
	}
	client, root := c.stack.cfg, c.stack.root
	mine := client.sender(root, c.auths)
	switch {
	case !constant(c.auths) || mine != client.sender(root, client.auths):
		whose = CallCredential
	case mine != root.sender(root, root.auths):
		whose = DerivedCredential
	}
	return mine, whose
}

// sender is what a request is sent as: the credentials, and all that may attach one
// below a PerCall middleware. That one chain is another shows in where it is.
type sender struct {
	root         *config // of the New that it began with
	transport    *givenTransport
	auths        *Auth
	authCount    int
	attempt      *Middleware
	attemptCount int
}

func (c *config) sender(root *config, auths []Auth) sender {
	return sender{root, c.transport, first(auths), len(auths), first(c.perAttempt), len(c.perAttempt)}
}

func first[E any](all []E) *E {
	if len(all) == 0 {
		return nil
	}
	return &all[0]
}

// Format prints nothing of what it points to.
func (sender) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "aplomb.CredentialOf([redacted])")
}

// constant reports credentials that speak for the same one in every call.
func constant(auths []Auth) bool {
	for i := range auths {
		if !auths[i].constant() {
			return false
		}
	}
	return true
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
