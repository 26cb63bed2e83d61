package aplomb

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Auth is a [RequestOption]: a credential, how it is attached and where it may
// go. [APIKey], [APIKeyQuery], [Bearer], [Basic], [Digest], [Sign] and [OAuth2]
// make the usual ones; [Tokens] and [JWT] are options of their own.
//
// It is attached inside the transport, last, on every attempt and redirect,
// and only where the request's origin (scheme, host and effective port) is the
// client's own or among Origins. Anywhere else the request goes without it: a
// second host with a credential of its own wants a client of its own. A request
// that brings the same header or parameter itself, as an SDK's does, keeps its
// own; what an AuthFunc or [Sign] sets it sets all the same. Of two credentials
// in the same header or parameter the later counts.
type Auth struct {
	// Attach adds the credential to r, which is a copy made for this attempt.
	Attach AuthFunc
	// Answered is told of every answer to a request that carried the credential
	// (resp.Request is that request), before anybody reads its body. It may learn
	// from the headers, and reports whether a request that was refused, by a 4xx
	// but no 429, should be sent again with what Attach would attach now. That
	// happens once a call, if the body can be sent again. Nil means no. It is not
	// needed for a secret that is replaced after a 401: for that read it with
	// [Reveal].
	Answered func(resp *http.Response) (again bool)
	// Secret is where Attach gets the credential. [New] reports what is wrong with
	// it, and a 401 names it. Nil where there is none.
	Secret SecretSource
	// Origins are further allowed origins, such as "https://files.acme.example".
	// [Wrap] needs them, since it knows no base URL.
	Origins []string

	err     error    // what New or the call reports
	origins []origin // Origins, parsed
	// slot is the header or parameter that the credential goes into. A later
	// one of the same slot replaces an earlier one.
	slot string
	// brought reports a request that brings this credential itself.
	brought func(r *http.Request) bool
	signs   bool // it goes last
}

// AuthFunc adds a credential to r, a copy made for one attempt. As a
// [RequestOption] it is an [Auth] with nothing else.
type AuthFunc func(r *http.Request) error

func (f AuthFunc) applyClient(c *config) error { return Auth{Attach: f}.applyClient(c) }
func (f AuthFunc) applyCall(s *settings) error { return Auth{Attach: f}.applyCall(s) }
func (a Auth) applyClient(c *config) error     { return a.applyCall(&c.settings) }

// Format prints, for every verb, no more than that it is a credential.
func (a Auth) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "aplomb.Auth([redacted])") }

func (a Auth) applyCall(s *settings) error {
	switch {
	case a.err != nil:
		return a.err
	case a.Attach == nil:
		return errors.New("aplomb: Auth.Attach is nil: use " + schemes + ", or an AuthFunc")
	}
	if c, ok := a.Secret.(checked); ok {
		if err := c.check(); err != nil {
			return settingError(err)
		}
	}
	a.Origins, a.origins = slices.Clone(a.Origins), nil
	for _, text := range a.Origins {
		o, err := parseOrigin(text)
		if err != nil {
			return err
		}
		a.origins = append(a.origins, o)
	}
	s.auths, s.noAuth = a.among(s.auths), false
	return nil
}

// among is others with a: instead of those of its slot, and before the first
// that signs unless it does so itself.
func (a *Auth) among(others []Auth) []Auth {
	all := make([]Auth, 0, len(others)+1)
	placed := false
	for i := range others {
		other := &others[i]
		if a.slot != "" && other.slot == a.slot {
			continue
		}
		if other.signs && !a.signs && !placed {
			all, placed = append(all, *a), true
		}
		all = append(all, *other)
	}
	if !placed {
		all = append(all, *a)
	}
	return all
}

// schemes is what an error advises to use.
const schemes = "Bearer, Basic, APIKey, APIKeyQuery, Digest, Tokens, JWT or Sign"

// settingError is a source's complaint as New reports it.
func settingError(err error) error {
	if strings.HasPrefix(err.Error(), "aplomb: ") {
		return err
	}
	return fmt.Errorf("aplomb: config: %w", err)
}

// nilSource is the error of a credential that has no source.
func nilSource(of string) error {
	return errors.New("aplomb: " + of + ": the SecretSource is nil: use Env, File, SecretFunc, Rotation or Static")
}

// NoAuth sends no credential.
func NoAuth() RequestOption {
	return requestOption(func(s *settings) error { s.auths, s.noAuth = nil, true; return nil })
}

// Bearer sends "Authorization: Bearer <secret>" (RFC 6750, section 2.1).
func Bearer(secret SecretSource) Auth {
	return headerAuth("Authorization", secret, func(value string) string { return "Bearer " + value })
}

// APIKey sends the secret in the named header.
func APIKey(name string, secret SecretSource) Auth {
	return headerAuth(name, secret, func(value string) string { return value })
}

// Basic sends the user name and password by HTTP Basic authentication (RFC 7617).
func Basic(user string, password SecretSource) Auth {
	if strings.Contains(user, ":") {
		return Auth{err: errors.New("aplomb: Basic: the user name has a colon, which would end it (RFC 7617, section 2)")}
	}
	return headerAuth("Authorization", password, func(value string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+value))
	})
}

