package oauth

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/aplomb-go/aplomb"
)

// repeatable says whether a token request may be sent twice.
type repeatable bool

const (
	// harmless: two tokens are as good as one.
	harmless repeatable = true
	// once: what is shown is used up by it.
	once repeatable = false
)

func (again repeatable) option() aplomb.CallOption {
	if again {
		return aplomb.Safe()
	}
	// A key of Config.Options would have it repeated, of which no authorization
	// server knows.
	return aplomb.Idempotency{Methods: []string{http.MethodPut}}
}

// grant asks the token endpoint. x/oauth2 builds the request and reads the
// answer; who the client is, and that it holds a key, is added below it, for
// each attempt anew.
func (c *Client) grant(ctx context.Context, params url.Values, again repeatable) (grant, error) {
	var proof shown
	ctx = context.WithValue(ctx, shownKey{}, &proof)
	g, err := c.ask(ctx, params, again, &proof)
	refusal, ok := errors.AsType[*Error](err)
	switch {
	case !ok || refusal.StatusCode != http.StatusBadRequest: // what a 401 asks for is done
	case refusal.Code == "use_dpop_nonce" && c.cfg.DPoP != nil: // it came with the answer (RFC 9449, section 8)
		return c.ask(ctx, params, again, &proof)
	case refusal.Code == "invalid_client" && proof.refused(ctx):
		return c.ask(ctx, params, again, &proof)
	}
	return g, err
}

func (c *Client) ask(ctx context.Context, params url.Values, again repeatable, proof *shown) (grant, error) {
	form := c.form(params)
	if c.cfg.ClientID != "" && (c.cfg.Auth == nil || c.cfg.Auth.inForm()) {
		form.Set("client_id", c.cfg.ClientID)
	}
	var scopes []string
	if params.Get("grant_type") != "refresh_token" && !form.Has("scope") { // a refresh keeps what was granted
		scopes = c.cfg.Scopes
	}
	var answer aplomb.Response
	conf := clientcredentials.Config{TokenURL: c.token.String(), Scopes: scopes, EndpointParams: form, AuthStyle: oauth2.AuthStyleInParams}
	ctx = aplomb.NewContext(ctx, aplomb.Capture(&answer), aplomb.Header("Accept", "application/json"), again.option())
	token, err := conf.Token(context.WithValue(ctx, oauth2.HTTPClient, c.http))
	if err != nil {
		return grant{}, c.refusal(err, &answer, append(proof.all(), spent(params)...))
	}
	return grant{Access: token.AccessToken, Type: token.TokenType, Expiry: token.Expiry, Refresh: token.RefreshToken}, nil
}

// form has Config.Params, and params over them.
func (c *Client) form(params url.Values) url.Values {
	form := url.Values{}
	maps.Copy(form, c.cfg.Params)
	maps.Copy(form, params)
	return form
}

// spent are the parameters of a flow that are secrets.
func spent(params url.Values) (secrets []string) {
	for _, name := range []string{"code", "code_verifier", "device_code", "refresh_token", "subject_token", "actor_token"} {
		secrets = append(secrets, params[name]...)
	}
	return secrets
}

// shown is the client's secret as a token request carried it: for the answers
// that refuse it otherwise than by a 401, and for what may not be quoted of them.
// An assertion is known by its looks.
type shown struct {
	mu      sync.Mutex // attempts may overlap
	source  aplomb.SecretSource
	secrets []string // the latest is last
}

// shownKey is where a token request has a *shown.
type shownKey struct{}

// shownBy is what r carried, nil outside a token request.
func shownBy(r *http.Request) *shown {
	s, _ := r.Context().Value(shownKey{}).(*shown)
	return s
}

// reveal reads a secret for r, and notes it.
func reveal(r *http.Request, source aplomb.SecretSource) (string, error) {
	raw, err := aplomb.Reveal(source)(r.Context())
	if s := shownBy(r); s != nil && err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.source, s.secrets = source, append(s.secrets, string(raw))
	}
	return string(raw), err
}

func (s *shown) all() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}

// refused tells the source, and reports whether it has another secret.
func (s *shown) refused(ctx context.Context) bool {
	s.mu.Lock()
	source, secrets := s.source, s.secrets
	s.mu.Unlock()
	return len(secrets) > 0 && aplomb.Refuse(ctx, source, aplomb.NewSecret(secrets[len(secrets)-1]))
}
