//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/transfer"
)

// TestPart is what may lie where a part is to be, and what is done about it.
func TestPart(t *testing.T) {
	t.Parallel()
	bubble(t, "needs its folder", func(t *testing.T) {
		f := &file{data: bytesOf(10), tag: tag}
		name := filepath.Join(t.TempDir(), "missing", "file.bin")
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.ErrorIs(t, err, fs.ErrNotExist)
		assert.Contains(t, err.Error(), name)
		assert.Equal(t, len(f.asked()), 0)
	})
	for what, lay := range map[string]func(name string) error{
		"a folder":          func(name string) error { return os.Mkdir(name, 0o755) },
		"a pipe":            func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"somebody's link":   func(name string) error { return os.Symlink(name+".victim", name) },
		"a link to nothing": func(name string) error { return os.Symlink(name+".none", name) },
	} {
		bubble(t, "is not "+what, func(t *testing.T) {
			f, name := &file{data: bytesOf(10), tag: tag}, target(t)
			assert.NoError(t, os.WriteFile(name+".part.victim", []byte("precious"), 0o600))
			assert.NoError(t, lay(name+".part"))
			_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
			assert.True(t, err != nil)
			assert.Contains(t, err.Error(), name+".part")
			assert.Equal(t, len(f.asked()), 0)
			others(t, name, "file.bin.part", "file.bin.part.victim")
			raw, err := os.ReadFile(name + ".part.victim")
			assert.NoError(t, err)
			assert.Equal(t, string(raw), "precious")
		})
		bubble(t, "has a state that is not "+what, func(t *testing.T) {
			f, name := &file{data: bytesOf(10_000), tag: tag}, target(t)
			d := transfer.Download{Client: client(t, f), Path: "/f"}
			half(t, f, d, name)
			assert.NoError(t, os.Remove(name+".part.json"))
			assert.NoError(t, lay(name+".part.json"))
			_, err := d.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprintf("%q", f.asked()), `[""]`)
			holds(t, name, f.data)
		})
	}
	bubble(t, "is not gone on with where its state cannot be removed", func(t *testing.T) {
		f, name := &file{data: bytesOf(10), tag: tag}, target(t)
		assert.NoError(t, os.WriteFile(name+".part", bytesOf(1000), 0o600))
		assert.NoError(t, os.MkdirAll(name+".part.json/x", 0o755))
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.Contains(t, fmt.Sprint(err), "file.bin.part.json")
	})
	bubble(t, "has nothing of what its state does not vouch for", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag}, target(t)
		f.each = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Del("Content-Length")
			if r.Header.Get("Range") == "" { // whose length nobody knows
				_, _ = w.Write(f.data[:5000])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			if len(f.asked()) == 2 {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		}
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		_, err := d.ToFile(t.Context(), name)
		assert.Equal(t, aplomb.StatusCode(err), http.StatusForbidden)
		part, err := os.OpenFile(name+".part", os.O_APPEND|os.O_WRONLY, 0)
		assert.NoError(t, err)
		_, err = part.Write(make([]byte, 90_000))
		assert.NoError(t, errors.Join(err, part.Close()))
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 5000)
		holds(t, name, f.data)
	})
	bubble(t, "leaves nothing of a process that was killed over its state", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		torn := func() { assert.NoError(t, os.WriteFile(name+".part.json.new", []byte(`{"vers`), 0o600)) }
		torn() // before it wrote any
		half(t, f, d, name)
		torn()
		f.cuts = []int{1000}
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			if len(f.asked()) > 1 {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		}
		_, err := d.ToFile(t.Context(), name)
		e, ok := errors.AsType[*transfer.Error](err)
		assert.True(t, ok && e.Kept, err)
		f.each = nil
		torn()
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 6000)
		holds(t, name, f.data)
	})
	bubble(t, "leaves nothing of a process that was killed after it was published", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		half(t, f, d, name)
		assert.NoError(t, os.Remove(name+".part"))
		assert.NoError(t, os.WriteFile(name, f.data, 0o600))
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{10000 0 0 0 []}")
		holds(t, name, f.data)
	})
	bubble(t, "replaces a link, and not what it points to", func(t *testing.T) {
		f, name := &file{data: bytesOf(1000), tag: tag}, target(t)
		victim := filepath.Join(t.TempDir(), "victim")
		assert.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
		assert.NoError(t, os.Symlink(victim, name))
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
		raw, err := os.ReadFile(victim)
		assert.NoError(t, err)
		assert.Equal(t, string(raw), "precious")
	})
	bubble(t, "is for nobody else where the file is not", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag}, target(t)
		assert.NoError(t, os.WriteFile(name, nil, 0o600))
		half(t, f, transfer.Download{Client: client(t, f), Path: "/f"}, name)
		for _, beside := range []string{".part", ".part.json"} {
			info, err := os.Stat(name + beside)
			assert.NoError(t, err)
			assert.Equal(t, info.Mode().Perm(), fs.FileMode(0o600), beside)
		}
	})
}

