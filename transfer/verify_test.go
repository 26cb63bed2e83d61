package transfer_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/transfer"
)

func sha256Of(data []byte) (hexed, field string) {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	data := bytesOf(10_000)
	right, field := sha256Of(data)
	wrong, wrongField := sha256Of(nil)
	long := sha512.Sum512(data)
	longField := "sha-512=:" + base64.StdEncoding.EncodeToString(long[:]) + ":"
	md := md5.Sum(data)
	for _, c := range []struct {
		what   string
		d      transfer.Download
		tag    string
		header []string
		want   string // what was verified, or "wrong" with the algorithm
	}{
		{"given", transfer.Download{SHA256: right}, tag, nil, "[sha-256]"},
		{"given in capitals", transfer.Download{SHA256: fmt.Sprintf("%X", sha256.Sum256(data))}, tag, nil, "[sha-256]"},
		{"given and wrong", transfer.Download{SHA256: wrong}, tag, nil, "wrong sha-256"},
		{"by Repr-Digest", transfer.Download{}, tag, []string{"Repr-Digest", field}, "[sha-256]"},
		{"by Repr-Digest, wrong", transfer.Download{}, tag, []string{"Repr-Digest", wrongField}, "wrong sha-256"},
		{"by Content-Digest", transfer.Download{}, tag, []string{"Content-Digest", field}, "[sha-256]"},
		{"by Content-Digest, wrong", transfer.Download{}, "", []string{"Content-Digest", wrongField}, "wrong sha-256"},
		{"by the strongest of two", transfer.Download{}, tag, []string{"Repr-Digest", wrongField + ", " + longField + ";p=1"}, "[sha-512]"},
		{"by both", transfer.Download{SHA256: right}, tag, []string{"Repr-Digest", longField}, "[sha-256 sha-512]"},
		{"of a kind that is not known", transfer.Download{}, tag, []string{"Repr-Digest", "crc32=:AAAA:, sha-256=:AAAA:, sha-512"}, "[]"},
		{"by ETag", transfer.Download{ETagMD5: true}, fmt.Sprintf("%q", hex.EncodeToString(md[:])), nil, "[md5]"},
		{"by ETag, wrong", transfer.Download{ETagMD5: true}, `"00000000000000000000000000000000"`, nil, "wrong md5"},
		{"by an ETag that is none", transfer.Download{ETagMD5: true}, `"00000000000000000000000000000000-2"`, nil, "[]"},
		{"by an ETag that is shorter", transfer.Download{ETagMD5: true}, `"00000000"`, nil, "[]"},
		{"by an ETag that nobody said is one", transfer.Download{}, `"00000000000000000000000000000000"`, nil, "[]"},
	} {
		bubble(t, c.what, func(t *testing.T) {
			f, name, tell := &file{data: data, tag: c.tag, header: c.header}, target(t), &events{}
			if c.tag != "" {
				f.cuts = []int{5000}
			}
			assert.NoError(t, os.WriteFile(name, []byte("old"), 0o600))
			c.d.Client, c.d.Path, c.d.Progress = client(t, f), "/f", tell.add
			got, err := c.d.ToFile(t.Context(), name)
			if e, ok := errors.AsType[*transfer.ChecksumError](err); ok {
				assert.Equal(t, "wrong "+e.Algorithm, c.want)
				assert.Contains(t, err.Error(), "should be "+e.Want)
				holds(t, name, []byte("old"))
				assert.Equal(t, tell.last().Complete, false)
				_, err = c.d.To(t.Context(), io.Discard)
				_, ok = errors.AsType[*transfer.ChecksumError](err)
				assert.True(t, ok)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(got.Verified), c.want)
			holds(t, name, data)
			to, err := c.d.To(t.Context(), io.Discard)
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(to.Verified), c.want)
		})
	}
	bubble(t, "is of the disk, also of what an earlier run wrote", func(t *testing.T) {
		f, name := &file{data: data, tag: tag, header: []string{"Repr-Digest", field}}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		half(t, f, d, name)
		f.header = nil // the part's state knows it
		part, err := os.OpenFile(name+".part", os.O_RDWR, 0)
		assert.NoError(t, err)
		_, err = part.WriteAt([]byte{data[10] ^ 1}, 10)
		assert.NoError(t, err)
		assert.NoError(t, part.Close())
		_, err = d.ToFile(t.Context(), name)
		e, ok := errors.AsType[*transfer.ChecksumError](err)
		assert.True(t, ok)
		assert.Equal(t, e.Want, right)
		others(t, name)
		got, err := d.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Resumed, 0)
	})
	bubble(t, "is what tells the end where the connection does", func(t *testing.T) {
		f := &file{each: func(w http.ResponseWriter, _ *http.Request) bool {
			return onWire(t, w, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+string(data))
		}}
		name, c := target(t), client(t, f)
		_, err := transfer.Download{Client: c, Path: "/f"}.ToFile(t.Context(), name)
		assert.Contains(t, fmt.Sprint(err), "neither how long the file is nor where it ends")
		_, err = transfer.Download{Client: c, Path: "/f", SHA256: right}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, data)
	})
}

