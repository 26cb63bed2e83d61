package aplomb

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
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

// harmless are the only headers of a caller that follow a redirect to another
// origin (law 4): no name list of secrets can be complete, so this one names
// what is known to hold none.
var harmless = []string{"Accept", "Accept-Encoding", "Accept-Language", "If-Range", "Range", "User-Agent"}

// foreign reports a request to another origin than the call's first one.
func (c *call) foreign(r *http.Request) bool { return originOf(r.URL) != c.origin }

// redirectPolicy checks a redirect hop and returns the headers it may carry.
// It is decided here, in the transport, because http.Client.CheckRedirect can
// neither see nor stop what a transport adds underneath.
func (c *call) redirectPolicy(hop *http.Request) (http.Header, error) {
	from, to := originOf(hop.Response.Request.URL), originOf(hop.URL)
	headers := hop.Header.Clone()
	headers.Del("Referer") // http.Client puts the previous URL in it, query and all
	switch {
	case from.scheme == "https" && to.scheme == "http":
		return nil, refuseRedirect(from, to, "it leaves https")
	case to == c.origin || slices.Contains(c.allowed, to):
		return headers, nil
	case hop.Body != nil && hop.Body != http.NoBody:
		return nil, refuseRedirect(from, to, "it would take the request body to another origin")
	case hop.Method != http.MethodGet && hop.Method != http.MethodHead:
		return nil, refuseRedirect(from, to, "a "+hop.Method+" does not follow to another origin")
	}
	kept := http.Header{}
	for _, name := range harmless {
		if v, ok := headers[name]; ok {
			kept[name] = v
		}
	}
	return kept, nil
}

func refuseRedirect(from, to origin, why string) error {
	return &refusal{why: fmt.Sprintf("redirect from %s to %s not followed: %s", from, to, why)}
}
