package transfer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/transfer"
)

func TestToFile(t *testing.T) {
	t.Parallel()
	bubble(t, "has it whole, and nothing beside it", func(t *testing.T) {
		f, name, tell := &file{data: bytesOf(300_000), tag: tag}, target(t), &events{}
		d := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{300000 0 0 0 []}")
		holds(t, name, f.data)
		tell.truthful(t)
		assert.Equal(t, tell.all[0].Done, 0)
		assert.Equal(t, tell.last().Done, 300_000)
		assert.Equal(t, tell.last().Label, "/f")
		assert.Equal(t, tell.last().ETA, 0)
	})
	bubble(t, "replaces a file and keeps its mode", func(t *testing.T) {
		f, name := &file{data: bytesOf(1000), tag: tag}, target(t)
		assert.NoError(t, os.WriteFile(name, []byte("old"), 0o640))
		assert.NoError(t, os.Chmod(name, 0o604))
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
		info, err := os.Stat(name)
		assert.NoError(t, err)
		assert.Equal(t, info.Mode().Perm(), fs.FileMode(0o604))
	})
	bubble(t, "may be empty", func(t *testing.T) {
		f, name := &file{tag: tag}, target(t)
		got, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Bytes, 0)
		holds(t, name, nil)
	})
	bubble(t, "lets go of a connection that it does not use", func(t *testing.T) {
		f, name := &file{data: bytesOf(1 << 20), tag: tag}, target(t)
		d := transfer.Download{Client: client(t, f, aplomb.Bulkhead{MaxInFlight: 1}), Path: "/f", MaxBytes: 1000}
		for range 2 {
			_, err := d.ToFile(t.Context(), name)
			assert.ErrorIs(t, err, aplomb.ErrTooLarge)
		}
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			_ = http.NewResponseController(w).Flush() // chunked
			_, _ = w.Write(f.data)
			return true
		}
		for range 2 {
			_, err := d.ToFile(t.Context(), name)
			assert.ErrorIs(t, err, aplomb.ErrTooLarge)
		}
	})
	bubble(t, "leaves nothing behind where it is refused", func(t *testing.T) {
		f, name := &file{each: func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true }}, target(t)
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		_, mine := errors.AsType[*transfer.Error](err)
		assert.Equal(t, aplomb.StatusCode(err), 404)
		assert.Equal(t, mine, false)
		others(t, name)
	})
	bubble(t, "says what is wrong with it", func(t *testing.T) {
		c := client(t, &file{tag: tag})
		for want, d := range map[string]transfer.Download{
			"Client is nil": {}, "64 hexadecimal": {Client: c, SHA256: "ab"}, "not negative": {Client: c, MaxBreaks: -1}, "1 to 16": {Client: c, Parallel: 17},
		} {
			_, err := d.ToFile(t.Context(), target(t))
			assert.Contains(t, fmt.Sprint(err), want)
		}
		d := transfer.Download{Client: c, Path: "/f"}
		_, err := d.ToFile(t.Context(), t.TempDir())
		assert.Contains(t, err.Error(), "not a regular file")
		_, err = d.ToFile(t.Context(), "")
		assert.Contains(t, err.Error(), "no name")
		_, err = d.To(t.Context(), nil)
		assert.Contains(t, err.Error(), "writer is nil")
	})
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	bubble(t, "are gone on from at the very byte", func(t *testing.T) {
		f, name, tell := &file{data: bytesOf(1 << 20), tag: tag, cuts: []int{100_000, 1, 500_000}}, target(t), &events{}
		d := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Breaks, 3)
		assert.Equal(t, fmt.Sprintf("%q", f.asked()), `["" "bytes=100000- \"v1\"" "bytes=100001- \"v1\"" "bytes=600001- \"v1\""]`)
		assert.Equal(t, f.sent, 1<<20, "no byte was sent twice")
		holds(t, name, f.data)
		tell.truthful(t)
		var breaks []int
		for _, p := range tell.all {
			if p.Broken != nil {
				breaks = append(breaks, p.Attempt, int(p.Done))
			}
		}
		assert.Equal(t, fmt.Sprint(breaks), "[2 100000 3 100001 4 600001]")
	})
	bubble(t, "in a row are enough at some point, and what is there is kept", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag, cuts: []int{4000}}, target(t)
		f.each = func(http.ResponseWriter, *http.Request) bool {
			if len(f.asked()) > 1 {
				panic(http.ErrAbortHandler)
			}
			return false
		}
		d := transfer.Download{Client: client(t, f, aplomb.NoRetry(), aplomb.NoBreaker()), Path: "/f", MaxBreaks: 2}
		start := time.Now()
		_, err := d.ToFile(t.Context(), name)
		e, _ := errors.AsType[*transfer.Error](err)
		assert.Equal(t, fmt.Sprint(e.Done, e.Total, e.Breaks, e.Kept), "4000 10000 2 true")
		assert.Contains(t, err.Error(), "test: GET /f: the download ended after 4000 of 10000 bytes and 2 broken connections: ")
		assert.Equal(t, len(f.asked()), 3, "the break, and two connections that brought nothing")
		took := time.Since(start)
		assert.True(t, took >= 300*time.Millisecond && took < 600*time.Millisecond, took) // half to all of 0.2 s, then of 0.4 s
		others(t, name, "file.bin.part", "file.bin.part.json")

		f.each, f.seen = nil, nil
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 4000)
		assert.Equal(t, fmt.Sprintf("%q", f.asked()), `["bytes=4000- \"v1\""]`)
		holds(t, name, f.data)
	})
	bubble(t, "do not end a download that gets on", func(t *testing.T) {
		f, name := &file{data: bytesOf(5000), tag: tag}, target(t)
		for range 40 {
			f.cuts = append(f.cuts, 100)
		}
		got, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.True(t, got.Breaks >= 40, "40 broke, and the breaker may have refused some", got.Breaks)
		holds(t, name, f.data)
	})
	bubble(t, "are not waited for longer than there is time", func(t *testing.T) {
		f, name := &file{data: bytesOf(5000), tag: tag, cuts: []int{10}}, target(t)
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(ctx, name)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, time.Since(start), 0)
	})
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	bubble(t, "keeps what is there", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag, chunk: 1000, pause: time.Second}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := d.ToFile(ctx, name)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), 3500*time.Millisecond)
		e, _ := errors.AsType[*transfer.Error](err)
		assert.Equal(t, e.Done, 3000)
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 3000)
		holds(t, name, f.data)
	})
}

