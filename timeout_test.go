package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// Each default fires at its own moment, to the nanosecond, and says its name.
func TestTimeoutDefaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault aplombtest.Fault
		hang  bool
		after time.Duration
		say   string
	}{
		"connect":         {hang: true, after: 5 * time.Second, say: "connect timeout after 5s"},
		"response header": {fault: aplombtest.Stall(0), after: 30 * time.Second, say: "response header timeout after 30s"},
		"idle read":       {fault: aplombtest.StallBody(3, 0), after: 30 * time.Second, say: "idle read timeout after 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := aplombtest.NewNetwork(t)
				n.Serve("http://api.test", aplombtest.NewScript(ok).Always(tt.fault))
				if tt.hang {
					n.Break("api.test", aplombtest.DialHangs)
				}
				c := newClientAt(t, "http://api.test", aplomb.Transport(n.Transport()), aplomb.NoRetry())
				start := time.Now()
				_, err := get(t, c)
				assert.Equal(t, time.Since(start), tt.after)
				assert.Contains(t, err.Error(), tt.say)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				var timeout net.Error
				assert.True(t, errors.As(err, &timeout) && timeout.Timeout())
			})
		})
	}
}

// A TLS handshake that hangs ends after 5 s; nothing was sent, so even a POST
// is tried again.
func TestTimeoutTLS(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dials := 0
		hang := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials++
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs); _ = theirs.Close() }()
			return ours, nil
		}}
		c := fixedJitter(newClientAt(t, "https://api.test", aplomb.Transport(hang), aplomb.Retry{Attempts: 2}), 0)
		start := time.Now()
		_, err := post(t, c)
		assert.Contains(t, err.Error(), "TLS handshake timeout")
		assert.Equal(t, time.Since(start), 10*time.Second)
		assert.Equal(t, dials, 2)
		synctest.Wait()
	})
}

// Typed calls end after 60 s in all, unless the context has a deadline.
func TestTimeoutTotal(t *testing.T) {
	for name, tt := range map[string]struct {
		deadline time.Duration
		opts     []aplomb.CallOption
		want     time.Duration
	}{
		"default":            {want: 60 * time.Second},
		"Timeout":            {opts: []aplomb.CallOption{aplomb.Timeout(7 * time.Second)}, want: 7 * time.Second},
		"context's deadline": {deadline: 100 * time.Second, want: 100 * time.Second},
		"the earlier":        {deadline: 3 * time.Second, opts: []aplomb.CallOption{aplomb.Timeout(7 * time.Second)}, want: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := aplombtest.NewServer(t, aplombtest.NewScript(ok).Always(aplombtest.Stall(0)))
				c := newClient(t, s, aplomb.Timeouts{ResponseHeader: time.Hour})
				ctx := context.Background()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err := aplomb.Get[order](ctx, c, "/x", tt.opts...)
				assert.Equal(t, time.Since(start), tt.want)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

// A stream outlives every total; only its silence is bounded.
func TestTimeoutsLetStreamsLive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tick := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 200 {
				time.Sleep(29 * time.Second)
				_, _ = io.WriteString(w, "data: x\n\n")
				w.(http.Flusher).Flush()
			}
		}
		c := newClient(t, aplombtest.NewServer(t, script(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			tick(w, r)
		})))
		start := time.Now()
		resp, err := c.HTTPClient().Get("http://api.test/stream")
		assert.NoError(t, err)
		raw, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, strings.Count(string(raw), "data"), 200)
		assert.Equal(t, time.Since(start), 200*29*time.Second)
	})
}

// A long upload may last; a server that stops taking it may not.
func TestTimeoutOfUploads(t *testing.T) {
	slowly := func() (io.ReadCloser, error) { return io.NopCloser(&dripping{parts: 8, every: 10 * time.Second}), nil }
	bubbleCase(t, "steady", func(t *testing.T) {
		take := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); ok(w, r) }
		start := time.Now()
		_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, script(take))), "/x",
			aplomb.Body("text/plain", slowly), aplomb.Timeout(time.Hour))
		assert.NoError(t, err)
		assert.Equal(t, time.Since(start), 80*time.Second)
	})
	bubbleCase(t, "a source that is slow", func(t *testing.T) {
		take := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); ok(w, r) }
		open := func() (io.ReadCloser, error) { return io.NopCloser(&dripping{parts: 2, every: time.Minute}), nil }
		_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, script(take))), "/x",
			aplomb.Body("text/plain", open), aplomb.Timeout(time.Hour))
		assert.NoError(t, err)
	})
	bubbleCase(t, "a server that stops", func(t *testing.T) {
		stop := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		endless := func() (io.ReadCloser, error) { return io.NopCloser(&dripping{parts: 1 << 30}), nil }
		start := time.Now()
		_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, script(stop)), aplomb.NoRetry()), "/x",
			aplomb.Body("text/plain", endless), aplomb.Timeout(time.Hour))
		assert.Contains(t, fmt.Sprint(err), "response header timeout after 30s")
		assert.Equal(t, time.Since(start), 30*time.Second)
	})
}

// dripping is a body that comes in parts, each after a while.
type dripping struct {
	parts int
	every time.Duration
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.parts == 0 {
		return 0, io.EOF
	}
	d.parts--
	time.Sleep(d.every)
	return len(p), nil
}

// Fetching a credential costs the attempt no time.
func TestTimeoutStartsAfterTheCredential(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := aplomb.SecretFunc(func(context.Context) (string, error) { time.Sleep(29 * time.Second); return "token", nil })
		late := func(w http.ResponseWriter, r *http.Request) { time.Sleep(29 * time.Second); ok(w, r) }
		c := newClient(t, aplombtest.NewServer(t, script(late)), aplomb.Bearer(slow))
		_, err := get(t, c)
		assert.NoError(t, err)
	})
}

// A per-call Timeout holds on net/http's doors too, and ends with the body.
func TestTimeoutOnDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := aplombtest.NewServer(t, aplombtest.NewScript(ok).Always(aplombtest.StallBody(3, 0)))
		c := newClient(t, s)
		ctx := aplomb.NewContext(context.Background(), aplomb.Timeout(2*time.Second))
		req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		start := time.Now()
		resp, err := c.HTTPClient().Do(req)
		assert.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, time.Since(start), 2*time.Second)
	})
}