// APIKeyQuery sends the secret as a query parameter. The caller's URL is left
// alone, so the key shows in no error, and no Referer takes it elsewhere.
// Prefer a header where the API has one: query strings end up in servers' logs.
func APIKeyQuery(name string, secret SecretSource) Auth {
	if name == "" {
		return Auth{err: errors.New("aplomb: APIKeyQuery: the parameter has no name")}
	}
	return secretAuth("query:"+name, secret,
		func(r *http.Request) string { return r.URL.Query().Get(name) },
		func(value string) string { return value },
		func(r *http.Request, value string) {
			u := *r.URL
			setQuery(&u, []param{{name, []string{value}}})
			r.URL = &u
		})
}

const authorizationSlot = "header:Authorization"

func bringsAuthorization(r *http.Request) bool { return headerField(r.Header, "Authorization") != "" }

// headerAuth is an Auth whose credential is a header.
func headerAuth(name string, secret SecretSource, format func(value string) string) Auth {
	if !validHeader(name) {
		return Auth{err: fmt.Errorf("aplomb: APIKey: %q is not a header name", name)}
	}
	name = http.CanonicalHeaderKey(name)
	return secretAuth("header:"+name, secret,
		func(r *http.Request) string { return headerField(r.Header, name) },
		remembered(format),
		func(r *http.Request, value string) { r.Header[name] = []string{value} })
}

// remembered is format, which is asked again only for another value: an allocation fewer
// a call, and no base64 for Basic.
func remembered(format func(string) string) func(string) string {
	var last atomic.Value
	return func(value string) string {
		if known, ok := last.Load().(*field); ok && known.name == value {
			return known.value
		}
		made := &field{value, format(value)}
		last.Store(made)
		return made.value
	}
}

// secretAuth is an Auth around a secret, formatted into one place of a request.
func secretAuth(slot string, source SecretSource, get func(*http.Request) string, format func(string) string, set func(*http.Request, string)) Auth {
	if isNil(source) {
		return Auth{err: nilSource("the credential")}
	}
	return Auth{
		Secret:  source,
		slot:    slot,
		brought: func(r *http.Request) bool { return get(r) != "" },
		Attach: func(r *http.Request) error {
			secret, err := ask(r.Context(), source)
			if err != nil {
				return err
			}
			set(r, format(secret.Reveal()))
			return nil
		},
	}
}

// userinfoAuth turns https://user:password@host into Basic authentication
// bound to that origin; left in the URL it would follow redirects and errors.
func userinfoAuth(u *url.URL) (Auth, bool) {
	if u.User == nil {
		return Auth{}, false
	}
	user, password := u.User.Username(), ""
	password, _ = u.User.Password()
	return Auth{
		Attach:  func(r *http.Request) error { r.SetBasicAuth(user, password); return nil },
		slot:    authorizationSlot,
		brought: bringsAuthorization,
	}, true
}

// answered tells everyone whom it concerns of an answer, and reports whether
// the credential would now be another: first the clock and the schemes, who know
// other reasons for a refusal than the secret; only else is that to blame.
func (a *Attempt) answered(auths []Auth, resp *http.Response, r *http.Request, sent time.Time) (again bool) {
	if len(auths) == 0 {
		return false
	}
	if d := a.dating(); d != nil {
		again = d.moved(a, resp, r, sent)
	}
	for i := range auths {
		if auths[i].Answered != nil {
			again = auths[i].Answered(withRequest(resp, r)) || again
		}
	}
	if again || resp.StatusCode == http.StatusUnauthorized && a.call.spent&renewal != 0 {
		return again // one replacement a call
	}
	return a.judgeSecrets(resp.StatusCode)
}

// noCredential is the refusal to send a request without one. A token's failure
// says when there may be another.
func noCredential(err error) error {
	r := &refusal{sentinel: ErrNoCredential, why: "no credential", err: err}
	if t, ok := errors.AsType[*tokenError](err); ok {
		r.readyAt = t.readyAt
	}
	return r
}

func withRequest(resp *http.Response, r *http.Request) *http.Response {
	own := *resp
	own.Request = r
	return &own
}

// authsFor are the credentials of the call that r needs and that may go where
// r goes.
func (c *call) authsFor(r *http.Request) []Auth {
	if len(c.auths) == 0 {
		return nil
	}
	to := c.stack.originOf(r.URL)
	for i := range c.auths {
		if c.auths[i].refuses(r, to, c.stack.home) {
			return c.authsAmong(r, to)
		}
	}
	return c.auths // as nearly always
}

// authsAmong are those of the credentials that go with r.
func (c *call) authsAmong(r *http.Request, to origin) (allowed []Auth) {
	for i := range c.auths {
		if !c.auths[i].refuses(r, to, c.stack.home) {
			allowed = append(allowed, c.auths[i])
		}
	}
	return allowed
}

// refuses reports a request that goes where the credential may not go, or brings
// its own.
func (a *Auth) refuses(r *http.Request, to, home origin) bool {
	return to != home && !slices.Contains(a.origins, to) || a.brought != nil && a.brought(r)
}
