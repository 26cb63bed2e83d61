package transfer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/transfer"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	bubble(t, "is exact at a steady pace", func(t *testing.T) {
		f, tell := &file{data: bytesOf(10_000), tag: tag, chunk: 1000, pause: 50 * time.Millisecond}, &events{}
		_, err := transfer.Download{Client: client(t, f), Path: "/f", Label: "export", Progress: tell.add}.To(t.Context(), io.Discard)
		assert.NoError(t, err)
		tell.truthful(t)
		var got []string
		for _, p := range tell.all {
			got = append(got, fmt.Sprintf("%v: %s %d/%d %.0f %v", p.Elapsed, p.Label, p.Done, p.Total, p.Rate, p.ETA))
		}
		assert.Equal(t, strings.Join(got, "\n"), strings.Join([]string{
			"0s: export 0/-1 0 -1ns",
			"100ms: export 2000/10000 20000 400ms",
			"200ms: export 4000/10000 20000 300ms",
			"300ms: export 6000/10000 20000 200ms",
			"400ms: export 8000/10000 20000 100ms",
			"500ms: export 10000/10000 20000 0s",
			"500ms: export 10000/10000 20000 0s",
		}, "\n"))
	})
	bubble(t, "has the rate fall where nothing comes", func(t *testing.T) {
		f, tell := &file{data: bytesOf(2000), tag: tag, chunk: 1000, pause: time.Second}, &events{}
		_, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.To(t.Context(), io.Discard)
		assert.NoError(t, err)
		assert.Equal(t, tell.last().Rate, 1000)
		f.pause, f.data = 0, bytesOf(3_000)
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			for i, wait := range []time.Duration{time.Second, 3 * time.Second, 50 * time.Millisecond} {
				pause(wait)
				_, _ = w.Write(f.data[i*1000 : i*1000+1000])
				_ = http.NewResponseController(w).Flush()
			}
			return true
		}
		*tell = events{}
		_, err = transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.To(t.Context(), io.Discard)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("%.1f", tell.last().Rate), "578.6") // 1000 + (1000/3 - 1000) * (1 - 1/e)
	})
	bubble(t, "has the rate fall also where nothing came before the connection broke", func(t *testing.T) {
		f, tell := &file{data: bytesOf(2000), tag: tag}, &events{}
		f.each = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") != "" {
				return false
			}
			pause(time.Second)
			w.Header().Set("Content-Length", "2000")
			_, _ = w.Write(f.data[:1000])
			_ = http.NewResponseController(w).Flush()
			pause(9 * time.Second)
			panic(http.ErrAbortHandler)
		}
		_, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.To(t.Context(), io.Discard)
		assert.NoError(t, err)
		for _, p := range tell.all {
			if p.Broken != nil {
				assert.Equal(t, fmt.Sprintf("%v %.1f %v", p.Elapsed, p.Rate, p.ETA.Round(time.Second)), "10s 49.8 20s") // 1000 / e^3
			}
		}
	})
	bubble(t, "says why a connection broke, without what it carried", func(t *testing.T) {
		f, tell := &file{data: bytesOf(5000), tag: tag, cuts: []int{100}}, &events{}
		_, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.To(t.Context(), io.Discard)
		assert.NoError(t, err)
		var broken []error
		for _, p := range tell.all {
			if p.Broken != nil {
				broken = append(broken, p.Broken)
			}
		}
		assert.Equal(t, fmt.Sprint(broken), "[unexpected EOF]")
		assert.ErrorIs(t, broken[0], io.ErrUnexpectedEOF)
	})
}

// leaky breaks each body with an error that says what was asked for.
type leaky struct{ next http.RoundTripper }

func (l leaky) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err == nil && r.Header.Get("Range") == "" {
		body := resp.Body
		resp.Body = closer{io.MultiReader(io.LimitReader(body, 100), failing{fmt.Errorf("read %v: reset", r.URL)}), func() { _ = body.Close() }}
	}
	return resp, err
}

