package aplomb_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// faultRow is a row of the fault matrix: a fault, the call that meets it and
// what must come of it.
type faultRow struct {
	// name is the row's number and a word for the fault; a letter tells apart
	// several cases of one row.
	name string
	// steps are the server's answers, the last for ever; inject is for faults
	// that sit elsewhere. Both may be given.
	steps  []http.HandlerFunc
	inject func(*rig)
	opts   []aplomb.Option
	call   caller // nil: get
	want   outcome
	// also looks at what outcome has no field for.
	also func(*rig, error)
	// crowd stands in the place of all these where a row takes many calls. It
	// calls connect itself.
	crowd func(*rig)
}

// outcome is what a row expects. Every field is checked, a zero one as well.
type outcome struct {
	requests int             // that the server saw
	waits    []time.Duration // between them, or between the dials where there is no request
	takes    time.Duration   // the whole call
	dials    int
	kept     int      // connections left open for the next call
	status   int      // of the last response
	attempts int      // that the client counts; 0: as many as requests
	err      string   // the error's type without its package
	is       error    // what errors.Is finds; nil is not checked
	says     []string // what stands in its text
}

// rig is what a row runs on: a client with nothing but defaults (and full
// jitter always at its longest) in front of an in-memory network.
type rig struct {
	*testing.T
	network *aplombtest.Network
	api     *api            // at http://api.test and https://api.test
	base    *http.Transport // the client's; its dials are counted
	url     string
	client  *aplomb.Client
	done    aplomb.CallEvent // the last call's

	// linger is how long net/http goes on dialling for a call that has gone;
	// the timeouts of dial and handshake bound it.
	linger time.Duration
	ledger ledger
}

// caller makes the row's call.
type caller func(*rig) error

// run runs a row in a bubble of its own.
func (row faultRow) run(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newRig(t, row.steps...)
		if row.crowd != nil {
			row.crowd(m)
			m.settle()
			return
		}
		if row.inject != nil {
			row.inject(m)
		}
		if m.client == nil {
			m.connect(row.opts...)
		}
		call := row.call
		if call == nil {
			call = getOrder
		}
		start := time.Now()
		err := call(m)
		took := time.Since(start)
		row.want.check(m, err, took)
		if row.also != nil {
			row.also(m, err)
		}
		m.settle()
	})
}

func newRig(t *testing.T, steps ...http.HandlerFunc) *rig {
	t.Helper()
	if len(steps) == 0 {
		steps = []http.HandlerFunc{ok}
	}
	m := &rig{T: t, network: aplombtest.NewNetwork(t), api: script(steps...), url: "http://api.test"}
	m.ledger.changed = sync.NewCond(&m.ledger.mu)
	m.network.Serve("http://api.test", m.api)
	m.network.Serve("https://api.test", m.api)
	m.base = m.network.Transport()
	return m
}

// connect makes the client, once the row has set up its fault.
func (m *rig) connect(opts ...aplomb.Option) {
	m.base.DialContext = m.ledger.watchDials(m.base.DialContext)
	m.client = fixedJitter(newClientAt(m.T, m.url, append([]aplomb.Option{
		aplomb.Name("test"), aplomb.Transport(m.base), aplomb.PerAttempt(m.ledger.watchBodies),
		aplomb.Hooks{CallDone: m.callDone},
	}, opts...)...), 1)
}

func (m *rig) callDone(_ context.Context, e aplomb.CallEvent) {
	m.ledger.mu.Lock() // a crowd's calls end together
	defer m.ledger.mu.Unlock()
	m.done = e
}

func (want outcome) check(m *rig, err error, took time.Duration) {
	m.Helper()
	synctest.Wait() // a connection closes a moment after its body
	waits := m.api.gaps()
	if want.requests == 0 {
		waits = m.ledger.gaps()
	}
	if want.attempts == 0 {
		want.attempts = want.requests
	}
	want.attempts = max(want.attempts, 0)
	open, dials := m.ledger.count()
	assert.Equal(m.T, m.api.count(), want.requests, "requests")
	assert.Equal(m.T, waits, want.waits, "waits")
	assert.Equal(m.T, took, want.takes, "time")
	assert.Equal(m.T, dials, want.dials, "dials")
	assert.Equal(m.T, open, want.kept, "connections kept")
	assert.Equal(m.T, m.done.Status, want.status, "status")
	assert.Equal(m.T, m.done.Attempts, want.attempts, "attempts")
	assert.Equal(m.T, typeOf(err), want.err, "the error's type, of", err)
	if want.is != nil {
		assert.ErrorIs(m.T, err, want.is)
	}
	for _, text := range want.says {
		assert.Contains(m.T, fmt.Sprint(err), text)
	}
}

