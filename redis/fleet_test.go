package redis_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aplomb-go/aplomb"
	aplombredis "github.com/aplomb-go/aplomb/redis"
)

// Three replicas call with four workers each while Redis is there, goes in the
// middle of their calls, is away, and comes back: no call fails, and all go on.
func TestFleetOutlivesRedis(t *testing.T) {
	t.Parallel()
	for name, phases := range map[string][]func(*server){
		"it is there": {nothing, nothing},
		"killed and started again": {
			func(s *server) { s.kill() }, nothing, func(s *server) { s.start() }, nothing,
		},
		"stopped and continued": {
			func(s *server) { s.signal(syscall.SIGSTOP) }, nothing, func(s *server) { s.signal(syscall.SIGCONT) }, nothing,
		},
	} {
		for _, limit := range []aplomb.RateLimit{{PerSecond: 400, Burst: 4}, {}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				srv := startServer(t)
				clients := replicas(t, srv, limit)
				for _, phase := range phases {
					callAll(t, clients, func() { phase(srv) })
				}
			})
		}
	}
}

func nothing(*server) {}

// replicas makes three clients of one API that share srv.
func replicas(t *testing.T, srv *server, limit aplomb.RateLimit) (all []*aplomb.Client) {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(api.Close)
	for range 3 {
		c, err := aplomb.New(api.URL, aplomb.NoRetry(), limit, aplomb.Fleet{Store: aplombredis.Store{Client: srv.client()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseIdleConnections)
		all = append(all, c)
	}
	return all
}

// callAll makes 40 calls with each client; after half of them all something
// happens.
func callAll(t *testing.T, clients []*aplomb.Client, happens func()) {
	t.Helper()
	const workers, calls = 4, 10
	half := int32(len(clients) * workers * calls / 2)
	var made atomic.Int32
	var group sync.WaitGroup
	for i, c := range clients {
		for range workers {
			group.Go(func() {
				for range calls {
					if _, err := aplomb.Get[struct{}](t.Context(), c, "/x"); err != nil {
						t.Errorf("replica %d: %v", i, err)
					}
					if made.Add(1) == half {
						happens()
					}
				}
			})
		}
	}
	group.Wait()
}
