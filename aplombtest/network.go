package aplombtest

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/aplomb-go/aplomb/internal/memnet"
)

// Network joins several servers by host name: for redirects between origins,
// hosts that are down and hosts that never answer. Make one with [NewNetwork].
// All methods are safe for concurrent use.
type Network struct {
	tb     testing.TB
	closed chan struct{}

	mu       sync.Mutex
	servers  map[string]*Server // by host:port
	troubles map[string]trouble // by host or host:port
}

// trouble is what a dial meets instead of a server.
type trouble int

const (
	refused trouble = iota + 1
	hanging
)

// NewNetwork returns a network without servers. Everything on it is closed when
// the test, or the bubble it was made in, ends.
func NewNetwork(tb testing.TB) *Network {
	n := &Network{
		tb:       tb,
		closed:   make(chan struct{}),
		servers:  map[string]*Server{},
		troubles: map[string]trouble{},
	}
	tb.Cleanup(func() { close(n.closed) }) // after the servers: cleanups run last to first
	return n
}

// Serve starts a server for h at origin, such as "https://b.test" or
// "http://a.test:8080"; with https it speaks TLS. An origin that is none, or is
// taken, ends the test.
func (n *Network) Serve(origin string, h http.Handler) *Server {
	n.tb.Helper()
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Scheme+"://"+u.Host != origin {
		n.tb.Fatalf("aplombtest: Serve(%q): want an origin such as %q", origin, "https://b.test")
	}
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.servers[addr] != nil {
		n.tb.Fatalf("aplombtest: Serve(%q): a server is already at %s", origin, addr)
	}
	s := start(n.tb, u.Scheme, addr, u.Host, h)
	n.servers[addr] = s
	return s
}

// Transport returns a new transport that finds each server by its host and
// port and trusts their certificates; see [Server.Transport]. Any other address
// fails like a closed port: a [*net.OpError] of a dial that wraps
// [syscall.ECONNREFUSED].
func (n *Network) Transport() *http.Transport { return newTransport(n.dial) }

// Client returns a new client on a Transport of its own, without a timeout.
func (n *Network) Client() *http.Client { return &http.Client{Transport: n.Transport()} }

// Refuse makes host a closed port until Restore: dials are refused, and what
// connections the server there has are reset. host is "b.test", for all its
// ports, or "b.test:8080".
func (n *Network) Refuse(host string) {
	n.trouble(host, refused)
	for _, s := range n.at(host) {
		s.listener.ResetConns()
	}
}

// Hang makes dials to host wait until their context is done, as if a firewall
// dropped their packets, until Restore. Open connections live on. host is as
// for Refuse. A [http.Transport] lets a dial outlive the request it was for;
// at the latest it ends with the Network.
func (n *Network) Hang(host string) { n.trouble(host, hanging) }

// Restore ends what Refuse or Hang began for the same host. Dials that already
// hang go on hanging.
func (n *Network) Restore(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.troubles, host)
}

func (n *Network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	n.mu.Lock()
	server, trouble := n.servers[addr], max(n.troubles[addr], n.troubles[host])
	n.mu.Unlock()
	switch {
	case trouble == hanging:
		select {
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: network, Addr: memnet.Addr(addr), Err: ctx.Err()}
		case <-n.closed:
			return nil, memnet.Refused(addr)
		}
	case trouble == refused || server == nil:
		return nil, memnet.Refused(addr)
	}
	return server.listener.DialContext(ctx, network, addr)
}

func (n *Network) trouble(host string, what trouble) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.troubles[host] = what
}

// at returns the servers that a host, or host:port, means.
func (n *Network) at(host string) (servers []*Server) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for addr, s := range n.servers {
		if name, _, _ := net.SplitHostPort(addr); host == addr || host == name {
			servers = append(servers, s)
		}
	}
	return servers
}
