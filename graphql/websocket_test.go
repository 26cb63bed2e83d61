package graphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// wire is a Dialer whose connections are pairs of channels; serve is the other
// end of each, the n-th from 1.
type wire struct {
	serve func(n int, c *peer)
	err   error // of the dial
	hang  bool

	mu    sync.Mutex
	dials int
	peers []*peer
}

func (w *wire) DialContext(ctx context.Context, url, subprotocol string) (graphql.Conn, error) {
	w.mu.Lock()
	w.dials++
	n := w.dials
	w.mu.Unlock()
	if url != "wss://api.test/ws" || subprotocol != "graphql-transport-ws" {
		return nil, fmt.Errorf("dialled %s for %s", url, subprotocol)
	}
	if w.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if w.err != nil {
		return nil, w.err
	}
	p := &peer{down: make(chan string), up: make(chan string), broken: make(chan struct{}), closed: make(chan struct{}), reading: make(chan struct{}, 1), seen: make(chan struct{}, 1)}
	w.mu.Lock()
	w.peers = append(w.peers, p)
	w.mu.Unlock()
	go w.serve(n, p)
	return p, nil
}

// peer is both ends of a connection: a Conn, and what its server uses.
type peer struct {
	down, up chan string
	broken   chan struct{} // by the server
	closed   chan struct{} // by the client
	once     sync.Once
	why      error
	deaf     bool          // Close takes until the pending Reader's context ends
	lingers  bool          // Close waits 5 s for the peer, unless a Reader hears of it
	seen     chan struct{} // by a Reader, that it is closed
	code     int
	sent     []string
	reading  chan struct{} // has a token during Reader; a Mutex would stop a bubble's time
}

func (p *peer) Reader(ctx context.Context) (io.Reader, error) {
	p.reading <- struct{}{}
	defer func() { <-p.reading }()
	select {
	case text := <-p.down:
		return strings.NewReader(text), nil
	case <-p.broken:
		return nil, p.why
	case <-p.closed:
		if p.deaf {
			<-ctx.Done()
		}
		p.seen <- struct{}{}
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *peer) Write(ctx context.Context, message []byte) error {
	select {
	case p.up <- string(message):
		return nil
	case <-p.broken:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *peer) Close(code int, _ string) error {
	p.once.Do(func() {
		p.code = code
		close(p.closed)
	})
	if p.lingers {
		select {
		case <-p.seen:
		case <-time.After(5 * time.Second):
		}
	}
	p.reading <- struct{}{} // waits for the reader
	<-p.reading
	return nil
}

// say sends a message to the client, unless that is gone.
func (p *peer) say(text string) {
	select {
	case p.down <- text:
	case <-p.closed:
	}
}

// hear is the client's next message, "" once it is gone.
func (p *peer) hear() string {
	select {
	case text := <-p.up:
		p.sent = append(p.sent, text)
		return text
	case <-p.closed:
		return ""
	}
}

func (p *peer) cut(why error) {
	p.why = why
	close(p.broken)
}

// welcome is the usual beginning.
func (p *peer) welcome() {
	p.hear()
	p.say(`{"type":"connection_ack"}`)
	p.hear()
}

func (p *peer) tick(n int) {
	p.say(fmt.Sprintf(`{"id":"1","type":"next","payload":{"data":{"tick":%d}}}`, n))
}

const done = `{"id":"1","type":"complete"}`

// dialled is a client whose subscriptions go over w.
func dialled(t *testing.T, w *wire, opts ...aplomb.CallOption) *graphql.Client {
	t.Helper()
	api, err := aplomb.New("https://api.test")
	assert.NoError(t, err)
	return graphql.New(api, append([]aplomb.CallOption{graphql.WebSocket("wss://api.test/ws", w)}, opts...)...)
}

func TestWebSocketSpeaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{serve: func(_ int, p *peer) {
			p.hear()
			p.say(`{"type":"ping","payload":{"a":1}}`)
			p.hear()
			p.say(`{"type":"connection_ack","payload":{"a":1}}`)
			p.hear()
			p.tick(1)
			p.say(`{"id":"other","type":"next","payload":{"data":{"tick":99}}}`)
			p.say(`{"id":"1","type":"next","payload":{"data":{"tick":2},"errors":[{"message":"no","path":["tick"]}]}}`)
			p.say(`{"type":"ping"}`)
			p.hear()
			p.tick(3)
			p.say(`{"id":"other","type":"complete"}`)
			p.say(done)
		}}
		payload := graphql.InitPayload(func(context.Context) (any, error) { return map[string]string{"authorization": "x"}, nil })
		got, err := seen(t, dialled(t, w, payload))
		assert.NoError(t, err)
		assert.Equal(t, got, "1 (2 error) 3")
		synctest.Wait()
		assert.Equal(t, w.peers[0].sent, []string{
			`{"type":"connection_init","payload":{"authorization":"x"}}`,
			`{"type":"pong"}`,
			`{"id":"1","type":"subscribe","payload":{"query":"subscription Ticks { tick }"}}`,
			`{"type":"pong"}`,
		}, "what the server completed is not completed again")
		assert.Equal(t, w.peers[0].code, 1000)
	})
}

