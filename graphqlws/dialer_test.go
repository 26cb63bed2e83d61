package graphqlws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/graphqlws"
	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

const token = "opaque-token-of-no-known-shape"

type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// server speaks graphql-transport-ws and counts down from 3, one connection after
// the other, as the document says.
type server struct {
	mu     sync.Mutex
	conns  int
	heard  []string
	closes []error
	lasts  bool // it does not complete by itself
}

func (s *server) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, text)
}

func (s *server) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.heard, " ")
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/closed" {
		http.Error(w, "no entry", http.StatusForbidden)
		return
	}
	if r.URL.Path == "/old" {
		c, err := websocket.Accept(w, r, nil)
		if err == nil {
			_, _, _ = c.Read(r.Context())
			_ = c.CloseNow()
		}
		return
	}
	s.note(r.Header.Get("Authorization"))
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{graphql.Subprotocol}})
	if err != nil {
		s.note(err.Error())
		return
	}
	defer func() { _ = c.CloseNow() }()
	s.mu.Lock()
	s.conns++
	n := s.conns
	s.mu.Unlock()
	err = s.speak(r.Context(), c, n)
	s.mu.Lock()
	s.closes = append(s.closes, err)
	s.mu.Unlock()
}

func (s *server) speak(ctx context.Context, c *websocket.Conn, n int) error {
	var m message
	if err := wsjson.Read(ctx, c, &m); err != nil {
		return err
	}
	s.note(m.Type + string(m.Payload))
	_ = wsjson.Write(ctx, c, message{Type: "connection_ack"})
	if err := wsjson.Read(ctx, c, &m); err != nil {
		return err
	}
	id := m.ID
	say := func(kind, payload string) { _ = wsjson.Write(ctx, c, message{id, kind, json.RawMessage(payload)}) }
	if strings.Contains(string(m.Payload), "wrong") {
		say("error", `[{"message":"no such field","extensions":{"code":"BAD"}}]`)
	} else {
		say("next", fmt.Sprintf(`{"data":{"count":%d}}`, 4-n))
		_ = wsjson.Write(ctx, c, message{Type: "ping"})
		if err := wsjson.Read(ctx, c, &m); err != nil {
			return err
		}
		s.note(m.Type)
		switch {
		case n == 1:
			return c.Close(websocket.StatusServiceRestart, "back soon")
		case n == 2:
			return c.CloseNow()
		}
		say("next", `{"data":{"count":0,"pad":"`+strings.Repeat("x", 100_000)+`"}}`)
		if !s.lasts {
			say("complete", "")
		}
	}
	err := wsjson.Read(ctx, c, &m)
	if err == nil {
		s.note(m.Type)
		err = wsjson.Read(ctx, c, &m)
	}
	return err
}

// start returns a server and a client of it, whose WebSocket is at path.
func start(t *testing.T, path string, opts ...aplomb.CallOption) (*server, *graphql.Client) {
	t.Helper()
	s := &server{}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	api, err := aplomb.New(srv.URL, aplomb.Bearer(aplomb.Static(token)), aplomb.Name("shop"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.CloseIdleConnections)
	opts = append([]aplomb.CallOption{
		graphql.WebSocket("ws"+strings.TrimPrefix(srv.URL, "http")+path, graphqlws.Dialer{Client: api.HTTPClient()}),
		graphql.InitPayload(func(context.Context) (any, error) { return map[string]string{"a": "b"}, nil }),
	}, opts...)
	return s, graphql.New(api, opts...)
}

type event struct{ Count int }

func counts(t *testing.T, gh *graphql.Client, document string) (got []int, last error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for v, err := range graphql.Subscribe[event](ctx, gh, document, nil) {
		if last = err; err == nil {
			got = append(got, v.Count)
		}
	}
	return got, last
}

// TestSubscribe goes through a close, a drop and a large event to the end.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	var causes []error
	s, gh := start(t, "/ws", graphql.Reconnect(graphql.Reconnection{
		MinBackoff: time.Millisecond, On: func(e graphql.ReconnectEvent) { causes = append(causes, e.Err) },
	}))
	got, err := counts(t, gh, `subscription { count }`)
	if err != nil || fmt.Sprint(got) != "[3 2 1 0]" {
		t.Errorf("got %v, %v", got, err)
	}
	if len(causes) != 2 {
		t.Fatalf("causes %v", causes)
	}
	closed, ok := errors.AsType[*graphql.CloseError](causes[0])
	if !ok || closed.Code != 1012 || closed.Reason != "back soon" {
		t.Errorf("first cause %v", causes[0])
	}
	if !strings.Contains(causes[1].Error(), "shop: subscription: the connection was lost") {
		t.Errorf("second cause %v", causes[1])
	}
	want := strings.TrimSpace(strings.Repeat("Bearer "+token+` connection_init{"a":"b"} pong `, 3))
	if s.told() != want {
		t.Errorf("the server heard %s\nwant %s", s.told(), want)
	}
}