// pause is time.Sleep for injectors, which run in the rows' bubbles and nowhere
// else: there it costs nothing. A bubble begins in the year 2000.
func pause(d time.Duration) {
	if time.Now().Year() > 2010 {
		panic("a sleep on the wall clock")
	}
	time.Sleep(d)
}

func typeOf(err error) string {
	switch err.(type) { //nolint:errorlint // the error itself is the contract
	case nil:
		return ""
	case *aplomb.APIError:
		return "APIError"
	case *aplomb.CallError:
		return "CallError"
	case *aplomb.DecodeError:
		return "DecodeError"
	default:
		return fmt.Sprintf("%T", err)
	}
}

// settle holds every row to law 8: each body, sent or received, was closed, and
// each connection is either closed or idle. The bubble itself fails if a goroutine
// is left.
func (m *rig) settle() {
	m.Helper()
	time.Sleep(m.linger)
	synctest.Wait()
	m.ledger.mu.Lock()
	assert.Equal(m.T, m.ledger.bodies, 0, "bodies left open")
	m.ledger.mu.Unlock()
	m.client.CloseIdleConnections()
	synctest.Wait()
	open, _ := m.ledger.count()
	assert.Equal(m.T, open, 0, "connections neither closed nor idle")
}

// ledger counts what a row opens and closes.
type ledger struct {
	mu      sync.Mutex
	changed *sync.Cond
	dials   []time.Time
	conns   int // open
	bodies  int // open
}

func (l *ledger) watchDials(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		l.mu.Lock()
		l.dials = append(l.dials, time.Now())
		l.mu.Unlock()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &watchedConn{conn, l.open(&l.conns)}, nil
	}
}

// watchBodies is a PerAttempt middleware: all bodies that attempts send and
// bring pass it.
func (l *ledger) watchBodies(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil && r.Body != http.NoBody {
			r = l.watchUpload(r)
		}
		resp, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		resp.Body = l.watchBody(resp.Body)
		return resp, nil
	})
}

// watchUpload watches the request's body, and those that net/http opens in its
// place when it sends again by itself.
func (l *ledger) watchUpload(r *http.Request) *http.Request {
	own := r.WithContext(r.Context())
	own.Body = l.watchBody(r.Body)
	if r.GetBody != nil {
		own.GetBody = func() (io.ReadCloser, error) {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			return l.watchBody(body), nil
		}
	}
	return own
}

func (l *ledger) watchBody(body io.ReadCloser) io.ReadCloser {
	closed := l.open(&l.bodies)
	return &hookedBody{Reader: body, close: func() { closed(); _ = body.Close() }}
}

// open counts one more of n and returns what counts it closed, once.
func (l *ledger) open(n *int) (closed func()) {
	l.add(n, 1)
	return sync.OnceFunc(func() { l.add(n, -1) })
}

func (l *ledger) add(n *int, by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*n += by
	l.changed.Broadcast()
}

func (l *ledger) count() (open, dials int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns, len(l.dials)
}

func (l *ledger) gaps() (gaps []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 1; i < len(l.dials); i++ {
		gaps = append(gaps, l.dials[i].Sub(l.dials[i-1]))
	}
	return gaps
}

type watchedConn struct {
	net.Conn
	closed func()
}

func (c *watchedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// typed is a typed call.
func typed(method string, opts ...aplomb.CallOption) caller {
	return func(m *rig) error {
		_, err := aplomb.Call[order](context.Background(), m.client, method, "/v1/orders", opts...)
		return err
	}
}

var (
	getOrder  = typed("GET")
	postOrder = typed("POST", aplomb.JSON(order{Amount: 25}))
	postKeyed = typed("POST", aplomb.JSON(order{Amount: 25}), aplomb.IdempotencyKey("order-1"))
)

// stream takes net/http's door and reads the body as it comes, so that its
// failure is the caller's.
func stream(m *rig) error {
	return m.do("GET", nil)
}

func (m *rig) do(method string, body io.Reader) error {
	req, err := http.NewRequestWithContext(context.Background(), method, m.url+"/v1/orders", body)
	if err != nil {
		return err
	}
	return m.send(req)
}

func (m *rig) send(req *http.Request) error {
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