// TestCanceledAtTheEnd: nothing is published after that.
func TestCanceledAtTheEnd(t *testing.T) {
	t.Parallel()
	bubble(t, "while it is summed", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag, chunk: 1000, pause: time.Second}, target(t)
		sum, _ := sha256Of(f.data)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		d := transfer.Download{Client: client(t, f), Path: "/f", SHA256: sum, Progress: func(p transfer.Progress) {
			if p.Done == p.Total {
				cancel()
			}
		}}
		_, err := d.ToFile(ctx, name)
		assert.ErrorIs(t, err, context.Canceled)
		others(t, name, "file.bin.part", "file.bin.part.json")
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 9999)
	})
}

// half leaves the first half of data in a part, as a process does that is killed.
func half(t *testing.T, f *file, d transfer.Download, name string) {
	t.Helper()
	whole := f.each
	f.seen = nil
	f.cuts = []int{len(f.data) / 2}
	f.each = func(w http.ResponseWriter, r *http.Request) bool {
		if len(f.asked()) > 1 {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return whole != nil && whole(w, r)
	}
	_, err := d.ToFile(t.Context(), name)
	assert.Equal(t, aplomb.StatusCode(err), http.StatusForbidden)
	others(t, name, "file.bin.part", "file.bin.part.json")
	f.each, f.seen, f.sent = whole, nil, 0
}

func TestNextRun(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, opts ...aplomb.CallOption) (*file, transfer.Download, string, *events) {
		f, name, tell := &file{data: bytesOf(10_000), tag: tag}, target(t), &events{}
		d := transfer.Download{Client: client(t, f), Path: "/f", Options: opts}
		half(t, f, d, name)
		d.Progress = tell.add
		return f, d, name, tell
	}
	bubble(t, "goes on", func(t *testing.T) {
		f, d, name, tell := start(t)
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{10000 5000 0 0 []}")
		assert.Equal(t, f.sent, 5000)
		holds(t, name, f.data)
		tell.truthful(t)
		assert.Equal(t, fmt.Sprint(tell.all[0].Done, tell.all[0].Total, tell.all[0].Resumed, tell.all[0].ETA), "5000 10000 5000 -1ns")
	})
	bubble(t, "starts anew where the file has changed", func(t *testing.T) {
		f, d, name, tell := start(t)
		f.set(bytesOf(20_000)[10_000:], `"v2"`)
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{10000 0 0 1 []}")
		assert.Equal(t, len(f.asked()), 1, "the answer that said so is the one that is used")
		holds(t, name, f.data)
		tell.truthful(t)
		assert.Equal(t, fmt.Sprintf("%q", tell.restarted()), `["the file has changed"]`)
		for _, p := range tell.all {
			if p.Restarted != "" {
				assert.Equal(t, fmt.Sprint(p.Done, p.Total, p.Resumed), "0 -1 0")
			}
		}
	})
	bubble(t, "does not say that anything is kept of what it threw away", func(t *testing.T) {
		f, d, name, _ := start(t)
		f.set(bytesOf(20_000), `"v2"`)
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			if len(f.asked()) > 1 {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			w.Header().Set("Content-Length", "20000")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, err := d.ToFile(t.Context(), name)
		e, ok := errors.AsType[*transfer.Error](err)
		assert.True(t, ok && !e.Kept && e.Done == 0, err)
		others(t, name)
	})
	bubble(t, "leaves nothing of a longer file", func(t *testing.T) {
		f, d, name, _ := start(t)
		f.set(bytesOf(1000), `"v2"`)
		_, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
	})
	bubble(t, "starts anew where it has another length under the same name", func(t *testing.T) {
		f, d, name, tell := start(t)
		f.data = bytesOf(20_000)[8000:]
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "12000")
			_, err := w.Write(f.data)
			return err == nil
		}
		_, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
		assert.Equal(t, fmt.Sprintf("%q", tell.restarted()), `["the file has changed"]`)
	})
	bubble(t, "does not take another file's part where there are no ranges", func(t *testing.T) {
		f, d, name, tell := start(t)
		f.data = bytesOf(30_000)[20_000:]
		f.each = func(w http.ResponseWriter, _ *http.Request) bool { _, err := w.Write(f.data); return err == nil }
		d.Options = append(d.Options, aplomb.Query("id", "other"))
		_, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
		assert.Equal(t, fmt.Sprintf("%q", tell.restarted()), `["the part is another file's"]`)
	})
	bubble(t, "does not take another file's part", func(t *testing.T) {
		f, d, name, tell := start(t)
		f.data = bytesOf(30_000)[20_000:] // of the same length and, as versions are counted, of the same tag
		d.Options = append(d.Options, aplomb.Query("id", "other"))
		_, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
		assert.Equal(t, fmt.Sprintf("%q", tell.restarted()), `["the part is another file's"]`)
	})
	bubble(t, "knows a file by its Key where the address is signed", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), tag: tag}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f", Key: "export-7", Options: []aplomb.CallOption{aplomb.Query("sig", "1")}}
		half(t, f, d, name)
		d.Options = []aplomb.CallOption{aplomb.Query("sig", "2")}
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 5000)
		half(t, f, d, name)
		d.Key = "export-8"
		got, err = d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 0)
		assert.Equal(t, fmt.Sprintf("%q", f.asked()), `[""]`)
	})
	bubble(t, "writes no address down", func(t *testing.T) {
		_, _, name, _ := start(t, aplomb.Query("sig", "s3cret"))
		raw, err := os.ReadFile(name + ".part.json")
		assert.NoError(t, err)
		assert.NotContains(t, string(raw), "s3cret")
		assert.Contains(t, string(raw), `"done":[[0,5000]]`)
	})
	bubble(t, "checks one byte of a part that is complete", func(t *testing.T) {
		f, d, name, tell := start(t)
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			if len(f.asked()) > 1 {
				return false
			}
			w.Header().Set("Content-Range", "bytes 9999-9999/10000")
			w.Header().Set("Content-Length", "1")
			w.WriteHeader(206)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		assert.NoError(t, os.WriteFile(name+".part", f.data, 0o600))
		raw, err := os.ReadFile(name + ".part.json")
		assert.NoError(t, err)
		assert.NoError(t, os.WriteFile(name+".part.json", bytes.Replace(raw, []byte("[0,5000]"), []byte("[0,10000]"), 1), 0o600))
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{10000 9999 1 0 []}")
		assert.Equal(t, f.sent, 1)
		assert.Equal(t, fmt.Sprintf("%q", f.asked()), `["bytes=9999- \"v1\"" "bytes=9999- \"v1\""]`)
		holds(t, name, f.data)
		tell.truthful(t)
	})
	bubble(t, "fills its gaps from whoever knows no ranges", func(t *testing.T) {
		f, name, tell := &file{data: bytesOf(200_000), tag: tag}, target(t), &events{}
		d := transfer.Download{Client: client(t, f), Path: "/f", Key: "k", Progress: tell.add}
		sum := sha256.Sum256([]byte("key k"))
		assert.NoError(t, os.WriteFile(name+".part", f.data[:150_000], 0o600))
		assert.NoError(t, os.WriteFile(name+".part.json", fmt.Appendf(nil, `{"version":1,"source":"%x","validator":%q,"total":200000,"done":[[50000,90000],[100000,150000]]}`, sum, tag), 0o600))
		f.each = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "bytes=0-49999" { // a server may send more than was asked for
				w.Header().Set("Content-Range", "bytes 0-199999/200000")
				w.WriteHeader(206)
			}
			w.Header().Set("Content-Length", "200000")
			_, _ = w.Write(f.data)
			return true
		}
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{200000 90000 0 0 []}")
		assert.Equal(t, len(f.asked()), 3)
		holds(t, name, f.data)
		tell.truthful(t)
	})
	bubble(t, "has one byte, and fetches it again", func(t *testing.T) {
		f, name, tell := &file{data: []byte("x"), tag: tag}, target(t), &events{}
		d := transfer.Download{Client: client(t, f), Path: "/f", Key: "k", Progress: tell.add}
		sum := sha256.Sum256([]byte("key k"))
		assert.NoError(t, os.WriteFile(name+".part", f.data, 0o600))
		assert.NoError(t, os.WriteFile(name+".part.json", fmt.Appendf(nil, `{"version":1,"source":"%x","validator":%q,"total":1,"done":[[0,1]]}`, sum, tag), 0o600))
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			if len(f.asked()) > 1 {
				return false
			}
			w.Header().Set("Content-Length", "1")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{1 0 1 0 []}")
		assert.Equal(t, fmt.Sprintf("%q", f.asked()), `["" ""]`, "all of it is no range")
		holds(t, name, f.data)
		tell.truthful(t)
	})
	for what, spoil := range map[string]func(name string) error{
		"a part that is shorter":  func(name string) error { return os.Truncate(name+".part", 4999) },
		"a state that is torn":    func(name string) error { return os.Truncate(name+".part.json", 40) },
		"a state that is missing": func(name string) error { return os.Remove(name + ".part.json") },
		"a part that is missing":  func(name string) error { return os.Remove(name + ".part") },
	} {
		bubble(t, "makes nothing of "+what, func(t *testing.T) {
			f, d, name, tell := start(t)
			assert.NoError(t, spoil(name))
			_, err := d.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprintf("%q", f.asked()), `[""]`)
			holds(t, name, f.data)
			tell.truthful(t)
		})
	}
	bubble(t, "waits for nobody", func(t *testing.T) {
		f, name := &file{data: bytesOf(3000), tag: tag, chunk: 1000, pause: time.Second}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		done := make(chan error)
		go func() { _, err := d.ToFile(t.Context(), name); done <- err }()
		pause(1500 * time.Millisecond)
		_, err := d.ToFile(t.Context(), name)
		assert.ErrorIs(t, err, transfer.ErrBusy)
		assert.NoError(t, <-done)
		_, err = d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
	})
}

