package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
)

// TestRun has the page and the metrics there as long as the context lasts, and nothing
// after it: no call that waits, no server.
func TestRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, out, "127.0.0.1:0")
		_ = out.Close() // it has written its last
	}()
	lines := bufio.NewScanner(said)
	if !lines.Scan() {
		t.Fatal(<-ended)
	}
	address, found := strings.CutPrefix(lines.Text(), "live page: ")
	if !found {
		t.Fatalf("the first line is %q", lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()

	for path, want := range map[string]string{"": "warehouse", "metrics": `aplomb_calls_total{client="warehouse",operation="GET /v1/shelves/{id}",outcome="ok"}`} {
		eventually(t, "/"+path+" shows "+want, func() bool { return strings.Contains(get(t, address+path), want) })
	}

	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("run goes on after its context has ended")
	}
	if left := ours(); len(left) > 0 {
		t.Errorf("run has left its own behind:\n%s", strings.Join(left, "\n\n"))
	}
	eventually(t, "the connections end as well", func() bool { return len(goroutines("net/http.")) == 0 })
}

// TestRunTakenAddress: what cannot listen says so, and leaves nothing.
func TestRunTakenAddress(t *testing.T) {
	if err := run(t.Context(), io.Discard, "127.0.0.1:-1"); err == nil {
		t.Error("no error for an address that is none")
	}
	if left := ours(); len(left) > 0 {
		t.Errorf("run has left its own behind:\n%s", strings.Join(left, "\n\n"))
	}
}

// slow answers nothing, and takes a second to give a request up.
type slow struct{ underWay atomic.Int32 }

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.underWay.Add(1)
	defer s.underWay.Add(-1)
	<-r.Context().Done()
	time.Sleep(time.Second)
	return nil, r.Context().Err()
}

// TestOrders: the calls under way end before it returns, whatever ends it.
func TestOrders(t *testing.T) {
	gone := errors.New("the page is gone")
	for name, tt := range map[string]struct {
		end  func(stop func(), ended chan<- error)
		want error
	}{
		"its context": {func(stop func(), _ chan<- error) { stop() }, nil},
		"the page":    {func(_ func(), ended chan<- error) { ended <- gone }, gone},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := &slow{}
				c, err := aplomb.New("https://warehouse.example", aplomb.Transport(transport))
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				ended, began := make(chan error, 1), time.Now()
				time.AfterFunc(time.Second, func() {
					if transport.underWay.Load() < 10 {
						t.Error("a call that waits holds up the others")
					}
					tt.end(stop, ended)
				})
				if err := orders(ctx, c, ended); !errors.Is(err, tt.want) {
					t.Errorf("it ended with %v, want %v", err, tt.want)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("it took %v: the calls have not been told to end", took)
				}
				if n := transport.underWay.Load(); n != 0 {
					t.Errorf("%d calls are under way still", n)
				}
			})
		})
	}
}

// ours are the goroutines that run started, and has to wait for.
func ours() []string {
	return goroutines("monitoring.order", "monitoring.run.", "monitoring.newWarehouse", "aplomb.Get[")
}

// goroutines are those with one of the names in their stacks.
func goroutines(names ...string) (found []string) {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		for _, name := range names {
			if strings.Contains(stack, name) {
				found = append(found, stack)
				break
			}
		}
	}
	return found
}

func get(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", address, resp.Status)
	}
	return string(body)
}

// eventually waits for what is to come true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within twenty seconds: %s\n%s", what, strings.Join(goroutines("net/http."), "\n\n"))
		case <-tick.C:
		}
	}
}
