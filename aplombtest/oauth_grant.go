package aplombtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The names of grants and of tokens' types.
const (
	grantDevice    = "urn:ietf:params:oauth:grant-type:device_code"
	grantExchange  = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // a name
	typeAccess     = "urn:ietf:params:oauth:token-type:access_token"
)

// oauthAnswer is a token response (RFC 6749, section 5.1).
type oauthAnswer struct {
	AccessToken     string `json:"access_token"`
	TokenType       string `json:"token_type"`
	ExpiresIn       int64  `json:"expires_in,omitempty"`
	RefreshToken    string `json:"refresh_token,omitempty"`
	Scope           string `json:"scope,omitempty"`
	IssuedTokenType string `json:"issued_token_type,omitempty"`
}

// token serves the token endpoint. What is begun is done, also where the client
// has gone: then its answer is lost.
func (o *OAuth) token(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	delay := o.delay
	o.effects.Requests++
	o.mu.Unlock()
	if delay > 0 {
		<-time.After(delay)
	}
	o.mu.Lock()
	answer, refused := o.grant(r)
	if refused != nil {
		o.effects.Refused++
	}
	o.mu.Unlock()
	sendOAuth(w, r, answer, refused)
}

func (o *OAuth) grant(r *http.Request) (*oauthAnswer, *oauthError) {
	if len(o.failures) > 0 {
		failure := o.failures[0]
		o.failures = o.failures[1:]
		return nil, &failure
	}
	client, refused := o.authenticate(r)
	if refused != nil {
		return nil, refused
	}
	switch scope := r.PostForm.Get("scope"); r.PostForm.Get("grant_type") {
	case "client_credentials":
		return o.issue(r, &oauthLogin{client: client, subject: client, scope: scope}, scope, false)
	case "authorization_code":
		return o.redeem(r, client)
	case "refresh_token":
		return o.renew(r, client)
	case grantDevice:
		return o.pollDevice(r, client)
	case grantExchange:
		return o.exchange(r, client)
	case grantJWTBearer:
		subject, refused := o.assertion(r, r.PostForm.Get("assertion"), "invalid_grant")
		if refused != nil {
			return nil, refused
		}
		return o.issue(r, &oauthLogin{client: client, subject: subject, scope: scope}, scope, false)
	case "":
		return nil, badOAuth("invalid_request", "grant_type is missing")
	}
	return nil, badOAuth("unsupported_grant_type", "")
}

// issue makes an access token for a login, and the next refresh token if asked to.
func (o *OAuth) issue(r *http.Request, login *oauthLogin, scope string, refresh bool) (*oauthAnswer, *oauthError) {
	answer := &oauthAnswer{AccessToken: o.newAccess(issuerOf(r), login, scope), TokenType: "Bearer", ExpiresIn: int64(o.life / time.Second), Scope: scope}
	if refresh {
		answer.RefreshToken = o.newRefresh(login)
	}
	o.effects.Issued++
	return answer, nil
}

func (o *OAuth) newAccess(issuer string, login *oauthLogin, scope string) string {
	now := time.Now()
	token := &oauthAccess{login: login, issued: now, expires: now.Add(o.life)}
	if o.life == 0 {
		token.expires = now.AddDate(100, 0, 0)
	}
	text := o.name("access")
	if o.signing != nil {
		text = o.signing.sign(issuer, text, token, scope)
	}
	o.access[text] = token
	return text
}

func (o *OAuth) newRefresh(login *oauthLogin) string {
	name := o.name("refresh")
	o.refresh[name] = &oauthRefresh{login: login}
	return name
}

