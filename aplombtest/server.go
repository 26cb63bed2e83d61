package aplombtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aplomb-go/aplomb/internal/memnet"
)

// Server is a real [http.Server] on an in-memory network: no port, no wall
// clock, so it works inside [testing/synctest] bubbles and outside them. Its
// Date headers, timeouts and keep-alives follow the bubble's time.
//
// Make one with [NewServer], [NewTLSServer] or [Network.Serve], inside the
// bubble if there is one. All methods are safe for concurrent use.
type Server struct {
	// URL is the server's origin without a trailing slash, "http://api.test"
	// for [NewServer] and "https://api.test" for [NewTLSServer].
	URL string

	tb       testing.TB
	tls      bool
	listener *memnet.Listener
	server   *http.Server
	logs     *testLog
	network  *Network           // nil: it is alone
	closed   <-chan struct{}    // closed by Close, first of all
	stop     context.CancelFunc // ends the context of every request
	served   chan struct{}      // closed when Serve has returned
	busy     tally              // connections and handlers still running
	accepted atomic.Int64
	broken   atomic.Int64 // the Trouble of Break
	outage   atomic.Pointer[passage]
	closing  sync.Once

	mu   sync.Mutex
	mute []net.Conn // the ends of connections that no handshake is made on

	client func() *http.Client
}

// NewServer starts a server for h at http://api.test. It closes itself when the
// test, or the bubble it was made in, ends, and by then all its goroutines have
// ended as well. What [http.Server] logs, such as a panic in h, goes to tb.
func NewServer(tb testing.TB, h http.Handler) *Server {
	tb.Helper()
	return start(tb, "http", "api.test:80", "api.test", h, nil)
}

// NewTLSServer is [NewServer] at https://api.test. It speaks HTTP/2 and
// HTTP/1.1 with a certificate that is made on the spot for whatever host name
// the client asks for; Transport and Client trust it.
func NewTLSServer(tb testing.TB, h http.Handler) *Server {
	tb.Helper()
	return start(tb, "https", "api.test:443", "api.test", h, nil)
}

// start runs a server whose listener reports addr. host is how the address
// reads in a URL, without the scheme's own port. It may be on a network.
func start(tb testing.TB, scheme, addr, host string, h http.Handler, n *Network) *Server {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		URL:      scheme + "://" + host,
		tb:       tb,
		tls:      scheme == "https",
		listener: memnet.Listen(addr),
		logs:     &testLog{tb: tb},
		network:  n,
		closed:   ctx.Done(),
		stop:     stop,
		served:   make(chan struct{}),
	}
	s.client = sync.OnceValue(func() *http.Client { return &http.Client{Transport: s.Transport()} })
	s.busy.init()
	s.server = &http.Server{
		Handler:     s.counted(h),
		ErrorLog:    log.New(s.logs, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, linkKey{}, &link{Conn: c, server: s})
		},
		ConnState: s.connState,
	}
	serve := s.server.Serve
	if s.tls {
		s.server.TLSConfig = &tls.Config{GetCertificate: s.certificate, MinVersion: tls.VersionTLS12}
		serve = func(l net.Listener) error { return s.server.ServeTLS(l, "", "") }
	}
	go func() {
		defer close(s.served)
		_ = serve(s.listener) // always non-nil, and ErrServerClosed is the only one to come
	}()
	tb.Cleanup(s.Close)
	return s
}

// Transport returns a new transport that dials this server, whatever host is
// asked for, and trusts its certificate. It is the caller's to change, except
// for DialContext; its connections are closed with the server. Over TLS it speaks
// HTTP/2; for HTTP/1.1 set its Protocols:
//
//	transport.Protocols = new(http.Protocols)
//	transport.Protocols.SetHTTP1(true)
func (s *Server) Transport() *http.Transport { return newTransport(s.dial) }

// Client returns a client on a Transport of its own, the same client each
// time, so that its connections are reused. It has no timeout.
func (s *Server) Client() *http.Client { return s.client() }

// Break brings trouble to the server until Heal, or until other trouble takes
// its place: see [Trouble]. What [Network.Break] has brought to its host counts
// before this.
func (s *Server) Break(t Trouble) {
	s.tb.Helper()
	if t.aboutTLS() && !s.secure() {
		s.tb.Fatalf("aplombtest: Break(%v): %s does not speak TLS", t, s.URL)
	}
	s.broken.Store(int64(t))
	if t == DialRefused {
		s.listener.ResetConns()
	}
}