// TestWebSocketEnds: how each ending reads, and whether it is tried again.
func TestWebSocketEnds(t *testing.T) {
	t.Parallel()
	after := func(f func(*peer)) func(int, *peer) {
		return func(_ int, p *peer) { p.welcome(); p.tick(1); f(p) }
	}
	saying := func(text string) func(int, *peer) { return after(func(p *peer) { p.say(text) }) }
	closing := func(code int) func(int, *peer) {
		return after(func(p *peer) { p.cut(fmt.Errorf("wrapped: %w", &graphql.CloseError{Code: code, Reason: "because"})) })
	}
	refusing := &aplomb.APIError{Client: "api.test", Operation: "dial", StatusCode: 401}
	busy := &aplomb.APIError{Client: "api.test", Operation: "dial", StatusCode: 503}
	for name, tt := range map[string]struct {
		wire  *wire
		want  string
		again bool
		code  int // that the client closes with
	}{
		"error":        {&wire{serve: saying(`{"id":"1","type":"error","payload":[{"message":"no such field","extensions":{"code":"BAD"}}]}`)}, `api.test: Ticks: 101 BAD "no such field" (1 attempt, 0s)`, false, 1000},
		"one error":    {&wire{serve: saying(`{"id":"1","type":"error","payload":{"message":"no such field"}}`)}, `"no such field"`, false, 1000},
		"empty error":  {&wire{serve: saying(`{"id":"1","type":"error"}`)}, "did not say why", false, 1000},
		"refused":      {&wire{serve: saying(`{"id":"1","type":"next","payload":{"errors":[{"message":"no"}]}}`)}, `"no"`, false, 1000},
		"nonsense":     {&wire{serve: saying(`{"type":"ka"}`)}, `a message of type "ka", which graphql-transport-ws does not have here`, false, 4004},
		"no JSON":      {&wire{serve: saying(`hello`)}, "a message that is not of graphql-transport-ws: invalid character", false, 4004},
		"large":        {&wire{serve: saying(`{"type":"pong","payload":"` + strings.Repeat("x", 200) + `"}`)}, "an event of more than 200 bytes", false, 1009},
		"early event":  {&wire{serve: func(_ int, p *peer) { p.hear(); p.tick(1) }}, `a message of type "next"`, false, 4004},
		"lost":         {&wire{serve: after(func(p *peer) { p.cut(errors.New("reset by peer")) })}, "api.test: Ticks: the connection was lost: reset by peer (1 event, 0s)", true, 1000},
		"end":          {&wire{serve: after(func(p *peer) { p.cut(io.EOF) })}, "the connection was lost: unexpected EOF", true, 1000},
		"lost at once": {&wire{serve: func(_ int, p *peer) { p.cut(io.EOF) }}, "the connection was lost", true, 1000},
		"dial":         {&wire{err: errors.New("no route")}, "api.test: Ticks: no WebSocket: no route (0 events, 0s)", true, 0},
		"dial 401":     {&wire{err: refusing}, "no WebSocket: api.test: dial: 401", false, 0},
		"dial 503":     {&wire{err: busy}, "no WebSocket: api.test: dial: 503", true, 0},
		"1000":         {&wire{serve: closing(1000)}, "the server closed with code 1000: because", true, 1000},
		"1001":         {&wire{serve: closing(1001)}, "closed with code 1001", true, 1000},
		"1002":         {&wire{serve: closing(1002)}, "closed with code 1002", false, 1000},
		"1005":         {&wire{serve: closing(1005)}, "closed with code 1005", true, 1000},
		"1006":         {&wire{serve: closing(1006)}, "closed with code 1006", true, 1000},
		"1011":         {&wire{serve: closing(1011)}, "closed with code 1011", false, 1000},
		"1012":         {&wire{serve: closing(1012)}, "closed with code 1012", true, 1000},
		"1013":         {&wire{serve: closing(1013)}, "closed with code 1013", true, 1000},
		"1014":         {&wire{serve: closing(1014)}, "closed with code 1014", true, 1000},
		"3000":         {&wire{serve: closing(3000)}, "closed with code 3000", true, 1000},
		"4004":         {&wire{serve: closing(4004)}, "closed with code 4004", false, 1000},
		"4005":         {&wire{serve: closing(4005)}, "closed with code 4005", false, 1000},
		"4400":         {&wire{serve: closing(4400)}, "closed with code 4400", false, 1000},
		"4401":         {&wire{serve: closing(4401)}, "closed with code 4401", false, 1000},
		"4403":         {&wire{serve: closing(4403)}, "closed with code 4403", true, 1000},
		"4406":         {&wire{serve: closing(4406)}, "closed with code 4406", false, 1000},
		"4408":         {&wire{serve: closing(4408)}, "closed with code 4408", true, 1000},
		"4409":         {&wire{serve: closing(4409)}, "closed with code 4409", false, 1000},
		"4429":         {&wire{serve: closing(4429)}, "closed with code 4429", false, 1000},
		"4499":         {&wire{serve: closing(4499)}, "closed with code 4499", true, 1000},
		"4500":         {&wire{serve: closing(4500)}, "closed with code 4500", false, 1000},
		"4504":         {&wire{serve: closing(4504)}, "closed with code 4504", true, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				on := func(graphql.ReconnectEvent) { attempts++ }
				_, err := seen(t, dialled(t, tt.wire), graphql.MaxEvent(200), graphql.Jitter(0))
				assert.Contains(t, fmt.Sprint(err), tt.want)
				if closed, ok := errors.AsType[*graphql.CloseError](err); ok {
					assert.Equal(t, strconv.Itoa(closed.Code), name)
				} else {
					assert.True(t, !strings.Contains(tt.want, "closed with code"), "the code is to be had")
				}
				if tt.code != 0 {
					assert.Equal(t, tt.wire.peers[0].code, tt.code)
				}
				n := 0
				for range graphql.Subscribe[tick](t.Context(), dialled(t, tt.wire), ticks, nil, graphql.MaxEvent(200), graphql.Jitter(0),
					graphql.Reconnect(graphql.Reconnection{Attempts: 1, On: on})) {
					if n++; n == 3 { // an event starts the count anew
						break
					}
				}
				assert.Equal(t, attempts > 0, tt.again)
			})
		})
	}
}

func TestWebSocketLimitsOfTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wire *wire
		want string
		took time.Duration
		code int
	}{
		"dial": {&wire{hang: true}, "api.test: Ticks: no WebSocket within 10s (0 events, 10s)", 10 * time.Second, 0},
		"acknowledgement": {&wire{serve: func(_ int, p *peer) {
			p.hear()
			time.Sleep(9 * time.Second)
			p.say(`{"type":"ping"}`)
			p.hear()
		}}, "api.test: Ticks: no connection_ack within 10s (0 events, 10s)", 10 * time.Second, 4504},
		"silence": {&wire{serve: func(_ int, p *peer) {
			p.welcome()
			time.Sleep(14 * time.Second)
			p.say(`{"type":"ping"}`)
			p.hear()
			p.hear() // the client's own, of which nothing comes
		}}, "api.test: Ticks: the connection was silent for 30s (0 events, 44s)", 44 * time.Second, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				got, err := seen(t, dialled(t, tt.wire))
				assert.Equal(t, got, "(0 error)")
				assert.Equal(t, fmt.Sprint(err), tt.want)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Since(start), tt.took)
				if tt.code != 0 {
					assert.Equal(t, tt.wire.peers[0].code, tt.code)
				}
			})
		})
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var pings []time.Duration
		w := &wire{serve: func(_ int, p *peer) {
			p.welcome()
			for range 3 {
				assert.Equal(t, p.hear(), `{"type":"ping"}`)
				pings = append(pings, time.Since(start))
				p.say(`{"type":"pong"}`)
			}
			time.Sleep(time.Second)
			p.tick(1)
			p.say(done)
		}}
		got, err := seen(t, dialled(t, w), graphql.Heartbeat(4*time.Second))
		assert.NoError(t, err)
		assert.Equal(t, got, "1")
		assert.Equal(t, pings, []time.Duration{4 * time.Second, 8 * time.Second, 12 * time.Second})

		w = &wire{serve: func(_ int, p *peer) { p.welcome(); time.Sleep(10 * time.Minute); p.say(done) }}
		got, err = seen(t, dialled(t, w), graphql.NoHeartbeat())
		assert.NoError(t, err)
		assert.Equal(t, got, "")
	})
}

