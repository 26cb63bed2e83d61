package memnet_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/internal/memnet"
)

// inBubble runs test on the two ends of a connection, in virtual time.
func inBubble(t *testing.T, test func(t *testing.T, a, b *memnet.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe("192.0.2.1:49152", "api.test:80")
		defer a.Close()
		defer b.Close()
		test(t, a, b)
	})
}

func TestConnCarriesBytesBothWays(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
		const size = 1 << 20 // many windows
		sent := bytes.Repeat([]byte("aplomb, composure under pressure; "), size/34)
		var wg sync.WaitGroup
		for _, pair := range [][2]*memnet.Conn{{a, b}, {b, a}} {
			wg.Go(func() {
				n, err := pair[0].Write(sent)
				assert.Equal(t, n, len(sent))
				assert.Equal(t, err, nil)
				assert.Equal(t, pair[0].CloseWrite(), nil)
			})
			wg.Go(func() {
				got, err := io.ReadAll(pair[1])
				assert.Equal(t, err, nil)
				assert.Equal(t, sha256.Sum256(got), sha256.Sum256(sent))
			})
		}
		wg.Wait()
	})
}

func TestConcurrentWritesDoNotMix(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
		const size = 100_000 // more than a window, so that writes are interrupted
		var wg sync.WaitGroup
		for _, letter := range "abcd" {
			wg.Go(func() { _, _ = a.Write(bytes.Repeat([]byte(string(letter)), size)) })
		}
		wg.Go(func() {
			for range 4 {
				block := make([]byte, size)
				_, err := io.ReadFull(b, block)
				assert.Equal(t, err, nil)
				assert.Equal(t, bytes.Count(block, block[:1]), size)
			}
		})
		wg.Wait()
	})
}

func TestWriteWaitsForAReader(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
		start, done := time.Now(), make(chan time.Duration, 1)
		go func() {
			_, _ = a.Write(make([]byte, 64<<10+1)) // one byte more than fits
			done <- time.Since(start)
		}()
		time.Sleep(time.Hour)
		_, err := b.Read(make([]byte, 1))
		assert.NoError(t, err)
		assert.Equal(t, <-done, time.Hour)
	})
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	full := make([]byte, 1<<20)
	ops := map[string]struct {
		set func(*memnet.Conn, time.Time) error
		do  func(*memnet.Conn) error
	}{
		"read":           {(*memnet.Conn).SetReadDeadline, func(c *memnet.Conn) error { _, err := c.Read(full); return err }},
		"write":          {(*memnet.Conn).SetWriteDeadline, func(c *memnet.Conn) error { _, err := c.Write(full); return err }},
		"both, reading":  {(*memnet.Conn).SetDeadline, func(c *memnet.Conn) error { _, err := c.Read(full); return err }},
		"both, writing":  {(*memnet.Conn).SetDeadline, func(c *memnet.Conn) error { _, err := c.Write(full); return err }},
		"read, no bytes": {(*memnet.Conn).SetReadDeadline, func(c *memnet.Conn) error { _, err := c.Read(full[:1]); return err }},
	}
	for name, op := range ops {
		t.Run(name+" ahead", func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, a, _ *memnet.Conn) {
				start := time.Now()
				assert.NoError(t, op.set(a, start.Add(time.Minute)))
				err := op.do(a)
				assert.Equal(t, time.Since(start), time.Minute)
				wantTimeout(t, err)
				wantTimeout(t, op.do(a)) // it stays passed
			})
		})
		t.Run(name+" past", func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, a, _ *memnet.Conn) {
				start := time.Now()
				assert.NoError(t, op.set(a, time.Unix(1, 0)))
				wantTimeout(t, op.do(a))
				assert.Equal(t, time.Since(start), 0)
			})
		})
		t.Run(name+" brought forward while waiting", func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, a, _ *memnet.Conn) {
				start := time.Now()
				assert.NoError(t, op.set(a, start.Add(time.Hour)))
				time.AfterFunc(time.Second, func() { _ = op.set(a, time.Unix(1, 0)) }) // as net/http does to abort a read
				wantTimeout(t, op.do(a))
				assert.Equal(t, time.Since(start), time.Second)
			})
		})
		t.Run(name+" put off and taken away", func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
				start := time.Now()
				assert.NoError(t, op.set(a, start.Add(time.Second)))
				assert.NoError(t, op.set(a, start.Add(time.Minute)))
				time.AfterFunc(30*time.Second, func() { _ = op.set(a, time.Time{}) })
				time.AfterFunc(time.Hour, func() { _ = b.Close() })
				err := op.do(a)
				assert.True(t, !errors.Is(err, os.ErrDeadlineExceeded), err)
				assert.Equal(t, time.Since(start), time.Hour)
			})
		})
	}
}

func wantTimeout(t *testing.T, err error) {
	t.Helper()
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	timeout, ok := errors.AsType[net.Error](err)
	assert.True(t, ok && timeout.Timeout(), "net.Error with Timeout")
}

func TestReadGoesOnAfterADeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
		assert.NoError(t, a.SetReadDeadline(time.Now().Add(time.Second)))
		_, err := a.Read(make([]byte, 1))
		wantTimeout(t, err)
		_, err = b.Write([]byte("x"))
		assert.NoError(t, err)
		assert.NoError(t, a.SetReadDeadline(time.Time{}))
		n, err := a.Read(make([]byte, 8))
		assert.NoError(t, err)
		assert.Equal(t, n, 1)
	})
}

func TestCloseLetsThePeerReadOutAndThenEOF(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
		_, err := a.Write([]byte("last words"))
		assert.NoError(t, err)
		assert.NoError(t, a.Close())
		got, err := io.ReadAll(b)
		assert.NoError(t, err)
		assert.Equal(t, string(got), "last words")
		_, err = b.Write([]byte("too late"))
		assert.ErrorIs(t, err, syscall.EPIPE)
		assert.Equal(t, err.Error(), "write tcp api.test:80->192.0.2.1:49152: write: broken pipe")
		assert.ErrorIs(t, a.Close(), net.ErrClosed, "the second Close")
	})
}

func TestCloseWriteIsHalfAClose(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
		assert.NoError(t, a.CloseWrite())
		_, err := b.Read(make([]byte, 1))
		assert.Equal(t, err, io.EOF)
		_, err = a.Write([]byte("x"))
		assert.ErrorIs(t, err, syscall.EPIPE)
		_, err = b.Write([]byte("still heard"))
		assert.NoError(t, err)
		n, err := a.Read(make([]byte, 64))
		assert.NoError(t, err)
		assert.Equal(t, n, 11)
	})
}

func TestOperationsAfterOwnClose(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, a, _ *memnet.Conn) {
		assert.NoError(t, a.Close())
		_, err := a.Read(make([]byte, 1))
		assert.ErrorIs(t, err, net.ErrClosed)
		_, err = a.Write([]byte("x"))
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.ErrorIs(t, a.SetDeadline(time.Now()), net.ErrClosed)
		assert.ErrorIs(t, a.SetWriteDeadline(time.Now()), net.ErrClosed)
	})
}

func TestCloseWakesWhoWaits(t *testing.T) {
	t.Parallel()
	ends := map[string]func(a, b *memnet.Conn) (readErr, writeErr error){
		"own close":   func(a, _ *memnet.Conn) (error, error) { _ = a.Close(); return net.ErrClosed, net.ErrClosed },
		"peer close":  func(_, b *memnet.Conn) (error, error) { _ = b.Close(); return io.EOF, syscall.EPIPE },
		"own reset":   func(a, _ *memnet.Conn) (error, error) { a.Reset(); return net.ErrClosed, net.ErrClosed },
		"peer reset":  func(_, b *memnet.Conn) (error, error) { b.Reset(); return syscall.ECONNRESET, syscall.ECONNRESET },
		"close reset": func(a, b *memnet.Conn) (error, error) { _ = a.Close(); b.Reset(); return net.ErrClosed, net.ErrClosed },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
				var readErr, writeErr error
				var wg sync.WaitGroup
				wg.Go(func() { _, readErr = a.Read(make([]byte, 1)) })
				wg.Go(func() { _, writeErr = a.Write(make([]byte, 1<<20)) })
				synctest.Wait() // both are waiting now
				wantRead, wantWrite := end(a, b)
				wg.Wait()
				assert.ErrorIs(t, readErr, wantRead)
				assert.ErrorIs(t, writeErr, wantWrite)
			})
		})
	}
}

// TestResetComesAfterWhatArrived holds memnet to what a socket of Linux does.
func TestResetComesAfterWhatArrived(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
		_, err := a.Write([]byte("arrived"))
		assert.NoError(t, err)
		a.Reset()
		got := make([]byte, 64)
		n, err := b.Read(got)
		assert.NoError(t, err)
		assert.Equal(t, string(got[:n]), "arrived")
		_, err = b.Read(got)
		assert.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Equal(t, err.Error(), "read tcp api.test:80->192.0.2.1:49152: read: connection reset by peer")
		_, err = b.Write([]byte("x"))
		assert.ErrorIs(t, err, syscall.ECONNRESET)
	})
}

func TestGone(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*memnet.Conn){
		"close":       func(c *memnet.Conn) { _ = c.Close() },
		"close write": func(c *memnet.Conn) { _ = c.CloseWrite() },
		"reset":       (*memnet.Conn).Reset,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, a, b *memnet.Conn) {
				_, err := a.Write([]byte("nobody reads this"))
				assert.NoError(t, err)
				gone := func() bool {
					select {
					case <-b.Gone():
						return true
					default:
						return false
					}
				}
				assert.True(t, !gone(), "not yet")
				leave(a)
				leave(a)
				assert.True(t, gone(), "with bytes unread")
			})
		})
	}
}

// TestRaces has everything done to one connection at once; the race detector
// and the bubble's own rule, that every goroutine ends, are the judges.
func TestRaces(t *testing.T) {
	t.Parallel()
	for range 50 {
		inBubble(t, func(_ *testing.T, a, b *memnet.Conn) {
			var wg sync.WaitGroup
			for _, c := range []*memnet.Conn{a, b} {
				wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
				wg.Go(func() { _, _ = c.Write(make([]byte, 1<<18)) })
				wg.Go(func() { _ = c.SetDeadline(time.Now().Add(time.Millisecond)) })
				wg.Go(func() { _ = c.SetDeadline(time.Time{}) })
				wg.Go(func() { _ = c.CloseWrite() })
				wg.Go(func() { _ = c.Close() })
				wg.Go(c.Reset)
			}
			wg.Wait()
		})
	}
}