// TestLaterDigest: what a later answer says of the whole file counts as well.
func TestLaterDigest(t *testing.T) {
	t.Parallel()
	data := bytesOf(10_000)
	right, rightField := sha256Of(data)
	_, wrongField := sha256Of(nil)
	long := sha512.Sum512(data)
	longField := "sha-512=:" + base64.StdEncoding.EncodeToString(long[:]) + ":"
	for _, c := range []struct {
		what        string
		first, then []string // headers
		whole       bool     // it knows no ranges
		want        string   // what was verified, "wrong", or why it started anew
		stream      string   // the same for a writer
	}{
		{"is right", nil, []string{"Repr-Digest", rightField}, false, "[sha-256]", "[]"},
		{"is wrong", nil, []string{"Repr-Digest", wrongField}, false, "wrong", "[]"},
		{"says the same", []string{"Repr-Digest", rightField}, []string{"Repr-Digest", rightField}, false, "[sha-256]", "[sha-256]"},
		{"is another", []string{"Repr-Digest", rightField}, []string{"Repr-Digest", longField}, false, "[sha-256 sha-512]", "[sha-256]"},
		{"contradicts", []string{"Repr-Digest", rightField}, []string{"Repr-Digest", wrongField}, false, "the file has changed", "changed"},
		{"is of a part alone", nil, []string{"Content-Digest", wrongField}, false, "[]", "[]"},
		{"is right, with all of it", nil, []string{"Content-Digest", rightField}, true, "[sha-256]", "[]"},
		{"contradicts, with all of it", []string{"Repr-Digest", rightField}, []string{"Repr-Digest", wrongField}, true, "wrong", "changed"},
	} {
		bubble(t, c.what, func(t *testing.T) {
			f, name, tell := &file{data: data, tag: tag}, target(t), &events{}
			f.each = func(w http.ResponseWriter, r *http.Request) bool {
				header := c.first
				if r.Header.Get("Range") != "" {
					header = c.then
				}
				for i := 0; i+1 < len(header); i += 2 {
					w.Header().Set(header[i], header[i+1])
				}
				if c.whole && r.Header.Get("Range") != "" {
					_, _ = w.Write(data)
					return true
				}
				return false
			}
			d := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}
			f.cuts = []int{6000}
			got, err := d.ToFile(t.Context(), name)
			if c.want == "wrong" {
				_, ok := errors.AsType[*transfer.ChecksumError](err)
				assert.True(t, ok, err)
				others(t, name)
				assert.Equal(t, len(tell.restarted()), len(c.first)/2, "what contradicts the first answer is another file")
			} else {
				assert.NoError(t, err)
				holds(t, name, data)
				assert.Equal(t, fmt.Sprint(got.Verified)+strings.Join(tell.restarted(), ";"), strings.Replace(c.want, "the", "[sha-256]the", 1))
				tell.truthful(t)
			}
			f.cuts = []int{6000}
			got, err = d.To(t.Context(), io.Discard)
			if c.stream == "changed" {
				assert.ErrorIs(t, err, transfer.ErrChanged)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(got.Verified), c.stream, "what was written before it was heard of is not summed")
		})
	}
	bubble(t, "is known to the next run", func(t *testing.T) {
		f, name := &file{data: data, tag: tag}, target(t)
		d := transfer.Download{Client: client(t, f), Path: "/f"}
		f.each = func(w http.ResponseWriter, r *http.Request) bool {
			switch r.Header.Get("Range") {
			case "bytes=6000-":
				w.Header().Set("Repr-Digest", wrongField)
			case "bytes=7000-":
				w.WriteHeader(403)
				return true
			}
			return false
		}
		f.cuts = []int{6000, 1000}
		_, err := d.ToFile(t.Context(), name)
		assert.Equal(t, aplomb.StatusCode(err), 403)
		f.each = nil
		_, err = d.ToFile(t.Context(), name)
		_, ok := errors.AsType[*transfer.ChecksumError](err)
		assert.True(t, ok, err)
	})
	bubble(t, "of the caller's kind is compared once where it is the same", func(t *testing.T) {
		f := &file{data: data, tag: tag, header: []string{"Repr-Digest", rightField}}
		got, err := transfer.Download{Client: client(t, f), Path: "/f", SHA256: right}.To(t.Context(), io.Discard)
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(got.Verified), "[sha-256]")
	})
	bubble(t, "does not save a writer from an end that nobody can tell", func(t *testing.T) {
		f := &file{data: data, tag: tag, cuts: []int{6000}}
		f.each = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				_ = http.NewResponseController(w).Flush() // chunked
				return false
			}
			return onWire(t, w, "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: "+tag+"\r\nRepr-Digest: "+rightField+"\r\n\r\n"+string(data[:8000]))
		}
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.To(t.Context(), io.Discard)
		assert.Contains(t, fmt.Sprint(err), "nor where it ends")
	})
}

