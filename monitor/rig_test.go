package monitor_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/monitor"
)

func TestMain(m *testing.M) { os.Exit(assert.Main(m)) }

// bubble runs f under virtual time.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

func newMonitor(t testing.TB, s monitor.Settings) *monitor.Monitor {
	t.Helper()
	m, err := monitor.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// api is an API that a monitored client calls.
type api struct {
	client *aplomb.Client
	answer atomic.Pointer[answer]
}

// answer is what it says, after wait; a status of 0 is 200.
type answer struct {
	status int
	wait   time.Duration
	header http.Header
}

func newAPI(t *testing.T, m *monitor.Monitor, opts ...aplomb.Option) *api {
	t.Helper()
	a := &api{}
	a.answer.Store(&answer{})
	server := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := a.answer.Load()
		time.Sleep(now.wait)
		maps.Copy(w.Header(), now.header)
		if now.status != 0 {
			w.WriteHeader(now.status)
			return
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	opts = append([]aplomb.Option{aplomb.Name("orders"), aplomb.Transport(server.Transport()), m.Option()}, opts...)
	c, err := aplomb.New(server.URL, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	a.client = c
	return a
}

// alone has each failure be a call's: nothing is tried again, and no circuit opens.
func alone() aplomb.Option { return aplomb.Options(aplomb.NoRetry(), aplomb.NoBreaker()) }

func (a *api) get(ctx context.Context, path string, opts ...aplomb.CallOption) error {
	_, err := aplomb.Get[struct{}](ctx, a.client, path, opts...)
	return err
}

// load makes a call each so often for a time, of which every so many-th fails; 0 is none.
func (a *api) load(t *testing.T, lasts, every time.Duration, failing int) {
	t.Helper()
	for n := range int(lasts / every) {
		next := *a.answer.Load()
		next.status = 0
		if failing > 0 && n%failing == 0 {
			next.status = 500
		}
		a.answer.Store(&next)
		_ = a.get(t.Context(), "/v1/orders/{id}", aplomb.Path("id", strconv.Itoa(n)))
		time.Sleep(every - a.answer.Load().wait)
	}
}

// see asks for the page.
func see(m *monitor.Monitor, query string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/debug/aplomb/"+query, http.NoBody)
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Accept", "text/html")
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	m.Page().ServeHTTP(w, r)
	return w
}

// pass lets time go by, in a bubble.
func pass(d time.Duration) { time.Sleep(d) }
