package aplombtest

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aplomb-go/aplomb/internal/memnet"
)

// Network joins several servers by host name: for redirects between origins,
// hosts that are down, that never answer or that nobody finds. Make one with [NewNetwork].
// All methods are safe for concurrent use.
type Network struct {
	tb     testing.TB
	closed chan struct{}
	client func() *http.Client

	mu       sync.Mutex
	servers  map[string]*Server // by host:port
	troubles map[string]Trouble // by host or host:port
}

// NewNetwork returns a network without servers. Everything on it is closed when
// the test, or the bubble it was made in, ends.
func NewNetwork(tb testing.TB) *Network {
	n := &Network{
		tb:       tb,
		closed:   make(chan struct{}),
		servers:  map[string]*Server{},
		troubles: map[string]Trouble{},
	}
	n.client = sync.OnceValue(func() *http.Client { return &http.Client{Transport: n.Transport()} })
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
	s := start(n.tb, u.Scheme, addr, u.Host, h, n)
	n.servers[addr] = s
	return s
}

// Transport returns a new transport that finds each server by its host and
// port and trusts their certificates; see [Server.Transport]. Any other address
// fails like a closed port: a [*net.OpError] of a dial that wraps
// [syscall.ECONNREFUSED].
func (n *Network) Transport() *http.Transport { return newTransport(n.dial) }

// Client returns a client on a Transport of its own, the same client each time, so
// that its connections are reused. It has no timeout.
func (n *Network) Client() *http.Client { return n.client() }

// Break brings trouble to host until Heal, or until other trouble takes its
// place. host is "b.test", for all its ports, or "b.test:8080", which counts
// before that. A host without a server can only fail to be found or reached;
// what is about TLS is for hosts with an https server. A [http.Transport] lets a
// dial outlive the request it was for; at the latest it ends with the Network.
func (n *Network) Break(host string, t Trouble) {
	n.tb.Helper()
	if strings.ContainsAny(host, "/") {
		n.tb.Fatalf("aplombtest: Break(%q, %v): want a host such as %q or %q", host, t, "b.test", "b.test:8080")
	}
	servers := n.at(host)
	if t.aboutTLS() && !slices.ContainsFunc(servers, (*Server).secure) {
		n.tb.Fatalf("aplombtest: Break(%q, %v): no https server is there", host, t)
	}
	n.mu.Lock()
	n.troubles[host] = t
	n.mu.Unlock()
	if t == DialRefused {
		for _, s := range servers {
			s.listener.ResetConns()
		}
	}
}

// Heal ends what Break began for the same host. Dials that already hang go on
// hanging.
func (n *Network) Heal(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.troubles, host)
}

func (n *Network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	n.mu.Lock()
	server := n.servers[addr]
	n.mu.Unlock()
	if server != nil {
		return server.dial(ctx, network, addr)
	}
	if err := n.trouble(addr).misdial(ctx, network, addr, n.closed); err != nil {
		return nil, err
	}
	return nil, memnet.Refused(addr)
}

// trouble is what Break has brought to addr, a host:port.
func (n *Network) trouble(addr string) Trouble {
	host, _, _ := net.SplitHostPort(addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	return cmp.Or(n.troubles[addr], n.troubles[host])
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
