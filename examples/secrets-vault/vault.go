package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Vault reads secrets over HashiCorp Vault's HTTP API, see
// https://developer.hashicorp.com/vault/api-docs. NewVault makes it; it is safe
// for concurrent use.
type Vault struct{ api *aplomb.Client }

// NewVault returns a client for the Vault at address, such as
// "https://vault.acme.example:8200". opts come after its own, for a logger or a
// namespace: aplomb.Header("X-Vault-Namespace", "payments/"). Nothing is sent yet.
//
// The token goes to address alone. Where standby nodes redirect to the active
// one, give the address of the load balancer.
func NewVault(address string, login Login, opts ...aplomb.Option) (*Vault, error) {
	// Two attempts, because the call that needs the secret is tried again as well,
	// and attempts multiply.
	preset := aplomb.Options(aplomb.Name("vault"), aplomb.Header("X-Vault-Request", "true"), aplomb.Retry{Attempts: 2}, aplomb.Options(opts...))
	// Logging in has a client, and so a circuit breaker, of its own: the breaker
	// lets one request through to a host that comes back, and if that one waits
	// for a log-in, the log-in must not be held by the same breaker.
	door, err := aplomb.New(address, preset)
	if err != nil {
		return nil, err
	}
	api, err := aplomb.New(address, preset, apiToken(login.tokens(door)))
	if err != nil {
		return nil, err
	}
	return &Vault{api}, nil
}

// apiToken attaches Vault's token. All that Vault says of one that was revoked or
// has ended is 403, where other APIs send a 401: the source is told by hand.
func apiToken(source aplomb.SecretSource) aplomb.Auth {
	auth := aplomb.APIKey("X-Vault-Token", source)
	auth.Answered = func(resp *http.Response) bool {
		if resp.StatusCode != http.StatusForbidden {
			return false
		}
		shown := aplomb.NewSecret(resp.Request.Header.Get("X-Vault-Token"))
		return aplomb.Refuse(resp.Request.Context(), source, shown)
	}
	return auth
}

// Login is how the program proves to Vault who it is: WithToken, AppRole or
// Kubernetes.
type Login struct {
	token  aplomb.SecretSource // one that somebody else keeps, or else
	path   string              // where to get one
	params func(ctx context.Context) (map[string]string, error)
}

// WithToken uses a token that somebody else keeps: aplomb.File("/vault/token")
// for the one that Vault Agent writes, or aplomb.Env("VAULT_TOKEN").
func WithToken(token aplomb.SecretSource) Login { return Login{token: token} }

// AppRole logs in by role and secret id, see
// https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle.
// The secret id must serve more than once.
func AppRole(roleID string, secretID aplomb.SecretSource) Login {
	return Login{path: "/v1/auth/approle/login", params: func(ctx context.Context) (map[string]string, error) {
		secret, err := secretID.Secret(ctx)
		return map[string]string{"role_id": roleID, "secret_id": secret.Reveal()}, err
	}}
}

// Kubernetes logs in by the token of the pod's service account, most often
// aplomb.File("/var/run/secrets/kubernetes.io/serviceaccount/token"), see
// https://developer.hashicorp.com/vault/api-docs/auth/kubernetes#login.
func Kubernetes(role string, account aplomb.SecretSource) Login {
	return Login{path: "/v1/auth/kubernetes/login", params: func(ctx context.Context) (map[string]string, error) {
		token, err := account.Secret(ctx)
		return map[string]string{"role": role, "jwt": token.Reveal()}, err
	}}
}

// tokens are what the log-in brings, for as long as Vault lends them.
func (l Login) tokens(door *aplomb.Client) aplomb.SecretSource {
	if l.params == nil {
		return l.token
	}
	return &aplomb.Tokens{Fetch: func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
		params, err := l.params(ctx)
		if err != nil {
			return aplomb.Token{}, err
		}
		began := time.Now()
		got, err := aplomb.Post[answer[struct{}]](ctx, door, l.path, aplomb.JSON(params))
		if err != nil {
			return aplomb.Token{}, err
		}
		return lent(got.Auth.ClientToken, began, got.Auth.LeaseDuration), nil
	}}
}

// answer is what Vault's answers have in common. A duration is in seconds, and 0
// for what has no end.
type answer[T any] struct {
	LeaseDuration int `json:"lease_duration"`
	Data          T   `json:"data"`
	Auth          struct {
		ClientToken   string `json:"client_token"`
		LeaseDuration int    `json:"lease_duration"`
	} `json:"auth"`
}

// lent is a value whose lease began at the latest when it was asked for.
func lent(value string, began time.Time, seconds int) aplomb.Token {
	token := aplomb.Token{Value: aplomb.NewSecret(value)}
	if seconds > 0 {
		token.Expiry = began.Add(time.Duration(seconds) * time.Second)
	}
	return token
}

// KV is a field of a secret in a KV engine, version 2, as in
// v.KV("secret", "acme/api", "key"): the latest version, asked for when it is
// first needed, every five minutes, and when the API has refused it.
func (v *Vault) KV(mount, path, field string) aplomb.SecretSource {
	where := "/v1/" + escape(mount) + "/data/" + escape(path)
	return aplomb.SecretFunc(func(ctx context.Context) (string, error) {
		got, err := aplomb.Get[answer[struct{ Data fields }]](ctx, v.api, where)
		if err != nil {
			return "", err
		}
		return got.Data.Data.text(field)
	})
}

// Lease is a field of a secret that Vault makes for this program and takes back
// when its lease ends, as in v.Lease("consul/creds/shop", "token"). It is made
// anew before that, and when the API has refused it. A value that belongs to
// another, as a password does to its user name, is not for this.
func (v *Vault) Lease(path, field string) *aplomb.Tokens {
	return &aplomb.Tokens{Fetch: func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
		began := time.Now()
		got, err := aplomb.Get[answer[fields]](ctx, v.api, "/v1/"+escape(path))
		if err != nil {
			return aplomb.Token{}, err
		}
		value, err := got.Data.text(field)
		return lent(value, began, got.LeaseDuration), err
	}}
}

// fields are a secret's names and values.
type fields map[string]any

// text says what is wrong with a field without saying what is in it.
func (f fields) text(name string) (string, error) {
	switch value := f[name].(type) {
	case nil:
		return "", fmt.Errorf("the secret has no field %q", name)
	case string:
		return value, nil
	}
	return "", errors.New("the secret's field " + name + " is not a string")
}

// escape leaves the slashes of a path as they are.
func escape(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