// TestWhatCannotBeResumed: where the server does not name the bytes, none of two
// answers are put together.
func TestWhatCannotBeResumed(t *testing.T) {
	t.Parallel()
	for what, header := range map[string][]string{
		"no validator":     nil,
		"a weak tag":       {"ETag", `W/"v1"`},
		"a fresh date":     {"Last-Modified", "Fri, 31 Dec 1999 23:59:01 GMT"}, // the bubble begins at midnight
		"half a tag":       {"ETag", `v1"`},
		"a tag and a date": {"ETag", `W/"v1"`, "Last-Modified", "Wed, 01 Dec 1999 00:00:00 GMT"},
	} {
		bubble(t, what, func(t *testing.T) {
			f, name, tell := &file{data: bytesOf(10_000), header: header, cuts: []int{6000, 3000}}, target(t), &events{}
			got, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(got), "{10000 0 2 2 []}")
			assert.Equal(t, fmt.Sprintf("%q", f.asked()), `["" "" ""]`)
			assert.Equal(t, len(tell.restarted()), 2)
			assert.Contains(t, tell.restarted()[0], "no strong validator")
			holds(t, name, f.data)
			tell.truthful(t)
		})
	}
	bubble(t, "an old date is enough", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), cuts: []int{6000}}, target(t)
		f.header = []string{"Last-Modified", "Fri, 31 Dec 1999 23:59:00 GMT"}
		f.each = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			assert.Equal(t, r.Header.Get("If-Range"), "Fri, 31 Dec 1999 23:59:00 GMT")
			w.Header().Set("Content-Range", "bytes 6000-9999/10000")
			w.WriteHeader(206)
			_, _ = w.Write(f.data[6000:])
			return true
		}
		got, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{10000 0 1 0 []}")
		holds(t, name, f.data)
	})
	bubble(t, "is not given up for one connection that brings nothing", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000), cuts: []int{6000}}, target(t)
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			if n := len(f.asked()); n == 2 || n == 3 {
				w.WriteHeader(http.StatusBadGateway)
				return true
			}
			return false
		}
		c := client(t, f, aplomb.NoRetry(), aplomb.NoBreaker())
		got, err := transfer.Download{Client: c, Path: "/f", MaxBreaks: 2}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got), "{10000 0 3 1 []}")
		holds(t, name, f.data)
		f.seen, f.cuts = nil, []int{6000}
		_, err = transfer.Download{Client: c, Path: "/f", MaxBreaks: 1}.ToFile(t.Context(), name)
		assert.Equal(t, aplomb.StatusCode(err), http.StatusBadGateway)
		assert.Equal(t, len(f.asked()), 3)
	})
	bubble(t, "is given up at some point, with nothing left behind", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000)}, target(t)
		for range 20 {
			f.cuts = append(f.cuts, 6000)
		}
		start := time.Now()
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		took := time.Since(start)
		assert.True(t, took >= 6300*time.Millisecond && took < 12600*time.Millisecond, took) // half to all of 0.2, 0.4 ... 6.4 s
		assert.ErrorIs(t, err, transfer.ErrNotResumable)
		assert.Contains(t, err.Error(), "no strong validator")
		assert.Equal(t, len(f.asked()), 6)
		others(t, name)
	})
	for _, named := range []string{"", tag} {
		bubble(t, "ends also where no byte comes of "+named, func(t *testing.T) {
			f, name := &file{tag: named}, target(t)
			f.each = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Length", "10")
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
			assert.NotContains(t, fmt.Sprint(err), "Hint")
			assert.True(t, len(f.asked()) <= 6, len(f.asked()))
			others(t, name)
		})
	}
}

