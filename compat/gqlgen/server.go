package gqlgen

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"

	"github.com/aplomb-go/aplomb/compat/gqlgen/internal/graph"
)

// Settings are what a server can be told.
type Settings struct {
	// PingPong is how often the server pings over a websocket; a client that does
	// not answer within twice the time is cut off. 0 is a second.
	PingPong time.Duration
	// Repositories is how many each user has. 0 is 25.
	Repositories int
}

// Server is a running one. What it counts may be asked for at any time.
type Server struct {
	// URL is the endpoint, of every transport. A websocket has it with ws for http.
	URL string

	settings Settings

	mu       sync.Mutex
	name     string
	renames  int
	watching int
	seen     []Seen
	conns    []net.Conn
}

// Seen is a request as it came in.
type Seen struct {
	Method string
	Query  string // the URL's, undecoded
	Header http.Header
	Body   []byte
}

// Start runs a server of its own for the test, on the loopback interface.
func Start(tb testing.TB, settings Settings) *Server {
	tb.Helper()
	if settings.PingPong == 0 {
		settings.PingPong = time.Second
	}
	if settings.Repositories == 0 {
		settings.Repositories = 25
	}
	s := &Server{settings: settings, name: "ada"}
	srv := httptest.NewUnstartedServer(s.watched(s.handler()))
	srv.Config.ConnState = s.connected
	srv.Start()
	tb.Cleanup(srv.Close)
	s.URL = srv.URL + "/graphql"
	return s
}

// handler has every transport. POST is last: it would take requests that ask
// for server-sent events.
func (s *Server) handler() http.Handler {
	h := handler.New(graph.NewExecutableSchema(graph.Config{Resolvers: resolvers{s}}))
	h.AddTransport(transport.SSE{})
	h.AddTransport(transport.Websocket{PingPongInterval: s.settings.PingPong})
	h.AddTransport(transport.MultipartForm{})
	h.AddTransport(transport.GET{})
	h.AddTransport(transport.POST{})
	h.Use(extension.AutomaticPersistedQuery{Cache: lru.New[string](100)})
	return h
}

// watched notes each request before it is served.
func (s *Server) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.seen = append(s.seen, Seen{r.Method, r.URL.RawQuery, r.Header.Clone(), body})
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// Seen are the requests so far.
func (s *Server) Seen() []Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// connected keeps each connection, for Cut.
func (s *Server) connected(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.conns = append(s.conns, c)
	}
}

// Cut ends every connection, a websocket's too, without a word.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close() // it may be closed
	}
	s.conns = nil
}

// Renames is how often the mutation rename was executed.
func (s *Server) Renames() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renames
}

// Watching is how many subscriptions run.
func (s *Server) Watching() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watching
}