func TestBrokenIsSafe(t *testing.T) {
	t.Parallel()
	bubble(t, "in an event", func(t *testing.T) {
		f := &file{data: bytesOf(5000), tag: tag}
		s := aplombtest.NewServer(t, f)
		c, err := aplomb.New(s.URL, aplomb.Transport(leaky{s.Transport()}))
		assert.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		n := 0
		d := transfer.Download{Client: c, Path: "/f", Options: []aplomb.CallOption{aplomb.Query("api_key", "sk_test_"+"abc")}, Progress: func(p transfer.Progress) {
			if p.Broken != nil {
				n++
				assert.Contains(t, p.Broken.Error(), "reset")
				assert.NotContains(t, p.Broken.Error(), "sk_test_")
			}
		}}
		_, err = d.To(t.Context(), io.Discard)
		assert.NoError(t, err)
		assert.Equal(t, n, 1)
	})
}

// TestParallel: each connection gets its share, so four are four times as fast.
func TestParallel(t *testing.T) {
	transfer.ParallelFrom(2 << 20)
	t.Cleanup(func() { transfer.ParallelFrom(64 << 20) })
	t.Run("pays", func(t *testing.T) {
		took := map[int]time.Duration{}
		for _, n := range []int{1, 4} {
			bubbleNow(t, strconv.Itoa(n), func(t *testing.T) {
				f, name, tell := &file{data: bytesOf(4 << 20), tag: tag, chunk: 32 << 10, pause: 100 * time.Millisecond}, target(t), &events{}
				start := time.Now()
				got, err := transfer.Download{Client: client(t, f), Path: "/f", Parallel: n, Progress: tell.add}.ToFile(t.Context(), name)
				took[n] = time.Since(start)
				assert.NoError(t, err)
				assert.Equal(t, fmt.Sprint(got), "{4194304 0 0 0 []}")
				holds(t, name, f.data)
				tell.truthful(t)
				assert.Equal(t, len(f.asked()), n)
			})
		}
		assert.Equal(t, took[1], 12800*time.Millisecond)
		assert.Equal(t, took[4], 3300*time.Millisecond) // the others begin when the first has its answer
	})
	bubbleNow(t, "breaks and goes on, each by itself", func(t *testing.T) {
		f, name, tell := &file{data: bytesOf(4 << 20), tag: tag, cuts: []int{1000, 500_000, 200_000, 3, 100_000, 7}}, target(t), &events{}
		got, err := transfer.Download{Client: client(t, f), Path: "/f", Parallel: 4, Progress: tell.add}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Breaks, 6)
		holds(t, name, f.data)
		tell.truthful(t)
		assert.Equal(t, tell.last().Attempt, 7)
	})
	bubbleNow(t, "goes on in the next run with what is missing", func(t *testing.T) {
		f, name := &file{data: bytesOf(4 << 20), tag: tag, cuts: []int{600_000, 500_000, 1, 1 << 20}}, target(t)
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			if len(f.asked()) > 4 {
				w.WriteHeader(403)
				return true
			}
			return false
		}
		d := transfer.Download{Client: client(t, f), Path: "/f", Parallel: 4}
		_, err := d.ToFile(t.Context(), name)
		assert.Equal(t, aplomb.StatusCode(err), 403)
		state, err := os.ReadFile(name + ".part.json")
		assert.NoError(t, err)
		f.each, f.seen = nil, nil
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.True(t, got.Resumed > 0 && got.Resumed < 4<<20, got.Resumed, string(state))
		holds(t, name, f.data)
		for _, asked := range f.asked() {
			assert.Contains(t, asked, tag)
		}
	})
	for what, f := range map[string]*file{
		"nothing names the bytes": {data: bytesOf(4 << 20), header: []string{"ETag", "W/" + tag}},
		"it is not much":          {data: bytesOf(2<<20 - 1), tag: tag},
	} {
		bubbleNow(t, "is none where "+what, func(t *testing.T) {
			name := target(t)
			_, err := transfer.Download{Client: client(t, f), Path: "/f", Parallel: 4}.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, len(f.asked()), 1)
			holds(t, name, f.data)
		})
	}
	bubbleNow(t, "is none into a writer", func(t *testing.T) {
		f := &file{data: bytesOf(4 << 20), tag: tag}
		var buf bytes.Buffer
		_, err := transfer.Download{Client: client(t, f), Path: "/f", Parallel: 4}.To(t.Context(), &buf)
		assert.NoError(t, err)
		assert.True(t, bytes.Equal(buf.Bytes(), f.data))
		assert.Equal(t, len(f.asked()), 1)
	})
	bubbleNow(t, "waits for a place", func(t *testing.T) {
		f, name := &file{data: bytesOf(4 << 20), tag: tag, chunk: 64 << 10, pause: 100 * time.Millisecond}, target(t)
		c := client(t, f, aplomb.Bulkhead{MaxInFlight: 1, MaxWait: time.Second})
		got, err := transfer.Download{Client: c, Path: "/f", Parallel: 2}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.True(t, got.Breaks > 0, "the second had no place within a second")
		holds(t, name, f.data)
	})
	bubbleNow(t, "takes up what one connection has left", func(t *testing.T) {
		f, name := &file{data: bytesOf(4 << 20), tag: tag}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		half(t, f, d, name)
		d.Parallel = 4
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 2<<20)
		assert.Equal(t, len(f.asked()), 4)
		holds(t, name, f.data)
	})
	bubbleNow(t, "starts anew where the file changes under it", func(t *testing.T) {
		f, name, tell := &file{data: bytesOf(4 << 20), tag: tag, chunk: 64 << 10, pause: 10 * time.Millisecond}, target(t), &events{}
		c := client(t, f, aplomb.Bulkhead{MaxInFlight: 4})
		go func() {
			pause(55 * time.Millisecond)
			f.mu.Lock()
			f.cuts = []int{0}
			f.mu.Unlock()
			f.set(bytesOf(5 << 20)[1<<20:], `"v2"`)
		}()
		f.cuts = []int{0, 300_000}
		_, err := transfer.Download{Client: c, Path: "/f", Parallel: 4, Progress: tell.add}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
		assert.Equal(t, fmt.Sprint(tell.restarted()), "[the file has changed]")
		tell.truthful(t)
	})
	bubbleNow(t, "ends for all where it ends for one", func(t *testing.T) {
		f, name := &file{data: bytesOf(4 << 20), tag: tag}, target(t)
		f.each = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			w.Header().Set("Accept-Ranges", "bytes")
			w.Header().Set("Content-Length", strconv.Itoa(len(f.data)))
			_, _ = w.Write(f.data[:1000])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // the first connection says no more
			return true
		}
		start := time.Now()
		_, err := transfer.Download{Client: client(t, f), Path: "/f", Parallel: 2}.ToFile(t.Context(), name)
		assert.Equal(t, aplomb.StatusCode(err), http.StatusForbidden)
		assert.Equal(t, time.Since(start), 0)
	})
	for what, header := range map[string][]string{"does not say that it knows ranges": {"Accept-Ranges", "none"}, "says so and does not": {"Accept-Ranges", "bytes"}} {
		bubbleNow(t, "is none where the server "+what, func(t *testing.T) {
			f, name := &file{data: bytesOf(4 << 20), tag: tag, header: header}, target(t)
			f.each = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Length", strconv.Itoa(len(f.data)))
				_, _ = w.Write(f.data)
				return true
			}
			got, err := transfer.Download{Client: client(t, f), Path: "/f", Parallel: 2}.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, got.Breaks, 0)
			holds(t, name, f.data)
			want := 1
			if header[1] == "bytes" {
				want = 3 // the first, the one beside it, and all of it again
			}
			assert.Equal(t, len(f.asked()), want, f.asked())
		})
	}
}