// TestDiskRefuses: an error of the disk says what it refused, and what was kept
// before is still there.
func TestDiskRefuses(t *testing.T) {
	t.Parallel()
	// start downloads 2 MiB and spoils the folder once done bytes are there.
	start := func(t *testing.T, done int64, spoil func(name string) error) (*file, transfer.Download, string, error) {
		t.Helper()
		f, name := &file{data: bytesOf(2 << 20), tag: tag, chunk: 32 << 10, pause: 100 * time.Millisecond}, target(t)
		spoiled := false
		d := transfer.Download{Client: client(t, f), Path: "/f", Progress: func(p transfer.Progress) {
			if !spoiled && p.Done >= done {
				spoiled = true
				assert.NoError(t, spoil(name))
			}
		}}
		_, err := d.ToFile(t.Context(), name)
		f.seen = nil
		return f, d, name, err
	}
	state := func(name string) error { return os.MkdirAll(name+".part.json.new/x", 0o755) }
	bubble(t, "a state, of which there was one", func(t *testing.T) {
		f, d, name, err := start(t, 600<<10, state)
		e, ok := errors.AsType[*transfer.Error](err)
		assert.True(t, ok && e.Kept, err)
		assert.Contains(t, err.Error(), "file.bin.part.json.new: ")
		_, err = d.ToFile(t.Context(), name) // which it refuses again
		e, ok = errors.AsType[*transfer.Error](err)
		assert.True(t, ok && e.Kept, err)
		assert.NoError(t, os.RemoveAll(name+".part.json.new"))
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 512<<10)
		holds(t, name, f.data)
	})
	bubble(t, "a state, of which there was none", func(t *testing.T) {
		f, d, name, err := start(t, 100<<10, state)
		e, ok := errors.AsType[*transfer.Error](err)
		assert.True(t, ok && !e.Kept, err)
		assert.NotContains(t, err.Error(), "Hint")
		assert.NoError(t, os.RemoveAll(name+".part.json.new"))
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 0)
		holds(t, name, f.data)
	})
	bubble(t, "a state, at the last step", func(t *testing.T) {
		_, _, name, err := start(t, 100<<10, func(name string) error { return os.MkdirAll(name+".part.json/x", 0o755) })
		e, ok := errors.AsType[*transfer.Error](err)
		assert.True(t, ok && !e.Kept, err)
		others(t, name, "file.bin.part", "file.bin.part.json")
	})
	bubble(t, "the final name", func(t *testing.T) {
		f, d, name, err := start(t, 2<<20, func(name string) error { return os.MkdirAll(name+"/x", 0o755) })
		e, ok := errors.AsType[*transfer.Error](err)
		assert.True(t, ok && e.Kept && e.Done == 2<<20, err)
		assert.NoError(t, os.RemoveAll(name))
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 2<<20-1)
		assert.Equal(t, fmt.Sprintf("%q", f.asked()), `["bytes=2097151- \"v1\""]`)
		holds(t, name, f.data)
	})
	if _, err := os.Stat("/dev/full"); err != nil {
		return
	}
	bubble(t, "the bytes", func(t *testing.T) {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		assert.NoError(t, err)
		defer func() { _ = full.Close() }()
		f := &file{data: bytesOf(1000), tag: tag}
		_, err = transfer.Download{Client: client(t, f), Path: "/f"}.To(t.Context(), full)
		assert.ErrorIs(t, err, syscall.ENOSPC)
		assert.Contains(t, err.Error(), "ended after 0 of 1000 bytes: write /dev/full: no space left on device")
		assert.Equal(t, len(f.asked()), 1)
	})
}