func TestBreakUnsubscribes(t *testing.T) {
	t.Parallel()
	s, gh := start(t, "/ws")
	s.conns, s.lasts = 2, true // lest there be nothing left to be left
	start := time.Now()
	for _, err := range graphql.Subscribe[event](t.Context(), gh, `subscription { count }`, nil) {
		if err != nil {
			t.Error(err)
		}
		for range 500 { // while the pong is written there is no room for another word
			heard := strings.Contains(s.told(), "pong")
			<-time.After(20 * time.Millisecond) // once more when it was: its writer is to be done, too
			if heard {
				break
			}
		}
		break
	}
	if time.Since(start) > 30*time.Second {
		t.Error("leaving the loop hangs")
	}
	for range 500 { // the server is on its way
		s.mu.Lock()
		closes := s.closes
		s.mu.Unlock()
		if len(closes) == 1 {
			if websocket.CloseStatus(closes[0]) != websocket.StatusNormalClosure || !strings.Contains(s.told(), "complete") {
				t.Errorf("the server saw %v and heard %s", closes[0], s.told())
			}
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Error("the server was not told")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ path, document, want string }{
		"error message":       {"/ws", `subscription { wrong }`, `shop: subscription: 101 BAD "no such field"`},
		"403":                 {"/closed", `subscription { count }`, "shop: subscription: no WebSocket: 127.0.0.1"},
		"no such subprotocol": {"/old", `subscription { count }`, "no WebSocket: the server does not speak graphql-transport-ws"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, gh := start(t, tt.path)
			got, err := counts(t, gh, tt.document)
			if len(got) > 0 || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %v, %v", got, err)
			}
			e, ok := errors.AsType[*aplomb.APIError](err)
			if ok != (name == "403") || ok && (e.StatusCode != 403 || string(e.Body) != "no entry\n") {
				t.Errorf("API error %v %v", ok, e)
			}
		})
	}
}

// TestPlainClient: the zero Dialer needs no aplomb client, and shows no header.
func TestPlainClient(t *testing.T) {
	t.Parallel()
	s := &server{conns: 2}
	srv := httptest.NewServer(s)
	defer srv.Close()
	d := graphqlws.Dialer{Header: http.Header{"Authorization": {"Bearer " + token}}}
	if text := fmt.Sprintf("%v %+v %#v", d, d, d); strings.Contains(text, token) {
		t.Error(text)
	}
	c, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http"), graphql.Subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(1000, ""); err != nil && !errors.Is(err, context.Canceled) {
		t.Log(err) // the server was waiting for connection_init, and says so in its own way
	}
	if s.told() != "Bearer "+token {
		t.Error(s.told())
	}
	_, err = graphqlws.Dialer{}.DialContext(t.Context(), "ws://127.0.0.1:1", graphql.Subprotocol)
	if err == nil {
		t.Error("dialled nobody")
	}
}

// TestMain misses goroutines that a subscription has left behind. Stragglers have
// three seconds.
func TestMain(m *testing.M) {
	code := m.Run()
	left := func() string {
		buf := make([]byte, 1<<20)
		return string(buf[:runtime.Stack(buf, true)])
	}
	for i := 0; i < 300 && strings.Contains(left(), "aplomb/graphql.("); i++ {
		<-time.After(10 * time.Millisecond)
	}
	if stacks := left(); code == 0 && strings.Contains(stacks, "aplomb/graphql.(") {
		fmt.Println("goroutines left behind:\n\n" + stacks)
		code = 1
	}
	os.Exit(code)
}