// TestAnswersToRange is what a server may make of a request for the rest.
func TestAnswersToRange(t *testing.T) {
	t.Parallel()
	type header map[string]string
	data := bytesOf(10_000)
	for _, c := range []struct {
		what   string
		status int
		header header
		body   []byte
		want   string // of the error; "" for a download that is good in the end
		anew   string // why
	}{
		{"the rest", 206, header{"Content-Range": "bytes 5000-9999/10000"}, data[5000:], "", ""},
		{"of a length that it does not know", 206, header{"Content-Range": "bytes 5000-9999/*"}, data[5000:], "", ""},
		{"only some of it", 206, header{"Content-Range": "bytes 5000-5999/10000"}, data[5000:6000], "", ""},
		{"another part", 206, header{"Content-Range": "bytes 4000-9999/10000"}, data[4000:], "sent bytes 4000 to 9999", ""},
		{"without saying of what", 206, header{}, data[5000:], "without saying of what", ""},
		{"several parts", 206, header{"Content-Type": "multipart/byteranges; boundary=x"}, nil, "multipart/byteranges", ""},
		{"more than it says", 206, header{"Content-Range": "bytes 5000-5999/10000", "Content-Length": "5000"}, data[5000:], "sent 5000 bytes and said", ""},
		{"another file's rest", 206, header{"Content-Range": "bytes 5000-9999/10000", "ETag": `"v2"`}, data[:5000], "", "the file has changed"},
		{"the rest of another day", 206, header{"Content-Range": "bytes 5000-9999/10000", "Last-Modified": "Thu, 02 Dec 1999 00:00:00 GMT"}, data[:5000], "", "the file has changed"},
		{"a longer file's rest", 206, header{"Content-Range": "bytes 5000-9999/20000"}, data[:5000], "", "the file has another length"},
		{"it compressed", 206, header{"Content-Range": "bytes 5000-9999/10000", "Content-Encoding": "gzip"}, data[:5000], "", "the server compresses it now"},
		{"a shorter file", 416, header{"Content-Range": "bytes */4000"}, nil, "", "the file is shorter than what is there of it"},
		{"that there is no more", 416, header{"Content-Range": "bytes */5000"}, nil, "", "the server has nothing more of the file"},
		{"all of it, as it knows no ranges", 200, header{}, data, "", ""},
	} {
		bubble(t, c.what, func(t *testing.T) {
			f, name, tell := &file{data: data, tag: tag, cuts: []int{5000}}, target(t), &events{}
			f.header = []string{"Last-Modified", "Wed, 01 Dec 1999 00:00:00 GMT"}
			f.each = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("Range") != "bytes=5000-" {
					return false
				}
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write(c.body)
				return true
			}
			c1 := client(t, f, aplomb.Bulkhead{MaxInFlight: 1}) // so that an answer that is not used has to be let go
			got, err := transfer.Download{Client: c1, Path: "/f", Progress: tell.add}.ToFile(t.Context(), name)
			if c.want != "" {
				assert.Contains(t, fmt.Sprint(err), c.want)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, got.Breaks, 1)
			holds(t, name, data)
			tell.truthful(t)
			assert.Equal(t, strings.Join(tell.restarted(), ";"), c.anew)
		})
	}
	bubble(t, "a part where nobody asked for one", func(t *testing.T) {
		f := &file{each: func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Range", "bytes 0-9/20")
			w.WriteHeader(206)
			return true
		}}
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), target(t))
		assert.Equal(t, aplomb.StatusCode(err), 206)
	})
	for _, c := range []struct {
		rest   string
		status int
		body   string
	}{{"", 416, "bytes */5000"}, {"rest", 206, "bytes 5000-5003/5004"}} {
		bubble(t, "to a file without a length: "+c.body, func(t *testing.T) {
			f, name := &file{tag: tag}, target(t)
			f.each = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("Range") == "" {
					_, _ = w.Write(data[:5000])
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}
				if c.status == 416 { // which need not name the file
					w.Header().Del("ETag")
				}
				w.Header().Set("Content-Range", c.body)
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.rest))
				return true
			}
			got, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, got.Restarts, 0)
			holds(t, name, append(data[:5000:5000], c.rest...))
		})
	}
}

