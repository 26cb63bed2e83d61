package transfer_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
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
			conn, buf, err := http.NewResponseController(w).Hijack()
			assert.NoError(t, err)
			_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
			_, _ = buf.Write(data)
			_ = buf.Flush()
			return conn.Close() == nil
		}}
		name, c := target(t), client(t, f)
		_, err := transfer.Download{Client: c, Path: "/f"}.ToFile(t.Context(), name)
		assert.Contains(t, fmt.Sprint(err), "neither how long the file is nor where it ends")
		_, err = transfer.Download{Client: c, Path: "/f", SHA256: right}.ToFile(t.Context(), name)
		assert.NoError(t, err)
		holds(t, name, data)
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
			d := transfer.Download{Client: client(t, f), Path: "/f", MaxBytes: 9999}
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
			holds(t, name, f.data)
		})
	}
}

// zeros is a gzip file of n zeros.
func zeros(t *testing.T, n int64) []byte {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	_, err := io.CopyN(zip, zeroReader{}, n)
	assert.NoError(t, err)
	assert.NoError(t, zip.Close())
	return buf.Bytes()
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// compressed is a server that compresses whatever it is asked.
func compressed(raw []byte, header ...string) *file {
	f := &file{data: raw, tag: tag, header: append(header, "Content-Encoding", "gzip")}
	return f
}

// TestGzipBomb is not parallel: it looks at how much is allocated.
func TestGzipBomb(t *testing.T) { //nolint:paralleltest // see above
	bomb := zeros(t, 256<<20)
	c := client(t, compressed(bomb))
	name := target(t)
	for what, d := range map[string]transfer.Download{"as usual": {}, "with a limit": {MaxBytes: 100 << 20}, "with none": {MaxBytes: 256 << 20}} {
		d.Client, d.Path = c, "/f"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := d.To(t.Context(), io.Discard)
		runtime.ReadMemStats(&after)
		if d.MaxBytes == 256<<20 {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, aplomb.ErrTooLarge, what)
		}
		took := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d KiB on the wire, %d KiB allocated: %v", what, len(bomb)>>10, took>>10, err)
		assert.True(t, took < 40<<20, what, took)
	}
	_, err := transfer.Download{Client: c, Path: "/f"}.ToFile(t.Context(), name)
	assert.ErrorIs(t, err, aplomb.ErrTooLarge)
	others(t, name)
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
		_, err := transfer.Download{Client: client(t, compressed(raw, "Content-Digest", wrong)), Path: "/f"}.ToFile(t.Context(), name)
		_, ok := errors.AsType[*transfer.ChecksumError](err)
		assert.True(t, ok, err)
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
	bubble(t, "by what nobody asked for is refused", func(t *testing.T) {
		f := &file{data: raw, tag: tag, header: []string{"Content-Encoding", "br"}}
		_, err := transfer.Download{Client: client(t, f), Path: "/f"}.ToFile(t.Context(), target(t))
		assert.Contains(t, fmt.Sprint(err), `compressed by "br"`)
	})
}
