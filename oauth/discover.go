package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// Discover returns a Config with the endpoints that issuer publishes, by RFC 8414
// or else OpenID Connect Discovery 1.0. ClientID, Auth and Scopes are left to the
// caller. opts are of the client that asks. No redirect is followed, and metadata
// that name another issuer (RFC 8414, section 3.3) or endpoints less safe than it
// are refused.
func Discover(ctx context.Context, issuer string, opts ...aplomb.Option) (Config, error) {
	u, err := endpoint("Discover: the issuer", issuer)
	if err != nil {
		return Config{}, err
	}
	c, err := aplomb.New(originOf(u), append(slices.Clone(opts), aplomb.PerAttempt(stay))...)
	if err != nil {
		return Config{}, fmt.Errorf("oauth: Discover: %w", err)
	}
	defer c.CloseIdleConnections()
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	var failures []error
	for _, at := range []string{"/.well-known/oauth-authorization-server" + path, path + "/.well-known/openid-configuration"} {
		meta, err := metadataAt(ctx, c, originOf(u)+at)
		switch {
		case err != nil:
			failures = append(failures, err)
		case meta.Issuer != issuer:
			return Config{}, fmt.Errorf("oauth: Discover: the metadata of %s name another issuer: write it as the server does, %q", u.Host, shorten(meta.Issuer))
		default:
			if err := meta.check(u.Scheme); err != nil {
				return Config{}, err
			}
			return Config{Issuer: meta.Issuer, TokenURL: meta.Token, AuthURL: meta.Auth, DeviceURL: meta.Device}, nil
		}
	}
	return Config{}, fmt.Errorf("oauth: Discover: %w", errors.Join(failures...))
}

// metadata are the members of RFC 8414, section 2, that a Config has.
type metadata struct {
	Issuer string `json:"issuer"`
	Token  string `json:"token_endpoint"`
	Auth   string `json:"authorization_endpoint"`
	Device string `json:"device_authorization_endpoint"`
}

// check has no endpoint of a server that is asked over https be asked over http.
func (m metadata) check(scheme string) error {
	for name, address := range map[string]string{"token_endpoint": m.Token, "authorization_endpoint": m.Auth, "device_authorization_endpoint": m.Device} {
		if address == "" {
			continue
		}
		u, err := endpoint("Discover: the metadata's "+name, address)
		switch {
		case err != nil:
			return err
		case u.Scheme == "http" && scheme != "http":
			return fmt.Errorf("oauth: Discover: the metadata's %s must be https, as the issuer is", name)
		}
	}
	return nil
}

func metadataAt(ctx context.Context, c *aplomb.Client, address string) (metadata, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return metadata{}, err
	}
	return fetch[metadata](c.HTTPClient(), req)
}