// TestProgressPanics: what Progress does to a download leaves no part locked, no
// connection open, and nothing that is not whole under the final name.
func TestProgressPanics(t *testing.T) {
	transfer.ParallelFrom(1 << 20)
	t.Cleanup(func() { transfer.ParallelFrom(64 << 20) })
	for parallel, way := range map[int]string{1: "alone", 4: "with others"} {
		bubbleNow(t, way, func(t *testing.T) {
			f, name := &file{data: bytesOf(4 << 20), tag: tag, chunk: 32 << 10, pause: 100 * time.Millisecond}, target(t)
			d := transfer.Download{Client: client(t, f), Path: "/f", Parallel: parallel}
			var at time.Time
			d.Progress = func(p transfer.Progress) {
				if p.Done > 1<<20 && at.IsZero() {
					at = time.Now()
					panic("mine")
				}
			}
			func() {
				defer func() {
					assert.Equal(t, recover(), "mine")
					assert.Equal(t, time.Since(at), 0, "the others end as well")
				}()
				_, _ = d.ToFile(t.Context(), name)
			}()
			d.Progress = nil
			got, err := d.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.True(t, got.Resumed >= 1<<20, got.Resumed)
			holds(t, name, f.data)
		})
	}
	bubbleNow(t, "as it is told of a start anew", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag}, target(t)
		c := client(t, f, aplomb.Bulkhead{MaxInFlight: 1})
		d := transfer.Download{Client: c, Path: "/f"}
		half(t, f, d, name)
		f.set(bytesOf(2<<20), `"v2"`)
		d.Progress = func(p transfer.Progress) {
			if p.Restarted != "" {
				panic("mine")
			}
		}
		defer func() {
			assert.Equal(t, recover(), "mine")
			others(t, name)
			d.Progress = nil
			_, err := d.ToFile(t.Context(), name) // in the only place that there is
			assert.NoError(t, err)
		}()
		_, _ = d.ToFile(t.Context(), name)
	})
	bubbleNow(t, "or ends the goroutine", func(t *testing.T) {
		f, name := &file{data: bytesOf(4 << 20), tag: tag, chunk: 32 << 10, pause: 100 * time.Millisecond}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f", Parallel: 4}
		ended := false
		d.Progress = func(p transfer.Progress) {
			if p.Done > 1<<20 && !ended {
				ended = true
				runtime.Goexit()
			}
		}
		_, err := d.ToFile(t.Context(), name)
		assert.Contains(t, fmt.Sprint(err), "the goroutine of a connection ended")
		others(t, name, "file.bin.part", "file.bin.part.json")
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.True(t, got.Resumed > 0)
		holds(t, name, f.data)
	})
}

// TestNothingIsLeft: however a download ends, its part is unlocked and its files
// are closed. (TestMain looks for goroutines.)
func TestNothingIsLeft(t *testing.T) { //nolint:paralleltest // it counts what the process has open
	const open = "/proc/self/fd"
	if _, err := os.Stat(open); err != nil {
		t.Skip("no " + open)
	}
	count := func() (n int) {
		entries, err := os.ReadDir(open)
		assert.NoError(t, err)
		for _, e := range entries {
			if to, _ := os.Readlink(filepath.Join(open, e.Name())); strings.Contains(to, "file.bin") {
				n++
			}
		}
		return n
	}
	bubbleNow(t, "open", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag, chunk: 1000, pause: time.Second}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		_, err := d.ToFile(ctx, name)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, count(), 0)
		wrong, _ := sha256Of(nil)
		d.SHA256 = wrong
		_, err = d.ToFile(t.Context(), name)
		assert.Contains(t, fmt.Sprint(err), "should be")
		assert.Equal(t, count(), 0)
		d.SHA256 = ""
		_, err = d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, count(), 0)
		var buf bytes.Buffer
		_, err = d.To(t.Context(), io.MultiWriter(&buf))
		assert.NoError(t, err)
		holds(t, name, buf.Bytes())
	})
}