// TestWebSocketBreak: the server is told, and one that does not listen costs a
// second.
func TestWebSocketBreak(t *testing.T) {
	t.Parallel()
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{serve: func(_ int, p *peer) {
				p.deaf = deaf
				p.welcome()
				p.tick(1)
				p.hear()
			}}
			start := time.Now()
			for v, err := range graphql.Subscribe[tick](t.Context(), dialled(t, w), ticks, nil, graphql.Reconnect(graphql.Reconnection{})) {
				assert.NoError(t, err)
				assert.Equal(t, v.Tick, 1)
				break
			}
			synctest.Wait()
			assert.Equal(t, w.peers[0].sent[2], done)
			assert.Equal(t, w.peers[0].code, 1000)
			assert.Equal(t, time.Since(start), map[bool]time.Duration{true: time.Second}[deaf])
			assert.Equal(t, w.dials, 1)
		})
	}
}

// TestWebSocketContext: the server hears of the end of the context, too.
func TestWebSocketContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{serve: func(_ int, p *peer) { p.welcome(); p.tick(1); p.hear() }}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var last error
		for _, err := range graphql.Subscribe[tick](ctx, dialled(t, w), ticks, nil, graphql.Reconnect(graphql.Reconnection{})) {
			last = err
		}
		assert.ErrorIs(t, last, context.DeadlineExceeded)
		synctest.Wait()
		assert.Equal(t, w.peers[0].sent[2], done)
		assert.Equal(t, w.dials, 1)
	})
}

// TestWebSocketSlowLoop: pings are answered while the loop is busy, and events
// wait, as many as MaxEvent has room for; the rest stays with the server.
func TestWebSocketSlowLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []time.Duration
		start := time.Now()
		w := &wire{serve: func(_ int, p *peer) {
			p.welcome()
			p.tick(1)
			p.say(`{"type":"ping"}`)
			assert.Equal(t, p.hear(), `{"type":"pong"}`)
			told = append(told, time.Since(start))
			for n := 2; n <= 6; n++ {
				p.tick(n)
				told = append(told, time.Since(start))
			}
			p.say(done)
		}}
		var got []int
		for v, err := range graphql.Subscribe[tick](t.Context(), dialled(t, w), ticks, nil, graphql.MaxEvent(200)) {
			assert.NoError(t, err)
			got = append(got, v.Tick)
			if v.Tick == 1 {
				time.Sleep(time.Hour) // longer than any heartbeat
			}
		}
		assert.Equal(t, got, []int{1, 2, 3, 4, 5, 6})
		// Two fit and a third is in hand, of 85 bytes each with what they cost.
		assert.Equal(t, told[:4], []time.Duration{0, 0, 0, 0})
		assert.Equal(t, told[4], time.Hour)
	})
}

