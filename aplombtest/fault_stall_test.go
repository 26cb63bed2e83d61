package aplombtest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// Of 16 MiB a bare connection can send no more than what the buffers hold, until
// the stall is over.
func TestStallUpload(t *testing.T) {
	t.Parallel()
	const size, head = 16 << 20, "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 16777216\r\n\r\n"
	onBothNetworks(t, func(t *testing.T, s *scene) {
		c := s.ask(t, head)
		defer c.Close()
		start, body := time.Now(), make([]byte, size)
		assert.NoError(t, c.SetWriteDeadline(start.Add(20*time.Millisecond)))
		sent, err := c.Write(body)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.True(t, sent < size, "sent before the end of the stall:", sent)
		if s.exact { // 64 KiB, and what http.Server's 4 KiB may have taken along with the head
			assert.True(t, sent >= 64<<10 && sent < 68<<10, sent)
		}
		assert.NoError(t, c.SetWriteDeadline(time.Time{}))
		_, err = c.Write(body[sent:])
		assert.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		assert.NoError(t, err)
		assert.Equal(t, res.StatusCode, 201)
		if s.exact {
			assert.Equal(t, time.Since(start), time.Second)
		}
		assert.Equal(t, s.effect.n.Load(), 1)
	}, aplombtest.StallUpload(time.Second))
}

// TestStallUploadUntilTheClientLeaves: on a Server it is noticed although nobody
// reads, with both protocols, whichever way the client leaves.
func TestStallUploadUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	for name, newServer := range map[string]func(testing.TB, http.Handler) *aplombtest.Server{
		"HTTP/1": aplombtest.NewServer, "HTTP/2": aplombtest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				effect := new(effects)
				left := make(chan time.Time, 1)
				script := aplombtest.NewScript(effect, aplombtest.StallUpload(0))
				srv := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { left <- time.Now() }()
					script.ServeHTTP(w, r)
				}))
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL, strings.NewReader(strings.Repeat("x", 4<<20)))
				assert.NoError(t, err)
				_, err = srv.Client().Do(req)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, (<-left).Sub(start), time.Minute)
				assert.Equal(t, effect.n.Load(), 0)
			})
		})
	}
}

func TestLateResponse(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		start := time.Now()
		res, err := s.post(t.Context())
		assert.NoError(t, err)
		s.took(t, start, 20*time.Millisecond)
		assert.Equal(t, read(t, res), "0123456789")
		assert.Equal(t, res.ContentLength, 10)

		for range 2 {
			_, err = s.impatient(t)
			assert.ErrorIs(t, err, context.Canceled)
		}
		s.undisturbed(t, 4) // the two took effect
	}, aplombtest.LateResponse(20*time.Millisecond), aplombtest.LateResponse(0), aplombtest.LateResponse(time.Hour))
}

// TestStallHeader reads, on a bare connection, the first header and then nothing
// for as long as it says.
func TestStallHeader(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		start := time.Now()
		c := s.ask(t, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n")
		defer c.Close()
		r := bufio.NewReader(c)
		status, err := r.ReadString('\n')
		assert.NoError(t, err)
		assert.Equal(t, status, "HTTP/1.1 201 Created\r\n")
		date, err := r.ReadString('\n')
		assert.NoError(t, err)
		assert.Contains(t, date, "Date: ")
		if s.exact { // a busy machine may get here late
			assert.Equal(t, r.Buffered(), 0, "and no more")
			assert.Equal(t, time.Since(start), 0)
		}
		rest, err := io.ReadAll(r)
		assert.NoError(t, err)
		assert.Equal(t, string(rest), "Connection: close\r\nContent-Length: 10\r\nX-Effect: 1\r\n\r\n0123456789")
		s.took(t, start, 20*time.Millisecond)

		res, err := s.post(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, read(t, res), "0123456789")
		_, err = s.impatient(t)
		assert.ErrorIs(t, err, context.Canceled)
		s.undisturbed(t, 4)
	}, aplombtest.StallHeader(20*time.Millisecond), aplombtest.StallHeader(time.Millisecond), aplombtest.StallHeader(0))
}

func TestStallHeaderOverHTTP2(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewTLSServer(t, aplombtest.NewScript(hello, aplombtest.StallHeader(time.Minute)))
		start := time.Now()
		res, body := get(t, srv.Client(), srv.URL)
		assert.Equal(t, res.Proto+" "+body, "HTTP/2.0 hello")
		assert.Equal(t, time.Since(start), time.Minute)
	})
}

// TestDrip notes when each piece comes.
func TestDrip(t *testing.T) {
	t.Parallel()
	type piece struct {
		text string
		at   time.Duration
	}
	for name, newServer := range map[string]func(testing.TB, http.Handler) *aplombtest.Server{
		"HTTP/1": aplombtest.NewServer, "HTTP/2": aplombtest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, aplombtest.NewScript(new(effects), aplombtest.Drip(4, 10*time.Second), aplombtest.Drip(0, time.Hour)))
				start := time.Now()
				res, err := srv.Client().Get(srv.URL)
				assert.NoError(t, err)
				assert.Equal(t, time.Since(start), 0, "the headers come at once")
				var got []piece
				for err == nil {
					p := make([]byte, 64)
					var n int
					n, err = res.Body.Read(p)
					if n > 0 {
						got = append(got, piece{string(p[:n]), time.Since(start)})
					}
				}
				assert.ErrorIs(t, err, io.EOF)
				assert.Equal(t, got, []piece{{"0123", 0}, {"4567", 10 * time.Second}, {"89", 20 * time.Second}})
				_ = res.Body.Close()

				client := srv.Client()
				client.Timeout = 150 * time.Minute
				res, err = client.Get(srv.URL)
				assert.NoError(t, err)
				body, err := io.ReadAll(res.Body)
				assert.Equal(t, string(body), "012", "one an hour")
				assert.True(t, err != nil && errors.Is(err, context.DeadlineExceeded), err)
				_ = res.Body.Close()
			})
		})
	}
}

func TestDripOnSockets(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		start := time.Now()
		answer, err := s.rawGet(t)
		assert.NoError(t, err)
		assert.Contains(t, answer, "\r\n2\r\n01\r\n2\r\n23\r\n2\r\n45\r\n2\r\n67\r\n2\r\n89\r\n0\r\n\r\n")
		s.took(t, start, 4*5*time.Millisecond)
	}, aplombtest.Drip(2, 5*time.Millisecond))
}
