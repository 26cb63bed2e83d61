package transfer_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
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

func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { t.Parallel(); synctest.Test(t, f) })
}

// file is a server with one file, whose answers can break off. It is
// http.ServeContent that knows about ranges.
type file struct {
	mu     sync.Mutex
	data   []byte
	tag    string                                        // "" is none
	cuts   []int                                         // bytes of each body in turn before it breaks; 0 is not at all
	each   func(http.ResponseWriter, *http.Request) bool // answers in its place
	header []string
	chunk  int           // bytes between pauses
	pause  time.Duration // of each connection
	seen   []string      // "Range If-Range" of each request
	sent   int
}

func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, strings.TrimSpace(r.Header.Get("Range")+" "+r.Header.Get("If-Range")))
	data, tag, cut := f.data, f.tag, 0
	if len(f.cuts) > 0 {
		cut, f.cuts = f.cuts[0], f.cuts[1:]
	}
	f.mu.Unlock()
	for i := 0; i+1 < len(f.header); i += 2 {
		w.Header().Set(f.header[i], f.header[i+1])
	}
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if f.each != nil && f.each(w, r) {
		return
	}
	http.ServeContent(&cutting{ResponseWriter: w, f: f, cut: cut}, r, "", time.Time{}, bytes.NewReader(data))
}

// cutting counts, slows down and breaks off.
type cutting struct {
	http.ResponseWriter
	f   *file
	cut int
	n   int
}

func (c *cutting) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		piece := p
		if c.f.chunk > 0 {
			piece = p[:min(len(p), c.f.chunk)]
			time.Sleep(c.f.pause)
		}
		if c.cut > 0 {
			piece = piece[:min(len(piece), c.cut-c.n)]
		}
		m, err := c.ResponseWriter.Write(piece)
		if c.n, n = c.n+m, n+m; err != nil {
			return n, err
		}
		c.f.mu.Lock()
		c.f.sent += m
		c.f.mu.Unlock()
		if c.f.chunk > 0 || c.n == c.cut {
			_ = http.NewResponseController(c.ResponseWriter).Flush()
		}
		if c.n == c.cut {
			panic(http.ErrAbortHandler)
		}
		p = p[m:]
	}
	return n, nil
}

func (f *file) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.seen...)
}

func (f *file) set(data []byte, tag string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data, f.tag = data, tag
}

// bytesOf are n bytes that no two places of share.
func bytesOf(n int) []byte {
	data := make([]byte, n)
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(data)
	return data
}

// client makes a client of a server for h.
func client(t *testing.T, h http.Handler, opts ...aplomb.Option) *aplomb.Client {
	t.Helper()
	s := aplombtest.NewServer(t, h)
	c, err := aplomb.New(s.URL, append([]aplomb.Option{aplomb.Name("test"), aplomb.Transport(s.Transport())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// events collects what is told, in few words.
type events struct {
	mu  sync.Mutex
	all []transfer.Progress
}

func (e *events) add(p transfer.Progress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, p)
}

func (e *events) last() transfer.Progress { return e.all[len(e.all)-1] }

// restarted are the reasons for which it began anew.
func (e *events) restarted() (why []string) {
	for _, p := range e.all {
		if p.Restarted != "" {
			why = append(why, p.Restarted)
		}
	}
	return why
}

// truthful: it never falls but where it says so, and never goes beyond the end.
func (e *events) truthful(t *testing.T) {
	t.Helper()
	var last transfer.Progress
	for i, p := range e.all {
		if p.Done < last.Done && p.Restarted == "" || p.Total >= 0 && p.Done > p.Total || p.Resumed > p.Done {
			t.Errorf("event %d: %d of %d bytes, after %d", i, p.Done, p.Total, last.Done)
		}
		if p.Complete != (i == len(e.all)-1) {
			t.Errorf("event %d of %d: Complete is %v", i, len(e.all), p.Complete)
		}
		last = p
	}
}

// holds compares the file with want, and looks for what should not lie beside it.
func holds(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	assert.NoError(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d, and equal: they are not", len(got), len(want))
	}
	others(t, name)
}

// onWire answers with text, whose end is that of the connection.
func onWire(t *testing.T, w http.ResponseWriter, text string) bool {
	t.Helper()
	conn, buf, err := http.NewResponseController(w).Hijack()
	assert.NoError(t, err)
	_, _ = buf.WriteString(text)
	_ = buf.Flush()
	return conn.Close() == nil
}

// others are the files beside it.
func others(t *testing.T, name string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(name))
	assert.NoError(t, err)
	var got []string
	for _, e := range entries {
		if e.Name() != filepath.Base(name) {
			got = append(got, e.Name())
		}
	}
	assert.Equal(t, fmt.Sprint(got), fmt.Sprint(want))
}

const tag = `"v1"`

// target is where a test downloads to.
func target(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "file.bin") }

// bubbleNow is a bubble whose test waits for it, with a setting that others share.
func bubbleNow(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// pause lets a bubble's time pass.
func pause(d time.Duration) { time.Sleep(d) }
