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
		assert.Contains(t, err.Error(), "transfer: GET /f: ended after 4000 of 10000 bytes and 2 broken connections: ")
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
		assert.Equal(t, fmt.Sprint(tell.all[0].Done, tell.all[0].Total, tell.all[0].Resumed), "5000 10000 5000")
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
	})
	bubble(t, "leaves nothing of a longer file", func(t *testing.T) {
		f, d, name, _ := start(t)
		f.set(bytesOf(1000), `"v2"`)
		_, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, f.data)
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
		assert.NoError(t, os.WriteFile(name+".part", f.data, 0o600))
		raw, err := os.ReadFile(name + ".part.json")
		assert.NoError(t, err)
		assert.NoError(t, os.WriteFile(name+".part.json", bytes.Replace(raw, []byte("[0,5000]"), []byte("[0,10000]"), 1), 0o600))
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Bytes, 10_000)
		assert.Equal(t, f.sent, 1)
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
	bubble(t, "is given up at some point, with nothing left behind", func(t *testing.T) {
		f, name := &file{data: bytesOf(10_000)}, target(t)
		for range 20 {
			f.cuts = append(f.cuts, 6000)
		}
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.ErrorIs(t, err, transfer.ErrChanged)
		assert.Contains(t, err.Error(), "no strong validator")
		assert.Equal(t, len(f.asked()), 6)
		others(t, name)
	})
	bubble(t, "ends also where no byte comes", func(t *testing.T) {
		f, name := &file{}, target(t)
		f.each = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "10")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.True(t, err != nil)
		assert.True(t, len(f.asked()) <= 6, len(f.asked()))
		others(t, name)
	})
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
		{"a longer file's rest", 206, header{"Content-Range": "bytes 5000-9999/20000"}, data[:5000], "", "the file has another length"},
		{"it compressed", 206, header{"Content-Range": "bytes 5000-9999/10000", "Content-Encoding": "gzip"}, data[:5000], "", "the server compresses it now"},
		{"a shorter file", 416, header{"Content-Range": "bytes */4000"}, nil, "", "the file is shorter than what is there of it"},
		{"all of it, as it knows no ranges", 200, header{}, data, "", ""},
	} {
		bubble(t, c.what, func(t *testing.T) {
			f, name, tell := &file{data: data, tag: tag, cuts: []int{5000}}, target(t), &events{}
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
			_, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.ToFile(t.Context(), name)
			if c.want != "" {
				assert.Contains(t, fmt.Sprint(err), c.want)
				return
			}
			assert.NoError(t, err)
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
		assert.ErrorIs(t, err, transfer.ErrChanged)
		assert.Contains(t, err.Error(), "unexpected EOF")
	})
	bubble(t, "ends with the writer's error", func(t *testing.T) {
		f, full := &file{data: bytesOf(10_000), tag: tag}, errors.New("full")
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.To(t.Context(), writerFunc(func([]byte) (int, error) { return 0, full }))
		assert.ErrorIs(t, err, full)
		assert.Equal(t, len(f.asked()), 1)
	})
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }
