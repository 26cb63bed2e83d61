package aplomb

import (
	"context"
	"net/http"
)

// carried is a secret that an attempt carries.
type carried struct {
	source SecretSource
	secret Secret
	// made is what it was made with, such as the key of a signed token.
	made *carried
}

// maxCarried bounds what is remembered of one attempt.
const maxCarried = 16

// ask has a source hand out its secret, and the attempt that ctx belongs to
// remember it, so that the answer is told to the source.
func ask(ctx context.Context, source SecretSource) (Secret, error) {
	secret, err := source.Secret(ctx)
	if err == nil {
		note(ctx, carried{source: source, secret: secret})
	}
	return secret, err
}

// note has the attempt that ctx belongs to, if any, remember what it carries.
func note(ctx context.Context, c carried) {
	a := attemptFrom(ctx)
	if a == nil {
		return
	}
	a.mu.Lock()
	if a.carries == nil {
		a.carries = a.carriesOne[:0]
	}
	if len(a.carries) < maxCarried {
		a.carries = append(a.carries, c)
	}
	a.mu.Unlock()
}

// carriedSecrets are what the attempt carries.
func (a *Attempt) carriedSecrets() []carried {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	carries := a.carries
	a.mu.Unlock()
	return carries
}

// renewalError is why what the attempt carried has no successor.
func (a *Attempt) renewalError() error {
	a.mu.Lock()
	renewal := a.renewal
	a.mu.Unlock()
	return renewal
}

// tokenOf is the token of t that the attempt carries.
func (a *Attempt) tokenOf(t *Tokens) (Secret, bool) {
	for _, c := range a.carriedSecrets() {
		if own, ok := c.source.(*Tokens); ok && own == t {
			return c.secret, true
		}
	}
	return Secret{}, false
}

// judgeSecrets tells the sources of what the attempt carries how it was
// answered, and reports whether one of them has another secret by now.
func (a *Attempt) judgeSecrets(status int) (again bool) {
	for _, c := range a.carriedSecrets() {
		another, err := c.judge(&a.carrier, status)
		if again = another || again; err != nil {
			a.mu.Lock()
			a.renewal = err
			a.mu.Unlock()
		}
	}
	return again
}

// judge is told to the key first, so that a token is made anew with the next.
func (c *carried) judge(ctx context.Context, status int) (another bool, err error) {
	if c.made != nil {
		_, _ = c.made.judge(ctx, status) // whether there is another token is what counts
	}
	if s, ok := c.source.(judged); ok {
		return s.judged(ctx, status, c.secret)
	}
	if status != http.StatusUnauthorized {
		return false, nil
	}
	now, err := c.source.Secret(ctx)
	return err == nil && now.Reveal() != c.secret.Reveal(), err
}

// A judged source wants to know how a request with its secret was answered, and
// reports whether it has another by now, or why it could not get one. Others are
// only asked again after a 401.
type judged interface {
	judged(ctx context.Context, status int, secret Secret) (another bool, err error)
}

// Refuse tells a source that its secret was refused, and reports whether it has
// another by now: the other of a [Rotation], or what a [SecretFunc] or a file says
// when it is asked again. It is for an API that refuses otherwise than by a 401,
// which is told already.
func Refuse(ctx context.Context, source SecretSource, secret Secret) (another bool) {
	a := attemptFrom(ctx)
	if isNil(source) || a != nil && a.call.spent&renewal != 0 { // one replacement a call
		return false
	}
	c := carried{source: source, secret: secret}
	another, _ = c.judge(ctx, http.StatusUnauthorized)
	return another
}
