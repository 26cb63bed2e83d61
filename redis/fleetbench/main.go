// Command fleetbench measures aplomb.Fleet with a real Redis: four processes of
// eight workers share the quota of one server on loopback, a bucket of 10 that
// fills with 200 a second. It prints the share of the quota that was used and
// the share of answers that were refusals, but for the first second; then what
// calls take while Redis is stopped. It needs redis-server or valkey-server in
// PATH:
//
//	go run ./fleetbench
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aplomb-go/aplomb"
	aplombredis "github.com/aplomb-go/aplomb/redis"
	"github.com/redis/go-redis/v9"
)

const (
	processes = 4
	workers   = 8
	perSecond = 200.0
	burst     = 10.0
	lasts     = 8 * time.Second
)

func main() {
	url := flag.String("url", "", "be a replica that calls this server")
	socket := flag.String("redis", "", "the Redis that a replica uses")
	told := flag.Float64("told", 0, "the rate that a replica is told")
	each := flag.Duration("each", 0, "the time between a worker's calls; 0 is none")
	only := flag.String("only", "", "measure only what begins so")
	flag.Parse()
	var err error
	if *url != "" {
		err = replica(*url, *socket, *told, *each)
	} else {
		err = run(*only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a command says so when it failed
	}
}

// result is what a replica reports.
type result struct {
	Failed int
	Calls  []call
}

type call struct {
	Start, Took time.Duration // since the replica's start
}

// replica keeps its workers busy and prints what came of it.
func replica(url, socket string, told float64, each time.Duration) error {
	opts := []aplomb.Option{aplomb.RateLimit{PerSecond: told}}
	if told > 0 {
		opts[0] = aplomb.RateLimit{PerSecond: told, Burst: 2}
	}
	if socket != "" {
		rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, ContextTimeoutEnabled: true, MaxRetries: -1})
		opts = append(opts, aplomb.Fleet{Store: aplombredis.Store{Client: rdb}, Prefix: strconv.Itoa(os.Getppid())})
	}
	c, err := aplomb.New(url, opts...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background()) // a deadline would have the last calls refused early
	defer time.AfterFunc(lasts, cancel).Stop()
	defer cancel()
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		r     result
	)
	began := time.Now()
	for range workers {
		group.Go(func() {
			ticks := time.NewTicker(max(1, each))
			defer ticks.Stop()
			for ctx.Err() == nil {
				if each > 0 {
					<-ticks.C
				}
				start := time.Now()
				_, err := aplomb.Get[struct{}](ctx, c, "/x")
				mu.Lock()
				if err != nil && ctx.Err() == nil {
					r.Failed++
				}
				r.Calls = append(r.Calls, call{start.Sub(began), time.Since(start)})
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// run starts a Redis and measures.
func run(only string) error {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	srv, socket, err := startRedis(dir)
	if err != nil {
		return err
	}
	defer func() {
		_ = srv.Process.Kill()
		_ = srv.Wait() // reports the kill
	}()
	for _, s := range []struct {
		name   string
		told   float64
		speaks func(h http.Header, left int, full time.Duration)
	}{
		{"(a) told 200/s", perSecond, nil},
		{"(b) told nothing, RateLimit-Policy", 0, func(h http.Header, left int, full time.Duration) {
			h.Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%v;w=1`, perSecond))
			h.Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, left, whole(full)))
		}},
		{"(c) told nothing, X-RateLimit-*", 0, func(h http.Header, left int, full time.Duration) {
			h.Set("X-Ratelimit-Limit", fmt.Sprint(perSecond))
			h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
			h.Set("X-Ratelimit-Reset", strconv.Itoa(whole(full)))
		}},
		{"(d) told nothing, only Retry-After", 0, nil},
	} {
		if !strings.HasPrefix(s.name, only) {
			continue
		}
		if err := measureShare(s.name, &bucket{speaks: s.speaks, tokens: burst}, socket, s.told); err != nil {
			return err
		}
		if err := measureShare("    without Fleet", &bucket{speaks: s.speaks, tokens: burst}, "", s.told); err != nil {
			return err
		}
	}
	if only != "" {
		return nil
	}
	return measureStop(srv, socket)
}

func startRedis(dir string) (*exec.Cmd, string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if path, err = exec.LookPath("valkey-server"); err != nil {
			return nil, "", fmt.Errorf("fleetbench needs a Redis: %w", err)
		}
	}
	socket := filepath.Join(dir, "s")
	srv := exec.Command(path, //nolint:gosec // found in PATH, on purpose
		"--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := srv.Start(); err != nil {
		return nil, "", err
	}
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: 20})
	defer func() { _ = rdb.Close() }()
	return srv, socket, rdb.Ping(context.Background()).Err()
}

// replicas runs the processes against h and returns what they report.
func replicas(h http.Handler, args ...string) (all []result, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	results := make(chan result, processes)
	failures := make(chan error, processes)
	for range processes {
		go func() {
			cmd := exec.Command(self, //nolint:gosec // this program
				append([]string{"-url", srv.URL}, args...)...)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			var r result
			if err == nil {
				err = json.Unmarshal(out, &r)
			}
			failures <- err
			results <- r
		}()
	}
	for range processes {
		if failed := <-failures; failed != nil {
			err = failed
		}
		all = append(all, <-results)
	}
	return all, err
}

func measureShare(name string, b *bucket, socket string, told float64) error {
	all, err := replicas(b, "-redis", socket, "-told", fmt.Sprint(told))
	if err != nil {
		return err
	}
	failed, parts := 0, []int{}
	for _, r := range all {
		failed += r.Failed
		parts = append(parts, len(r.Calls))
	}
	good, bad := 0, 0
	last := int(lasts / time.Second)
	for second := 1; second < last; second++ {
		good += b.good[second]
		bad += b.refused[second]
	}
	_, _ = fmt.Fprintf(os.Stdout, "%-36s used %5.1f %%, refused %5.2f %%; calls by process %v, failed %d\n    by second: good %v refused %v\n",
		name, 100*float64(good)/perSecond/float64(last-1), 100*float64(bad)/float64(max(1, good+bad)), parts, failed, b.good[:last], b.refused[:last])
	return nil
}

// measureStop tells what calls take without a fleet, with one, and with one
// whose Redis is stopped.
func measureStop(srv *exec.Cmd, socket string) error {
	unlimited := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK) })
	plain, err := replicas(unlimited, "-each", "40ms")
	if err != nil {
		return err
	}
	timer := time.AfterFunc(lasts/2, func() { _ = srv.Process.Signal(syscall.SIGSTOP) }) // from the second half on
	defer timer.Stop()
	stopped, err := replicas(unlimited, "-each", "40ms", "-redis", socket)
	if err != nil {
		return err
	}
	show("without a fleet", plain, 0, lasts)
	show("with one", stopped, 0, lasts/2-500*time.Millisecond)
	show("Redis stopped", stopped, lasts/2-500*time.Millisecond, lasts)
	return nil
}

func show(name string, all []result, from, to time.Duration) {
	var took []time.Duration
	failed := 0
	for _, r := range all {
		failed += r.Failed
		for _, c := range r.Calls {
			if c.Start >= from && c.Start < to {
				took = append(took, c.Took)
			}
		}
	}
	slices.Sort(took)
	if len(took) == 0 {
		return
	}
	at := func(share float64) time.Duration {
		return took[int(share*float64(len(took)-1))].Round(time.Microsecond)
	}
	_, _ = fmt.Fprintf(os.Stdout, "%-16s %5d calls, failed %d: p50 %v, p99 %v, max %v\n", name, len(took), failed, at(0.5), at(0.99), at(1))
}

// bucket is a server that enforces a token bucket.
type bucket struct {
	speaks func(h http.Header, left int, full time.Duration)

	mu            sync.Mutex
	tokens        float64
	start, at     time.Time
	good, refused [60]int // by second
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.start.IsZero() {
		b.start, b.at = now, now
	}
	b.tokens = min(burst, b.tokens+perSecond*now.Sub(b.at).Seconds())
	b.at = now
	second := min(int(now.Sub(b.start)/time.Second), len(b.good)-1)
	status := http.StatusOK
	if b.tokens < 1 {
		status = http.StatusTooManyRequests
		b.refused[second]++
		w.Header().Set("Retry-After", "1")
	} else {
		b.good[second]++
		b.tokens--
	}
	if b.speaks != nil {
		b.speaks(w.Header(), int(b.tokens), time.Duration((burst-b.tokens)/perSecond*float64(time.Second)))
	}
	answer(w, status)
}

func answer(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("{}"))
}

// whole is d in seconds, rounded up.
func whole(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
