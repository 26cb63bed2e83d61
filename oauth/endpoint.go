package oauth

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// endpoint is an address that secrets may be sent to.
func endpoint(name, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return nil, fmt.Errorf("oauth: %s is empty", name)
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("oauth: %s is no address of an endpoint: write https://host/path", name)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("oauth: %s must be https: a secret is sent to it; http is for loopback only", name)
}

// originOf is where u leads to, without the path.
func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}

// stay has no redirect followed: an answer that points elsewhere is an answer.
// Another address would get what proves the client, or give a token that is not
// the server's. Without its Location net/http takes it for final.
func stay(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil && resp.StatusCode/100 == 3 {
			resp.Header.Del("Location")
		}
		return resp, err
	})
}