// TestRedirected: what makes a range safe follows to another origin, and nothing
// that could be secret does.
func TestRedirected(t *testing.T) {
	t.Parallel()
	bubble(t, "to where the files are", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag, cuts: []int{4000}}, target(t)
		f.each = func(_ http.ResponseWriter, r *http.Request) bool {
			assert.Equal(t, r.Header.Get("Authorization"), "")
			assert.Equal(t, r.Header.Get("Accept-Encoding"), "identity")
			return false
		}
		n := 0
		network := aplombtest.NewNetwork(t)
		network.Serve("http://files.test", f)
		network.Serve("http://api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, r.Header.Get("Authorization"), "Bearer sk_test_"+"abc")
			n++ // signed anew each time
			http.Redirect(w, r, fmt.Sprintf("http://files.test/f?sig=%d", n), http.StatusFound)
		}))
		c, err := aplomb.New("http://api.test", aplomb.Transport(network.Transport()), aplomb.Bearer(aplomb.Static("sk_test_"+"abc")))
		assert.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		got, err := transfer.Download{Client: c, Path: "/f"}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{10000 0 1 0 []}")
		assert.Equal(t, fmt.Sprintf("%q", f.asked()), `["" "bytes=4000- \"v1\""]`)
		holds(t, name, f.data)
	})
}

