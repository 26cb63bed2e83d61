package oauth

import (
	"cmp"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// ClientAuth is how a client proves to the authorization server that it is the
// one that ClientID names: [SecretBasic], [SecretPost], [PrivateKeyJWT] or
// [MutualTLS].
type ClientAuth interface {
	// auth attaches the proof; it has no Attach where it lies in the transport.
	auth(c *Client) (aplomb.Auth, error)
	transport(given http.RoundTripper) (http.RoundTripper, error)
	// inForm reports that the form names the client.
	inForm() bool
}

// SecretBasic sends the secret by HTTP Basic authentication, the way that every
// authorization server knows (RFC 6749, section 2.3.1). During a rotation give it
// an aplomb.Rotation.
func SecretBasic(secret aplomb.SecretSource) ClientAuth { return &clientSecret{secret: secret} }

// SecretPost sends the secret in the form, for a server that cannot read it from
// a header.
func SecretPost(secret aplomb.SecretSource) ClientAuth {
	return &clientSecret{secret: secret, post: true}
}

// inRequest is of a proof that goes into the request, and leaves the transport as
// it is.
type inRequest struct{}

func (inRequest) transport(given http.RoundTripper) (http.RoundTripper, error) { return given, nil }

// Format prints, for every verb, no more than what it is.
func (inRequest) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "oauth.ClientAuth([redacted])")
}

type clientSecret struct {
	inRequest

	secret aplomb.SecretSource
	post   bool
}

func (s *clientSecret) inForm() bool { return s.post }

func (s *clientSecret) auth(c *Client) (aplomb.Auth, error) {
	if isNil(s.secret) {
		return aplomb.Auth{}, errors.New("oauth: the client's secret is nil: use aplomb.Env, File, SecretFunc or Static")
	}
	return aplomb.Auth{Secret: s.secret, Attach: func(r *http.Request) error {
		secret, err := reveal(r, s.secret)
		if err != nil {
			return err
		}
		if s.post {
			return amend(r, url.Values{"client_secret": {secret}})
		}
		// Both halves are form-encoded first (RFC 6749, section 2.3.1).
		pair := url.QueryEscape(c.cfg.ClientID) + ":" + url.QueryEscape(secret)
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		return nil
	}}, nil
}

// PrivateKeyJWT sends an assertion that j signs (RFC 7523, section 2.2; OpenID
// Connect's private_key_jwt, and client_secret_jwt with an HS256 key): a fresh one
// for each attempt, since a server takes each but once. Issuer and Subject are
// the client, Audience is Config.Issuer or else TokenURL, unless j sets them.
func PrivateKeyJWT(j aplomb.JWT) ClientAuth { return &assertion{jwt: j} }

type assertion struct {
	inRequest

	jwt aplomb.JWT
}

func (a *assertion) inForm() bool { return true }

func (a *assertion) auth(c *Client) (aplomb.Auth, error) {
	j := a.jwt
	j.Issuer, j.Subject = cmp.Or(j.Issuer, c.cfg.ClientID), cmp.Or(j.Subject, c.cfg.ClientID)
	j.Audience = cmp.Or(j.Audience, c.audience())
	if err := j.Check(); err != nil {
		return aplomb.Auth{}, fmt.Errorf("oauth: PrivateKeyJWT: %w", err)
	}
	return aplomb.Auth{Attach: func(r *http.Request) error {
		signing := j
		if j.Key != nil {
			key, err := reveal(r, j.Key)
			if err != nil {
				return err
			}
			signing.Key = aplomb.Static(key)
		}
		signed, err := signing.Sign(r.Context(), aplomb.ServerTime(r))
		if err != nil {
			return err
		}
		return amend(r, url.Values{
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {signed},
		})
	}}, nil
}

// audience is who assertions are for (RFC 7523, section 3).
func (c *Client) audience() string {
	if c.cfg.Issuer != "" {
		return c.cfg.Issuer
	}
	return c.token.String()
}

// MutualTLS proves the client by a certificate of its own (RFC 8705, section 2),
// asked for at each handshake, so that a rotated one is picked up. The tokens may
// then be bound to it: give the API's client a Transport with the same
// certificate.
func MutualTLS(certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)) ClientAuth {
	return mutualTLS(certificate)
}

type mutualTLS func(*tls.CertificateRequestInfo) (*tls.Certificate, error)

func (mutualTLS) inForm() bool { return true }

func (m mutualTLS) auth(*Client) (aplomb.Auth, error) {
	if m == nil {
		return aplomb.Auth{}, errors.New("oauth: MutualTLS: the certificate function is nil")
	}
	return aplomb.Auth{}, nil
}

func (m mutualTLS) transport(given http.RoundTripper) (http.RoundTripper, error) {
	var own *http.Transport
	switch t := given.(type) {
	case nil:
		own = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	case *http.Transport:
		own = t.Clone()
	default:
		return nil, fmt.Errorf("oauth: MutualTLS: Config.Transport is a %T, which takes no certificate: give an *http.Transport", given)
	}
	if own.TLSClientConfig == nil {
		own.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	own.TLSClientConfig.GetClientCertificate = m
	return own, nil
}

// amend adds parameters to the form that r carries.
func amend(r *http.Request, params url.Values) error {
	if r.GetBody == nil {
		return errors.New("oauth: the request has no form to add to")
	}
	body, err := r.GetBody()
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(body)
	_ = body.Close()
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return errors.New("oauth: the request's body is no form")
	}
	maps.Copy(form, params)
	text := form.Encode()
	_ = r.Body.Close()
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength = int64(len(text))
	return nil
}