func TestLimit(t *testing.T) {
	t.Parallel()
	for what, header := range map[string][]string{"that is stated": nil, "that is not": {"Transfer-Encoding", "chunked"}} {
		bubble(t, "of a length "+what, func(t *testing.T) {
			f, name := &file{data: bytesOf(10_000), tag: tag}, target(t)
			if header != nil {
				f.each = func(w http.ResponseWriter, _ *http.Request) bool {
					_ = http.NewResponseController(w).Flush()
					_, err := w.Write(f.data)
					return err == nil
				}
			}
			tell := &events{}
			d := transfer.Download{Client: client(t, f), Path: "/f", MaxBytes: 9999, Progress: tell.add}
			_, err := d.ToFile(t.Context(), name)
			assert.ErrorIs(t, err, aplomb.ErrTooLarge)
			assert.Contains(t, err.Error(), "raise Download.MaxBytes")
			e, _ := errors.AsType[*transfer.Error](err)
			if header == nil {
				assert.Equal(t, e.Done, 0, "what is stated to be too large is not begun")
			}
			d.MaxBytes++
			_, err = d.ToFile(t.Context(), name)
			assert.NoError(t, err)
			assert.Equal(t, tell.last().Total, 10_000)
			holds(t, name, f.data)
		})
	}
}

// zeros is a gzip file of one member (RFC 1952) with n MiB of zeros, of which one is
// compressed and the others repeat it.
func zeros(t *testing.T, n int) []byte {
	t.Helper()
	mib, block, crc := make([]byte, 1<<20), &bytes.Buffer{}, uint32(0)
	zip, err := flate.NewWriter(block, flate.DefaultCompression)
	assert.NoError(t, err)
	_, err = zip.Write(mib)
	assert.NoError(t, errors.Join(err, zip.Flush()))
	for range n {
		crc = crc32.Update(crc, crc32.IEEETable, mib)
	}
	file := append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), bytes.Repeat(block.Bytes(), n)...)
	file = append(file, "\x03\x00"...) // the last block, with nothing in it
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(file, crc), uint32(n<<20))
}

// compressed is a server that compresses whatever it is asked.
func compressed(raw []byte, header ...string) *file {
	return &file{data: raw, tag: tag, header: append([]string{"Content-Encoding", "gzip"}, header...)}
}

// TestLaw07_GzipBomb is not parallel: it looks at how much is allocated. What unpacks to
// 256 MiB, in one member or in many (RFC 1952, section 2.2), costs under 40 MiB on
// each way that it can take.
func TestLaw07_GzipBomb(t *testing.T) { //nolint:paralleltest // see above
	for members, bomb := range map[string][]byte{"one member": zeros(t, 256), "256 members": bytes.Repeat(zeros(t, 1), 256)} {
		c, name := client(t, compressed(bomb)), target(t)
		for way, fetch := range map[string]func() error{
			"ToFile": func() error {
				_, err := transfer.Download{Client: c, Path: "/f"}.ToFile(t.Context(), name)
				others(t, name)
				return err
			},
			"To": func() error {
				_, err := transfer.Download{Client: c, Path: "/f"}.To(t.Context(), io.Discard)
				return err
			},
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := fetch()
			runtime.ReadMemStats(&after)
			assert.ErrorIs(t, err, aplomb.ErrTooLarge, members, way)
			took := after.TotalAlloc - before.TotalAlloc
			t.Logf("%s, %s: %d KiB on the wire, %d KiB allocated: %v", members, way, len(bomb)>>10, took>>10, err)
			assert.True(t, took < 40<<20, members, way, took)
		}
	}
}