// TestReplicas: servers of the same file may name it in different ways.
func TestReplicas(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		then []string // the header of what answers a range
		want string   // of the result
		anew string
	}{
		"of which one has no tags":                         {nil, "{10000 0 1 1 []}", "the file has changed"},
		"of which one has tags of its own":                 {[]string{"ETag", `"v2"`}, "{10000 0 1 1 []}", "the file has changed"},
		"of which one has weak tags":                       {[]string{"ETag", "W/" + tag}, "{10000 0 1 1 []}", "the file has changed"},
		"of which one also has a date":                     {[]string{"ETag", tag, "Last-Modified", "Wed, 01 Dec 1999 00:00:00 GMT"}, "{10000 0 1 0 []}", ""},
		"that ignore If-Range, and send a part of another": {[]string{"ETag", `"v2"`, "X-Ignore", "1"}, "{10000 0 1 1 []}", "the file has changed"},
		"that ignore If-Range, and do not name it":         {[]string{"X-Ignore", "1"}, "{10000 0 1 1 []}", "the file has changed"},
	} {
		bubble(t, what, func(t *testing.T) {
			f, name, tell := &file{data: bytesOf(10_000), tag: tag, cuts: []int{5000}}, target(t), &events{}
			f.each = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("Range") == "" {
					return false
				}
				w.Header().Del("ETag")
				for i := 0; i+1 < len(c.then); i += 2 {
					w.Header().Set(c.then[i], c.then[i+1])
				}
				if w.Header().Get("X-Ignore") != "" {
					w.Header().Set("Content-Range", "bytes 5000-9999/10000")
					w.WriteHeader(206)
					_, _ = w.Write(make([]byte, 5000))
					return true
				}
				return false
			}
			got, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(got), c.want)
			assert.Equal(t, strings.Join(tell.restarted(), ";"), c.anew)
			holds(t, name, f.data)
			tell.truthful(t)
		})
	}
	for what, c := range map[string]struct {
		name string // the 200's Last-Modified
		then string
		anew int
	}{
		"whose 416 has another date":         {"Wed, 01 Dec 1999 00:00:00 GMT", "Thu, 02 Dec 1999 00:00:00 GMT", 1},
		"whose 416 has the same":             {"Wed, 01 Dec 1999 00:00:00 GMT", "Wed, 01 Dec 1999 00:00:00 GMT", 0},
		"whose 416 does not name it by date": {"Wed, 01 Dec 1999 00:00:00 GMT", "", 0},
	} {
		bubble(t, what, func(t *testing.T) {
			f, name, tell := &file{data: bytesOf(5000)}, target(t), &events{}
			f.each = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Last-Modified", c.name)
				switch {
				case r.Header.Get("Range") != "":
					w.Header().Set("Content-Range", "bytes */5000")
					w.Header().Del("Last-Modified")
					if c.then != "" {
						w.Header().Set("Last-Modified", c.then)
					}
					w.WriteHeader(416)
				case len(f.asked()) == 1:
					_, _ = w.Write(f.data)
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				default:
					_, _ = w.Write(f.data)
				}
				return true
			}
			_, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, len(tell.restarted()), c.anew)
			holds(t, name, f.data)
		})
	}
}