// TestWebSocketBreakWhileHeld: a loop that lags leaves at once all the same.
func TestWebSocketBreakWhileHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{serve: func(_ int, p *peer) {
			p.lingers = true
			p.welcome()
			go p.hear()
			for n := range 20 {
				p.tick(n)
			}
		}}
		start := time.Now()
		for range graphql.Subscribe[tick](t.Context(), dialled(t, w), ticks, nil, graphql.MaxEvent(200)) {
			synctest.Wait()
			break
		}
		assert.Equal(t, time.Since(start), 0)
	})
}

func TestReconnectWebSocket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		payload := graphql.InitPayload(func(context.Context) (any, error) {
			asked++
			return map[string]int{"n": asked}, nil
		})
		w := &wire{serve: func(n int, p *peer) {
			p.welcome()
			p.tick(n)
			if n == 3 {
				p.say(done)
				return
			}
			p.cut(&graphql.CloseError{Code: 1012})
		}}
		start := time.Now()
		got, err := seen(t, dialled(t, w), payload, graphql.Reconnect(graphql.Reconnection{}), graphql.Jitter(1))
		assert.NoError(t, err)
		assert.Equal(t, got, "1 2 3")
		assert.Equal(t, time.Since(start), 2*time.Second)
		assert.Equal(t, w.peers[2].sent[0], `{"type":"connection_init","payload":{"n":3}}`, "a fresh payload each time")
	})
}

// TestLaw05_NoSecretOverASocket: neither the init payload nor a secret variable
// shows, wherever the server quotes them.
func TestLaw05_NoSecretOverASocket(t *testing.T) {
	t.Parallel()
	const secret, password = "opaque-token-of-no-known-shape", "word-that-nobody-knows"
	for place, end := range map[string]func(*peer, string){
		"error":  func(p *peer, echo string) { p.say(`{"id":"1","type":"error","payload":[{"message":` + echo + `}]}`) },
		"next":   func(p *peer, echo string) { p.say(`{"id":"1","type":"next","payload":{"data":` + echo + `}}`) },
		"close":  func(p *peer, echo string) { p.cut(&graphql.CloseError{Code: 4400, Reason: echo}) },
		"failed": func(p *peer, echo string) { p.cut(errors.New(echo)) },
		"type":   func(p *peer, echo string) { p.say(`{"type":` + echo + `}`) },
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{serve: func(_ int, p *peer) {
					p.welcome()
					assert.Contains(t, p.sent[0], secret)
					assert.Contains(t, p.sent[1], password)
					echo, _ := json.Marshal("got " + secret + " and " + password) // nothing around them gives them away
					end(p, string(echo))
				}}
				payload := graphql.InitPayload(func(context.Context) (any, error) {
					return map[string]any{"headers": map[string]string{"X": "Bearer " + secret}}, nil
				})
				for _, err := range graphql.Subscribe[tick](t.Context(), dialled(t, w, payload), `subscription S($password: String) { a }`, graphql.Vars{"password": password}) {
					assert.True(t, err != nil)
					for _, form := range []string{"%v", "%+v", "%q", "%s"} {
						assert.NotContains(t, fmt.Sprintf(form, err), secret)
						assert.NotContains(t, fmt.Sprintf(form, err), password)
					}
				}
			})
		})
	}
}

func TestInitPayloadFails(t *testing.T) {
	t.Parallel()
	cause := errors.New("the vault is shut")
	w := &wire{}
	_, err := seen(t, dialled(t, w), graphql.Reconnect(graphql.Reconnection{}),
		graphql.InitPayload(func(context.Context) (any, error) { return nil, cause }))
	assert.ErrorIs(t, err, cause)
	assert.Contains(t, err.Error(), "api.test: Ticks: InitPayload: the vault is shut")
	_, err = seen(t, dialled(t, w), graphql.InitPayload(func(context.Context) (any, error) { return func() {}, nil }))
	assert.Contains(t, fmt.Sprint(err), "unsupported type")
	assert.Equal(t, w.dials, 0, "before the dial")
}