// TestUnzipped: what a server compresses is bounded by MaxBytes where that is set,
// and else by how much was received of it.
func TestUnzipped(t *testing.T) {
	t.Parallel()
	const size = 40 << 20
	bomb := zeros(t, size>>20)
	for _, c := range []struct {
		max  int64
		want string
	}{{0, "than 37"}, {size - 1, "than 41943039 "}, {size, ""}} {
		bubble(t, fmt.Sprintf("MaxBytes %d", c.max), func(t *testing.T) {
			got, err := transfer.Download{Client: client(t, compressed(bomb)), Path: "/f", MaxBytes: c.max}.To(t.Context(), io.Discard)
			if c.want != "" {
				assert.ErrorIs(t, err, aplomb.ErrTooLarge)
				assert.Contains(t, err.Error(), "the file, decompressed, is larger "+c.want)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, got.Bytes, size)
		})
	}
}

func TestCompressed(t *testing.T) {
	t.Parallel()
	plain := bytes.Repeat([]byte("some line of a table\n"), 5000)
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	_, _ = zip.Write(plain)
	_ = zip.Close()
	raw := buf.Bytes()
	right, _ := sha256Of(plain)
	_, wire := sha256Of(raw)
	_, wrong := sha256Of(nil)
	bubble(t, "is asked not to be, and is taken as it is meant", func(t *testing.T) {
		f, name := compressed(raw, "Repr-Digest", wire), target(t)
		f.each = func(_ http.ResponseWriter, r *http.Request) bool {
			assert.Equal(t, r.Header.Get("Accept-Encoding"), "identity")
			return false
		}
		got, err := transfer.Download{Client: client(t, f), Path: "/f", SHA256: right}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Bytes, int64(len(plain)))
		holds(t, name, plain)
	})
	bubble(t, "has its digest compared", func(t *testing.T) {
		name := target(t)
		f := compressed(raw, "Content-Digest", wrong, "Content-Encoding", "x-gzip")
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		_, ok := errors.AsType[*transfer.ChecksumError](err)
		assert.True(t, ok, err)
		assert.Equal(t, len(f.asked()), 1)
		others(t, name)
	})
	bubble(t, "starts anew where it breaks", func(t *testing.T) {
		f, name, tell := compressed(raw), target(t), &events{}
		f.cuts = []int{len(raw) - 1, 5}
		got, err := transfer.Download{Client: client(t, f), Path: "/f", Progress: tell.add}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Breaks, 2)
		assert.Equal(t, fmt.Sprintf("%q", f.asked()), `["" "" ""]`)
		holds(t, name, plain)
		tell.truthful(t)
	})
	bubble(t, "may end with its connection only where a digest tells the end", func(t *testing.T) {
		for _, c := range []struct{ sent, header, sha256, want string }{
			{string(raw), "", "", "nor where it ends"},
			{string(raw), "", right, ""},
			{string(raw), "Content-Digest: " + wire + "\r\n", "", ""},
			{string(raw), "Content-Digest: " + wrong + "\r\n", "", "should be"},
		} {
			name := target(t)
			f := &file{each: func(w http.ResponseWriter, _ *http.Request) bool {
				return onWire(t, w, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n"+c.header+"\r\n"+c.sent)
			}}
			got, err := transfer.Download{Client: client(t, f), Path: "/f", SHA256: c.sha256}.ToFile(t.Context(), name)
			if c.want != "" {
				assert.Contains(t, fmt.Sprint(err), c.want)
				others(t, name)
				continue
			}
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(got.Verified), "[sha-256]")
			holds(t, name, plain)
		}
	})
	bubble(t, "may be empty", func(t *testing.T) {
		name := target(t)
		_, err := transfer.Download{Client: client(t, compressed(nil)), Path: "/f"}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, nil)
	})
	bubble(t, "is not where the server says that it is not", func(t *testing.T) {
		f, name := &file{data: plain, tag: tag, cuts: []int{6000}, header: []string{"Content-Encoding", "identity"}}, target(t)
		got, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		assert.Equal(t, got.Restarts, 0)
		holds(t, name, plain)
	})
	bubble(t, "by what nobody asked for is refused", func(t *testing.T) {
		f := &file{data: raw, tag: tag, header: []string{"Content-Encoding", "br"}}
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), target(t))
		assert.Contains(t, fmt.Sprint(err), `compressed by "br"`)
	})
}