// taker is a server that takes bodies and refuses some.
type taker struct {
	mu       sync.Mutex // a request that was broken off may end beside the next
	statuses []int
	bodies   [][]byte
	whole    bool // the last was
	lengths  []int64
	kinds    []string
}

func (s *taker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = err == nil
	s.bodies, s.lengths, s.kinds = append(s.bodies, body), append(s.lengths, r.ContentLength), append(s.kinds, r.Header.Get("Content-Type"))
	if len(s.statuses) >= len(s.bodies) {
		w.WriteHeader(s.statuses[len(s.bodies)-1])
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	send := func(t *testing.T, s *taker, u transfer.Upload, opts ...aplomb.CallOption) error {
		t.Helper()
		_, err := aplomb.Put[struct{}](t.Context(), client(t, s), "/v1/f", append(opts, u.Body())...)
		return err
	}
	bubble(t, "tells of each attempt from its beginning", func(t *testing.T) {
		data, s, tell := bytesOf(200_000), &taker{statuses: []int{503, 503, 200}}, &events{}
		u := transfer.Upload{
			ContentType: "video/mp4", Label: "talk", Progress: tell.add,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
			Size: int64(len(data)),
		}
		assert.NoError(t, send(t, s, u))
		assert.Equal(t, fmt.Sprint(s.lengths, s.kinds), "[200000 200000 200000] [video/mp4 video/mp4 video/mp4]")
		assert.True(t, bytes.Equal(s.bodies[0], data) && bytes.Equal(s.bodies[1], data) && bytes.Equal(s.bodies[2], data))
		var got []string
		for _, p := range tell.all {
			got = append(got, fmt.Sprint(p.Label, p.Attempt, " ", p.Done, "/", p.Total, p.Complete))
		}
		assert.Equal(t, strings.Join(got, "\n"), strings.Join([]string{
			"talk1 0/200000 false", "talk1 200000/200000 true",
			"talk2 0/200000 false", "talk2 200000/200000 true",
			"talk3 0/200000 false", "talk3 200000/200000 true",
		}, "\n"))
	})
	bubble(t, "is exact at the server's pace", func(t *testing.T) {
		tell := &events{}
		slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 100_000)
			for range 10 {
				pause(time.Second)
				_, _ = io.ReadFull(r.Body, buf)
			}
		})
		u := transfer.Upload{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, 1_000_000))), nil }, Size: 1_000_000, Progress: tell.add}
		_, err := aplomb.Put[struct{}](t.Context(), client(t, slow), "/f", u.Body())
		assert.NoError(t, err)
		tell.truthful(t)
		assert.True(t, len(tell.all) >= 9, len(tell.all))
		for _, p := range tell.all {
			taken := int64(p.Elapsed/time.Second) * 100_000
			assert.True(t, p.Done >= taken && p.Done <= taken+300_000, p.Elapsed, p.Done) // no more ahead than the buffers in between
		}
	})
	bubble(t, "tells of the later of two bodies at once", func(t *testing.T) {
		tell := &events{}
		open := transfer.Bodies(transfer.Upload{Progress: tell.add, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(make([]byte, 100))), nil
		}, Size: 100})
		var bodies []io.ReadCloser
		for range 3 { // of which the first is never read
			b, err := open()
			assert.NoError(t, err)
			bodies = append(bodies, b)
		}
		for _, step := range []int{1, 2, 1, 2, 1} {
			_, err := io.ReadFull(bodies[step], make([]byte, 30))
			assert.NoError(t, err)
			pause(time.Second)
		}
		var got []string
		for _, p := range tell.all {
			got = append(got, fmt.Sprint(p.Attempt, ":", p.Done))
		}
		assert.Equal(t, strings.Join(got, " "), "1:0 2:0 2:60")
	})
	bubble(t, "is chunked where nobody knows how long it is", func(t *testing.T) {
		s, tell := &taker{}, &events{}
		u := transfer.Upload{Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }, Progress: tell.add}
		assert.NoError(t, send(t, s, u))
		assert.Equal(t, fmt.Sprint(s.lengths), "[-1]")
		assert.Equal(t, tell.all[0].Total, -1)
		assert.Equal(t, tell.last().Total, 3)
		tell.truthful(t)
	})
	for _, zip := range []bool{false, true} {
		for came, want := range map[int]string{500: "Upload: 1000 bytes were promised, and 500 came", 1500: "Upload: 1000 bytes were promised, and more came"} {
			bubble(t, fmt.Sprintf("of %d bytes in place of 1000 is an error, compressed: %v", came, zip), func(t *testing.T) {
				s, tell := &taker{}, &events{}
				u := transfer.Upload{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(bytesOf(came))), nil }, Size: 1000, Progress: tell.add}
				opts := []aplomb.CallOption{aplomb.NoRetry()}
				if zip {
					opts = append(opts, aplomb.Gzip())
				}
				assert.Contains(t, fmt.Sprint(send(t, s, u, opts...)), want)
				synctest.Wait()
				assert.True(t, !s.whole, "the server takes it for whole")
				for _, p := range tell.all {
					assert.True(t, !p.Complete && p.Total == 1000 && p.Done <= 1000, p.Done, p.Total)
				}
			})
		}
	}
	bubble(t, "of a file has its length", func(t *testing.T) {
		s, name := &taker{}, target(t)
		assert.NoError(t, os.WriteFile(name, bytesOf(5000), 0o600))
		assert.NoError(t, send(t, s, transfer.Upload{Open: func() (io.ReadCloser, error) { return os.Open(name) }}))
		assert.Equal(t, fmt.Sprint(s.lengths), "[5000]")
	})
	bubble(t, "of a pipe is chunked", func(t *testing.T) {
		s := &taker{}
		assert.NoError(t, send(t, s, transfer.Upload{Open: func() (io.ReadCloser, error) {
			r, w, err := os.Pipe()
			assert.NoError(t, err)
			_, err = w.WriteString("abc")
			return r, errors.Join(err, w.Close())
		}}))
		assert.Equal(t, fmt.Sprint(s.lengths, len(s.bodies[0])), "[-1] 3")
	})
	bubble(t, "goes on from where its file is", func(t *testing.T) {
		s, name := &taker{}, target(t)
		assert.NoError(t, os.WriteFile(name, bytesOf(5000), 0o600))
		assert.NoError(t, send(t, s, transfer.Upload{Open: func() (io.ReadCloser, error) {
			f, err := os.Open(name)
			assert.NoError(t, err)
			_, err = f.Seek(1000, io.SeekStart)
			return f, err
		}}))
		assert.Equal(t, fmt.Sprint(s.lengths, len(s.bodies[0])), "[4000] 4000")
	})
	bubble(t, "without an opener, or with one that fails, is the call's error", func(t *testing.T) {
		s := &taker{}
		assert.Contains(t, fmt.Sprint(send(t, s, transfer.Upload{})), "Upload.Open is nil")
		assert.Contains(t, fmt.Sprint(send(t, s, transfer.Upload{Open: func() (io.ReadCloser, error) { return nil, nil }})), "neither a body nor an error")
		_, missing := os.Open(target(t))
		assert.ErrorIs(t, send(t, s, transfer.Upload{Open: func() (io.ReadCloser, error) { return nil, missing }}), os.ErrNotExist)
		assert.Equal(t, len(s.bodies), 0)
	})
}