// TestPartThatBreaks: the end of a connection is not the end of a file where a
// part was announced.
func TestPartThatBreaks(t *testing.T) {
	t.Parallel()
	data := bytesOf(10_000)
	for what, total := range map[string]string{"of a file of known length": "10000", "of one that is not": "*"} {
		bubble(t, what, func(t *testing.T) {
			f, name := &file{data: data, tag: tag}, target(t)
			f.each = func(w http.ResponseWriter, r *http.Request) bool {
				switch len(f.asked()) {
				case 1:
					_, _ = w.Write(data[:5000]) // chunked
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				case 2:
					return onWire(t, w, "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nETag: "+tag+"\r\nContent-Range: bytes 5000-9999/"+total+"\r\n\r\n"+string(data[5000:7000]))
				default:
					return false
				}
			}
			got, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: func(p transfer.Progress) {
				if p.Broken != nil {
					assert.ErrorIs(t, p.Broken, io.ErrUnexpectedEOF)
				}
			}}.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, got.Breaks, 2)
			assert.Equal(t, f.asked()[2], `bytes=7000- "v1"`)
			holds(t, name, data)
		})
	}
	bubble(t, "learns a length from whoever knows no ranges", func(t *testing.T) {
		f, name, tell := &file{data: data, tag: tag}, target(t), &events{}
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			if len(f.asked()) == 1 {
				_, _ = w.Write(data[:5000]) // chunked
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Content-Length", "10000")
			_, _ = w.Write(data)
			return true
		}
		d := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}
		_, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, len(f.asked()), 2)
		assert.Equal(t, tell.last().Total, 10_000)
		holds(t, name, data)
		f.seen, d.MaxBytes = nil, 9999
		_, err = d.ToFile(t.Context(), name)
		assert.ErrorIs(t, err, aplomb.ErrTooLarge)
		assert.Contains(t, err.Error(), "ended after 5000 bytes")
	})
}

