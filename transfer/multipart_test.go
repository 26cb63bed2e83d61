package transfer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/transfer"
)

// read is the parts of a form as another reads them.
func read(t *testing.T, kind string, body []byte) (parts []string) {
	t.Helper()
	_, params, err := mime.ParseMediaType(kind)
	assert.NoError(t, err)
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		assert.NoError(t, err)
		content, err := io.ReadAll(p)
		assert.NoError(t, err)
		parts = append(parts, fmt.Sprintf("%s|%s|%d", p.Header.Get("Content-Disposition"), p.Header.Get("Content-Type"), len(content)))
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	opener := func(s string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
	}
	post := func(t *testing.T, s *taker, parts ...transfer.Part) error {
		t.Helper()
		_, err := aplomb.Post[struct{}](t.Context(), client(t, s), "/v1/files", aplomb.IdempotencyKey("k"), transfer.Multipart(parts...).Body())
		return err
	}
	bubble(t, "is streamed, has its length, and is replayed byte for byte", func(t *testing.T) {
		s, name := &taker{statuses: []int{503, 200}}, target(t)
		assert.NoError(t, os.WriteFile(name, bytesOf(300_000), 0o600))
		assert.NoError(t, post(t, s, transfer.Field("purpose", "a\r\nb"), transfer.File("file", name), transfer.Part{Name: "more", Filename: "x.csv", ContentType: "text/csv", Open: opener("1,2"), Size: 3}))
		assert.Equal(t, strings.Join(read(t, s.kinds[0], s.bodies[0]), "\n"), strings.Join([]string{
			`form-data; name="purpose"||4`,
			`form-data; name="file"; filename="file.bin"|application/octet-stream|300000`,
			`form-data; name="more"; filename="x.csv"|text/csv|3`,
		}, "\n"))
		assert.Equal(t, len(s.bodies), 2)
		assert.Equal(t, s.kinds[0], s.kinds[1])
		assert.True(t, bytes.Equal(s.bodies[0], s.bodies[1]))
		assert.Equal(t, fmt.Sprint(s.lengths), fmt.Sprint([]int{len(s.bodies[0]), len(s.bodies[0])}))
	})
	bubble(t, "is chunked where a part does not know its length", func(t *testing.T) {
		s := &taker{}
		assert.NoError(t, post(t, s, transfer.Part{Name: "a", Open: opener("x")}, transfer.Field("b", "")))
		assert.Equal(t, fmt.Sprint(s.lengths), "[-1]")
		assert.Equal(t, fmt.Sprintf("%q", read(t, s.kinds[0], s.bodies[0])), `["form-data; name=\"a\"||1" "form-data; name=\"b\"||0"]`)
	})
	bubble(t, "quotes what would end a name", func(t *testing.T) {
		s := &taker{}
		assert.NoError(t, post(t, s, transfer.Part{Name: "a\"\r\nX: y", Filename: "ü\\\".bin\n", Open: opener("x")}))
		assert.Equal(t, read(t, s.kinds[0], s.bodies[0])[0], `form-data; name="a%22%0D%0AX: y"; filename="ü\%22.bin%0A"|application/octet-stream|1`)
	})
	bubble(t, "is of the parts that it was given", func(t *testing.T) {
		s, parts := &taker{}, []transfer.Part{transfer.Field("a", "1")}
		u := transfer.Multipart(parts...)
		parts[0] = transfer.Field("b", "22")
		_, err := aplomb.Post[struct{}](t.Context(), client(t, s), "/v1/files", u.Body())
		assert.NoError(t, err)
		assert.Equal(t, read(t, s.kinds[0], s.bodies[0])[0], `form-data; name="a"||1`)
	})
	bubble(t, "may have no part", func(t *testing.T) {
		s := &taker{}
		assert.NoError(t, post(t, s))
		assert.Equal(t, len(read(t, s.kinds[0], s.bodies[0])), 0)
	})
	bubble(t, "says which part is wrong", func(t *testing.T) {
		for want, p := range map[string]transfer.Part{
			"part 2: it has no name": transfer.Field("", "x"), "part 2: its Open is nil": {Name: "a"},
			"part 2: its ContentType has a line break": {Name: "a", ContentType: "a\r\nb", Open: opener("")},
			"part 2: stat":           transfer.File("a", target(t)),
			"part 2: it is a folder": transfer.File("a", t.TempDir()),
		} {
			s := &taker{}
			assert.Contains(t, fmt.Sprint(post(t, s, transfer.Field("ok", "1"), p)), want)
			assert.Equal(t, len(s.bodies), 0)
		}
	})
	bubble(t, "never ends early for a whole form", func(t *testing.T) {
		s, broken := &taker{}, errors.New("disk")
		bad := func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("ab"), failing{broken})), nil
		}
		err := post(t, s, transfer.Part{Name: "a", Open: bad, Size: 100})
		assert.ErrorIs(t, err, broken)
		err = post(t, s, transfer.Part{Name: "a", Open: func() (io.ReadCloser, error) { return nil, nil }})
		assert.Contains(t, fmt.Sprint(err), "neither a body nor an error")
	})
	bubble(t, "holds a part to its size, also where another has none", func(t *testing.T) {
		for size, want := range map[int64]string{4: "Multipart: part 2: 4 bytes were promised, and 3 came", 2: "Multipart: part 2: 2 bytes were promised, and more came"} {
			s := &taker{}
			err := post(t, s, transfer.Part{Name: "a", Open: opener("x")}, transfer.Part{Name: "b", Open: opener("abc"), Size: size})
			assert.Contains(t, fmt.Sprint(err), want)
			synctest.Wait()
			assert.True(t, !s.whole)
		}
	})
	bubble(t, "closes each file, once", func(t *testing.T) {
		closed := 0
		part := transfer.Part{Name: "a", Open: func() (io.ReadCloser, error) {
			return closer{strings.NewReader("abc"), func() { closed++ }}, nil
		}}
		body, err := transfer.Multipart(part, part, part).Open()
		assert.NoError(t, err)
		_, err = io.Copy(io.Discard, body)
		assert.NoError(t, err)
		assert.NoError(t, body.Close())
		assert.Equal(t, closed, 3)
		body, err = transfer.Multipart(part, part).Open()
		assert.NoError(t, err)
		_, err = io.ReadFull(body, make([]byte, 81)) // the first byte of the first
		assert.NoError(t, err)
		assert.NoError(t, body.Close())
		assert.NoError(t, body.Close())
		assert.Equal(t, closed, 4)
	})
	bubble(t, "goes compressed, with its progress of what it is", func(t *testing.T) {
		s, tell := &taker{}, &events{}
		u := transfer.Multipart(transfer.Field("text", strings.Repeat("line\n", 20_000)))
		u.Progress = tell.add
		_, err := aplomb.Post[struct{}](t.Context(), client(t, s), "/f", u.Body(), aplomb.Gzip())
		assert.NoError(t, err)
		assert.True(t, len(s.bodies[0]) < 10_000)
		assert.True(t, tell.last().Done > 100_000)
		tell.truthful(t)
	})
}

type closer struct {
	io.Reader
	closed func()
}

func (c closer) Close() error { c.closed(); return nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// slowFile takes its time, and counts how often it is closed.
type slowFile struct{ closed atomic.Int32 }

func (f *slowFile) Read(p []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	return copy(p, "abc"), nil
}

func (f *slowFile) Close() error { f.closed.Add(1); return nil }

// TestMultipartIsClosedWhileItIsRead: as HTTP/2 does when a call is given up.
func TestMultipartIsClosedWhileItIsRead(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"while its file is opened": 10 * time.Millisecond, "while it is read": 80 * time.Millisecond} {
		bubble(t, name, func(t *testing.T) {
			file := &slowFile{}
			form := transfer.Multipart(transfer.Part{Name: "f", Filename: "f", Size: 3, Open: func() (io.ReadCloser, error) {
				time.Sleep(50 * time.Millisecond)
				return file, nil
			}})
			body, err := form.Open()
			assert.NoError(t, err)
			time.AfterFunc(after, func() { _ = body.Close() })
			_, err = io.Copy(io.Discard, body)
			assert.True(t, err != nil)
			synctest.Wait()
			assert.Equal(t, file.closed.Load(), 1)
		})
	}
}