// Heal ends what Break began. Dials that already hang go on hanging.
func (s *Server) Heal() { s.broken.Store(0) }

// Conns returns how many connections the server has accepted so far: for tests
// of connection reuse.
func (s *Server) Conns() int { return int(s.accepted.Load()) }

// Close stops the server: it cancels the contexts of all requests, closes all
// connections and waits until all handlers and connections have ended. A
// handler that neither ends by itself nor heeds its request's context keeps
// Close waiting. Tests need not call it; a second call does nothing.
func (s *Server) Close() {
	s.closing.Do(func() {
		s.stop()
		s.listener.CloseConns() // first, lest TLS waits 5 s to say goodbye to a client that does not read
		_ = s.server.Close()
		<-s.served
		s.listener.CloseConns() // again, for those accepted in between
		s.unmute()
		s.busy.wait()
		s.logs.close()
	})
}

// newTransport returns a transport over dial that trusts our certificates and
// is otherwise as http.DefaultTransport, minus the proxy.
func newTransport(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:       dial,
		TLSClientConfig:   &tls.Config{RootCAs: authority().pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		MaxIdleConns:      100,
	}
}

// secure says whether the server speaks TLS.
func (s *Server) secure() bool { return s.tls }

// trouble is what the server is in: its host's, its own, the outage's.
func (s *Server) trouble() Trouble {
	var hosts, outages Trouble
	if s.network != nil {
		hosts = s.network.trouble(s.listener.Addr().String())
	}
	if p := s.outage.Load(); p != nil {
		outages = p.trouble()
	}
	return cmp.Or(hosts, Trouble(s.broken.Load()), outages)
}

// dial connects to the server, or to its trouble.
func (s *Server) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if p := s.outage.Load(); p != nil {
		p.dialled()
	}
	trouble := s.trouble()
	if err := trouble.misdial(ctx, network, addr, s.closed); err != nil {
		return nil, err
	}
	if text, instead := trouble.greeting(); instead {
		return s.greet(text), nil
	}
	return s.listener.DialContext(ctx, network, addr)
}

// greet returns a connection whose other end says text and, unless that is
// nothing, that it says no more; it reads nothing.
func (s *Server) greet(text string) net.Conn {
	client, mute := memnet.Pipe("192.0.2.1:49151", memnet.Addr(s.listener.Addr().String()))
	if text != "" {
		_, _ = mute.Write([]byte(text)) // it fits the window
		_ = mute.CloseWrite()
	}
	s.mu.Lock()
	s.mute = append(s.mute, mute)
	s.mu.Unlock()
	return client
}

func (s *Server) unmute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.mute {
		_ = c.Close()
	}
}

// counted wraps h so that Close can wait for it. Over HTTP/2 a handler may
// start after its connection was closed; past Close there is nobody to answer.
func (s *Server) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.busy.add()
		defer s.busy.done()
		if r.Context().Err() != nil {
			return
		}
		link := linkOf(r)
		link.begin()
		defer link.end()
		if p := s.outage.Load(); p != nil {
			p.serve(w, r, h)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// connState is called by http.Server with StateNew before it starts the
// goroutine of a connection and with a final state as its last act.
func (s *Server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.accepted.Add(1)
		s.busy.add()
	case http.StateHijacked, http.StateClosed:
		s.busy.done()
	default: // it goes on
	}
}

// tally counts what is still running. Unlike a sync.WaitGroup it may rise from
// zero while somebody waits.
type tally struct {
	mu   sync.Mutex
	none *sync.Cond
	n    int
}

func (t *tally) init() { t.none = sync.NewCond(&t.mu) }

func (t *tally) add() { t.change(1) }

func (t *tally) done() { t.change(-1) }

func (t *tally) change(by int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += by
	if t.n == 0 {
		t.none.Broadcast()
	}
}

func (t *tally) wait() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.n > 0 {
		t.none.Wait()
	}
}

// testLog is where http.Server logs to. After the test has ended a call of
// tb.Log would panic, so it then stays silent.
type testLog struct {
	mu     sync.Mutex
	tb     testing.TB
	closed bool
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.tb.Logf("%s", bytes.TrimSpace(p))
	}
	return len(p), nil
}

func (l *testLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