// TestNoLength: where a file of unknown length is said to end before where we are,
// it is another.
func TestNoLength(t *testing.T) {
	t.Parallel()
	bubble(t, "has shrunk", func(t *testing.T) {
		data := bytesOf(10_000)
		f, name, tell := &file{tag: tag}, target(t), &events{}
		f.each = func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.Header.Get("Range") != "":
				w.Header().Set("Content-Range", "bytes */4000")
				w.WriteHeader(416)
			case len(f.asked()) == 1:
				_, _ = w.Write(data[:5000])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			default:
				_, _ = w.Write(data[:4000])
			}
			return true
		}
		_, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, data[:4000])
		assert.Equal(t, len(tell.restarted()), 1)
	})
}

// TestCheckpoints: what the next run would find is never more than 512 KiB behind,
// and is written down no more often than that takes.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	bubble(t, "are near", func(t *testing.T) {
		f, name := &file{data: bytesOf(4 << 20), tag: tag, chunk: 32 << 10, pause: 100 * time.Millisecond}, target(t)
		kept := map[int64]bool{}
		d := transfer.Download{Client: client(t, f), Path: "/f", Progress: func(p transfer.Progress) {
			raw, _ := os.ReadFile(name + ".part.json")
			var done int64
			if _, after, ok := strings.Cut(string(raw), `"done":[[0,`); ok {
				_, err := fmt.Sscan(strings.TrimSuffix(after, "]]}"), &done)
				assert.NoError(t, err)
			}
			kept[done] = true
			if !p.Complete {
				assert.True(t, p.Done-done <= 512<<10+64<<10, p.Done, done)
			}
		}}
		_, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.True(t, len(kept) > 4 && len(kept) <= 9, len(kept))
	})
	bubble(t, "are none where nobody could go on from them", func(t *testing.T) {
		f, name := &file{data: bytesOf(2 << 20), chunk: 32 << 10, pause: 100 * time.Millisecond}, target(t)
		_, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: func(p transfer.Progress) {
			if !p.Complete {
				others(t, name, "file.bin.part")
			}
		}}.ToFile(t.Context(), name)
		assert.NoError(t, err)
	})
}