// redeem takes the code that a log-in returned with. One that is shown again ends
// the login (RFC 6749, section 4.1.2).
func (o *OAuth) redeem(r *http.Request, client string) (*oauthAnswer, *oauthError) {
	code := o.codes[r.PostForm.Get("code")]
	verifier := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	switch {
	case code == nil || code.login.client != client || time.Now().After(code.expires):
		return nil, badOAuth("invalid_grant", "the code is not good, or no more")
	case code.used:
		code.login.ended = true
		return nil, badOAuth("invalid_grant", "the code was used before: its tokens are revoked")
	case r.PostForm.Get("redirect_uri") != code.redirect:
		return nil, badOAuth("invalid_grant", "redirect_uri is not that of the log-in")
	case base64.RawURLEncoding.EncodeToString(verifier[:]) != code.challenge:
		return nil, badOAuth("invalid_grant", "code_verifier does not match code_challenge")
	}
	code.used = true
	return o.issue(r, code.login, code.login.scope, true)
}

// renew takes a refresh token, which is spent by it.
func (o *OAuth) renew(r *http.Request, client string) (*oauthAnswer, *oauthError) {
	token := o.refresh[r.PostForm.Get("refresh_token")]
	switch {
	case token == nil || token.login.client != client:
		return nil, badOAuth("invalid_grant", "the refresh token is not good")
	case token.used && !token.login.ended:
		o.effects.Reused++
		token.login.ended = true
		return nil, badOAuth("invalid_grant", "the refresh token was used before: its login is ended")
	case token.login.ended:
		return nil, badOAuth("invalid_grant", "the login is ended")
	}
	scope := cmp.Or(r.PostForm.Get("scope"), token.login.scope)
	for one := range strings.FieldsSeq(scope) {
		if !slices.Contains(strings.Fields(token.login.scope), one) {
			return nil, badOAuth("invalid_scope", "more than the user has agreed to")
		}
	}
	token.used = true
	o.effects.Refreshed++
	return o.issue(r, token.login, scope, true)
}

// exchange makes of a token that is good another for the same subject.
func (o *OAuth) exchange(r *http.Request, client string) (*oauthAnswer, *oauthError) {
	if r.PostForm.Get("subject_token_type") == "" {
		return nil, badOAuth("invalid_request", "subject_token_type is missing")
	}
	subject := o.live(r.PostForm.Get("subject_token"))
	if subject == nil {
		return nil, badOAuth("invalid_request", "the subject_token is not good")
	}
	scope := cmp.Or(r.PostForm.Get("scope"), subject.login.scope)
	answer, refused := o.issue(r, &oauthLogin{client: client, subject: subject.login.subject, scope: scope}, scope, false)
	if answer != nil {
		answer.IssuedTokenType = typeAccess
	}
	return answer, refused
}

// assertion reads a JWT of RFC 7523, section 3, and says who it is about. Its
// signature is not checked.
func (o *OAuth) assertion(r *http.Request, text, code string) (string, *oauthError) {
	status := http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	refuse := func(why string) (string, *oauthError) { return "", &oauthError{status, code, "the assertion " + why} }
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(text, &claims); err != nil {
		return refuse("is no JWT")
	}
	issuer, now := issuerOf(r), time.Now()
	switch {
	case claims.Issuer == "":
		return refuse("has no iss")
	case !slices.Contains(claims.Audience, issuer) && !slices.Contains(claims.Audience, issuer+"/token"):
		return refuse("is for somebody else: aud is not " + issuer)
	case claims.ExpiresAt == nil || !now.Before(claims.ExpiresAt.Time):
		return refuse("has expired, or never does")
	case claims.IssuedAt != nil && claims.IssuedAt.After(now.Add(time.Minute)):
		return refuse("was issued in the future")
	case claims.ID != "" && o.seen[claims.Issuer+" "+claims.ID]:
		return refuse("was used before")
	}
	o.seen[claims.Issuer+" "+claims.ID] = true
	return cmp.Or(claims.Subject, claims.Issuer), nil // Google's service accounts leave sub out
}

// live returns a good access token, or nil.
func (o *OAuth) live(text string) *oauthAccess {
	token := o.access[text]
	if token == nil || token.revoked || token.login.ended || !time.Now().Before(token.expires) {
		return nil
	}
	return token
}
