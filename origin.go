package aplomb

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// An origin is where a credential may go: scheme, host and effective port
// (RFC 6454, section 4). net/http compares host names alone when it decides
// about redirects, which lets a credential change port and scheme.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	o := origin{scheme: strings.ToLower(u.Scheme), host: strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port: u.Port()}
	if o.port == "" {
		switch o.scheme {
		case "http":
			o.port = "80"
		case "https":
			o.port = "443"
		}
	}
	return o
}

// originOf is the function's, without its work for an address at the client's own host.
func (s *stack) originOf(u *url.URL) origin {
	if home := s.cfg.base; home != nil && u.Host == home.Host && u.Scheme == home.Scheme {
		return s.home
	}
	return originOf(u)
}

// origin is where the attempt goes.
func (a *Attempt) origin() origin { return a.call.stack.originOf(a.Request.URL) }

// originKey is the default key of breakers and quotas.
func (a *Attempt) originKey() string {
	s := a.call.stack
	o := a.origin()
	if o == s.home {
		return s.homeKey // made once
	}
	return o.String()
}

// String is the origin as a URL, without a default port.
func (o origin) String() string {
	if o.port == "" || o.scheme == "http" && o.port == "80" || o.scheme == "https" && o.port == "443" {
		return o.scheme + "://" + o.hostname()
	}
	return o.scheme + "://" + net.JoinHostPort(o.host, o.port)
}

func (o origin) hostname() string {
	if strings.Contains(o.host, ":") {
		return "[" + o.host + "]"
	}
	return o.host
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || host == "localhost"
}

// parseOrigin reads "https://host" or "https://host:port".
func parseOrigin(s string) (origin, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return origin{}, fmt.Errorf("aplomb: %s is not an origin: write scheme://host or scheme://host:port", redact.Text(fmt.Sprintf("%q", s), 80))
	}
	return originOf(u), nil
}