// TestRefusedUnderWay: who is refused for what may pass asks again, no sooner than
// the server says and not where that is too late.
func TestRefusedUnderWay(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, status int, after string, opts ...aplomb.Option) (*file, transfer.Download) {
		t.Helper()
		f := &file{data: bytesOf(10_000), tag: tag, cuts: []int{5000}}
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			if len(f.asked()) != 2 {
				return false
			}
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			w.WriteHeader(status)
			return true
		}
		return f, transfer.Download{Client: client(t, f, append(opts, aplomb.NoRetry())...), Path: "/f"}
	}
	for status, again := range map[int]bool{429: true, 408: true, 500: true, 503: true, 403: false, 404: false, 410: false} {
		bubble(t, fmt.Sprintf("by %d", status), func(t *testing.T) {
			f, d := start(t, status, "")
			got, err := d.To(t.Context(), io.Discard)
			if again {
				assert.NoError(t, err)
				assert.Equal(t, got.Breaks, 2)
				return
			}
			assert.Equal(t, aplomb.StatusCode(err), status)
			assert.Equal(t, len(f.asked()), 2)
		})
	}
	bubble(t, "for half a minute", func(t *testing.T) {
		_, d := start(t, 503, "30")
		begun := time.Now()
		_, err := d.To(t.Context(), io.Discard)
		assert.NoError(t, err)
		took := time.Since(begun) - 30*time.Second
		assert.True(t, took >= 100*time.Millisecond && took < 5*time.Second, took) // after the break, and the client pads what a server asks for
	})
	bubble(t, "for an hour", func(t *testing.T) {
		f, d := start(t, 503, "3600")
		begun := time.Now()
		_, err := d.To(t.Context(), io.Discard)
		assert.Equal(t, aplomb.StatusCode(err), 503)
		assert.True(t, time.Since(begun) < time.Second)
		assert.Equal(t, len(f.asked()), 2)
	})
	bubble(t, "and is canceled as it waits", func(t *testing.T) {
		_, d := start(t, 503, "30")
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		time.AfterFunc(10*time.Second, func() { cancel(stop) })
		begun := time.Now()
		_, err := d.To(ctx, io.Discard)
		assert.ErrorIs(t, err, stop)
		assert.Equal(t, time.Since(begun), 10*time.Second)
	})
	bubble(t, "but not before it has begun", func(t *testing.T) {
		f, name := &file{each: func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }}, target(t)
		_, err := transfer.Download{Client: client(t, f, aplomb.NoRetry()), Path: "/f"}.ToFile(t.Context(), name)
		_, mine := errors.AsType[*transfer.Error](err)
		assert.True(t, aplomb.StatusCode(err) == 503 && !mine, err)
		assert.Equal(t, len(f.asked()), 1)
	})
}

// TestHTTP2: a body without a length has an end there.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	data := bytesOf(100_000)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, r.ProtoMajor, 2)
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(data)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Client().Transport))
	assert.NoError(t, err)
	name := target(t)
	_, err = transfer.Download{Client: c, Path: "/f"}.ToFile(t.Context(), name)
	assert.NoError(t, err)
	holds(t, name, data)
}

func TestTo(t *testing.T) {
	t.Parallel()
	bubble(t, "goes on where a connection broke", func(t *testing.T) {
		f, tell := &file{data: bytesOf(100_000), tag: tag, cuts: []int{33, 60_000}}, &events{}
		var buf bytes.Buffer
		got, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.To(t.Context(), &buf)
		assert.NoError(t, err)
		assert.Equal(t, got.Breaks, 2)
		assert.True(t, bytes.Equal(buf.Bytes(), f.data))
		tell.truthful(t)
	})
	bubble(t, "does not write another file's end", func(t *testing.T) {
		f := &file{data: bytesOf(10_000), tag: tag, cuts: []int{6000}}
		var buf bytes.Buffer
		w := writerFunc(func(p []byte) (int, error) { f.set(bytesOf(20_000), `"v2"`); return buf.Write(p) })
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.To(t.Context(), w)
		assert.ErrorIs(t, err, transfer.ErrChanged)
		assert.Equal(t, buf.Len(), 6000)
		e, _ := errors.AsType[*transfer.Error](err)
		assert.Equal(t, e.Kept, false)
	})
	bubble(t, "ends where it cannot go on", func(t *testing.T) {
		f := &file{data: bytesOf(10_000), cuts: []int{6000}}
		var buf bytes.Buffer
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.To(t.Context(), &buf)
		assert.ErrorIs(t, err, transfer.ErrNotResumable)
		assert.Contains(t, err.Error(), "unexpected EOF")
	})
	bubble(t, "ends with the writer's error", func(t *testing.T) {
		f, full := &file{data: bytesOf(10_000), tag: tag}, fmt.Errorf("full: %w", io.ErrUnexpectedEOF) // which is no connection's
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.To(t.Context(), writerFunc(func([]byte) (int, error) { return 0, full }))
		assert.ErrorIs(t, err, full)
		assert.Equal(t, len(f.asked()), 1)
	})
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }
