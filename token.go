package aplomb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Token is a credential that ends: an access token, or a secret that a secrets
// manager lends for a time.
type Token struct {
	Value Secret
	// Type is the scheme that it is sent with in Authorization; "" is Bearer.
	Type string
	// Expiry is when it ends; zero if only a refusal tells.
	Expiry time.Time
	// RefreshAt is when to fetch the next. Zero: [Tokens].Early before Expiry, but
	// never before three quarters of its life are over, so that short-lived
	// tokens are kept too.
	RefreshAt time.Time

	made *carried // what it was signed with
}

// scheme is what stands before the token in Authorization: Type, or Bearer.
func (t Token) scheme() string {
	if t.Type == "" || strings.EqualFold(t.Type, "Bearer") { // servers write bearer, and some read only Bearer
		return "Bearer"
	}
	return t.Type
}

// Tokens is a [RequestOption], by its pointer: a token kept for all who need
// it, and fetched anew before it ends.
//
//	tokens := &aplomb.Tokens{Fetch: fetch}
//	c, err := aplomb.New("https://api.acme.example", tokens)
//
// However many callers wait, one Fetch runs at a time, on a goroutine of its own
// that no caller's context ends; each caller waits as long as its own context
// lets it. A token that grows old is fetched anew in the background, and served
// until its Expiry while that fails. A failure is shared by all who waited and
// by all who ask within the next second or so, then two, up to half a minute
// while it lasts.
//
// A 401 ends a token, once for all calls that carried it: the next is fetched,
// and each of them is sent again once, if its body can be. After three in short
// order the next is fetched a second later at the soonest, then two, up to half a
// minute: a path may answer 401 to every token. A 403 ends nothing.
//
// Package oauth makes Tokens for each flow of OAuth 2.0. One Tokens may serve
// several clients. It is also a [SecretSource], for an API that wants the token
// elsewhere: APIKey("X-Auth-Token", tokens); Proof, Answered and Origins are
// then of no use. Do not change it once it is used.
type Tokens struct {
	// Fetch gets a token; last is the one to be replaced, zero at first. An error
	// with a method RetryAt() time.Time says itself from when on another try is
	// worth it. Its
	// context has the values of a caller's, without that call's options, and
	// ends after Timeout. A client that it uses must be one of its own, made by
	// New: with that of the API, or one from its With, an open circuit would
	// keep the token away that the probe is waiting for.
	Fetch func(ctx context.Context, last Token) (Token, error)
	// Early is how long before its Expiry a token is fetched anew. Default 5
	// minutes. It is never more than a quarter of the token's life.
	Early time.Duration
	// Timeout bounds one Fetch. Default 30 s.
	Timeout time.Duration
	// Proof adds to r what t needs beside "Authorization: <Type> <value>",
	// such as a DPoP proof. Nil is none.
	Proof func(r *http.Request, t Token) error
	// Answered is [Auth].Answered, asked before the rule for 401. Nil is none.
	Answered func(resp *http.Response) (again bool)
	// Origins are further allowed origins, as [Auth] has them.
	Origins []string
	// Watch is told of every Fetch, for metrics and alerts: a failure is no
	// error of any call as long as the last token lives. It is told before those
	// who wait go on, so it should be quick, and not ask for a token; its own panics end nothing. Nil is
	// none.
	Watch func(TokenEvent)

	mu      sync.Mutex
	current *generation // nil before the first and after a refusal
	last    Token       // the latest that was fetched
	hung    bool        // a Fetch that Timeout could not end has not returned
	flight  *flight     // the Fetch under way
	failure *tokenError // of the last Fetch, nil after a success
	pace    pacer       // of failures, and of tokens that were over when they came
	forced  pacer       // of refusals
	random  func() float64
	what    string // it is, for the hint of a 401; "" is a token that was fetched
	err     error  // what New reports
}

// TokenEvent is a [Tokens].Fetch that has ended.
type TokenEvent struct {
	// Expiry is the new token's.
	Expiry time.Time
	// Err is why there is none, nil on success.
	Err error
	// RetryAt is when the next Fetch may be made after a failure.
	RetryAt time.Time
	// Elapsed is how long it took.
	Elapsed time.Duration
}

// A generation is one token, as attached to many requests.
type generation struct {
	Token

	fetched   time.Time
	refreshAt time.Time // zero: when it is refused
	refused   bool      // kept only because it has no end, until there is another
}

func (g *generation) alive(now time.Time) bool {
	return g != nil && (g.Expiry.IsZero() || now.Before(g.Expiry))
}

func (g *generation) old(now time.Time) bool {
	return g.refused || !g.refreshAt.IsZero() && !now.Before(g.refreshAt)
}

// Token returns the current token, waiting for one as long as ctx lets it.
func (t *Tokens) Token(ctx context.Context) (Token, error) {
	if err := t.check(); err != nil {
		return Token{}, err
	}
	if ctx.Value(fetching{t}) != nil {
		return Token{}, errOwnToken
	}
	t.mu.Lock()
	now, g := time.Now(), t.current
	var f *flight
	var err error
	if !g.alive(now) || g.old(now) {
		f, err = t.fetch(ctx, now)
	}
	t.mu.Unlock()
	switch {
	case g.alive(now):
		return g.Token, nil // whatever became of the fetch: Watch is told
	case f != nil:
		return f.wait(ctx)
	case err == nil:
		return g.Token, nil // it was over when it came: the API shall say whether it is
	}
	return Token{}, err
}

// Secret returns the current token's value, as a [SecretSource].
func (t *Tokens) Secret(ctx context.Context) (Secret, error) {
	token, err := t.Token(ctx)
	return token.Value, err
}

// check names what is missing.
func (t *Tokens) check() error {
	if t != nil && t.err != nil {
		return t.err
	}
	if t == nil || t.Fetch == nil {
		return errors.New("aplomb: Tokens.Fetch is nil: say how a token is got")
	}
	return plausible("Tokens", named{"Early", t.Early}, named{"Timeout", t.Timeout})
}

func (t *Tokens) describe() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure != nil {
		return "a token, and the last try to get another failed: " + t.failure.Error()
	}
	return orDefault(t.what, "a token that was fetched")
}

// Format prints, for every verb, no more than what it is.
func (t *Tokens) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "aplomb.Tokens([redacted])") }

func (t *Tokens) applyClient(c *config) error { return t.applyCall(&c.settings) }

func (t *Tokens) applyCall(s *settings) error {
	if err := t.check(); err != nil {
		return err
	}
	return t.auth().applyCall(s)
}

func (t *Tokens) auth() Auth {
	return Auth{Origins: t.Origins, Secret: t, slot: authorizationSlot, brought: bringsAuthorization, Attach: t.attach, Answered: t.Answered}
}

func (t *Tokens) attach(r *http.Request) error {
	token, err := t.Token(r.Context())
	if err != nil {
		return err
	}
	note(r.Context(), carried{source: t, secret: token.Value, made: token.made})
	r.Header.Set("Authorization", token.scheme()+" "+token.Value.Reveal())
	if t.Proof != nil {
		return t.Proof(r, token)
	}
	return nil
}

// judged learns from a status what became of a token, and reports whether there
// is another now.
func (t *Tokens) judged(ctx context.Context, status int, token Secret) (another bool, err error) {
	switch {
	case status == http.StatusUnauthorized:
		return t.replace(ctx, token)
	case status < 400:
		t.accept()
	}
	return false, nil
}

// random01 is the source of jitter.
func (t *Tokens) random01() float64 {
	if t.random != nil {
		return t.random()
	}
	return rand.Float64()
}
