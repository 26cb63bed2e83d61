package aplomb

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
)

// streamBody is the body of a stream's answer.
type streamBody struct {
	r    io.Reader
	n    int64         // bytes read
	last byte          // of them
	over tooLargeError // of an item, with the limit that it is over
}

func (s *stream) newBody(limit int64) *streamBody {
	return &streamBody{r: withoutMark(s.resp.Body), over: tooLargeError{s.resp.StatusCode, limit}}
}

func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if n > 0 {
		b.n += int64(n)
		b.last = p[n-1]
	}
	return n, err
}

// fits is the error of an item of size bytes, if that is too much.
func (b *streamBody) fits(size int64) error {
	if size > b.over.limit {
		return &b.over
	}
	return nil
}

// itemReader is what a decoder reads that holds the whole of an item: it is given no
// more once the item cannot fit. What it has read at once has still to be looked at.
type itemReader struct {
	*streamBody
	item int64 // where the item begins that is being read
}

func (r *itemReader) Read(p []byte) (int, error) {
	if err := r.fits(r.n - r.item); err != nil {
		return 0, err
	}
	return r.streamBody.Read(p)
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// withoutMark reads r, but for a byte order mark at its beginning.
func withoutMark(r io.Reader) io.Reader {
	b := bufio.NewReaderSize(r, minRead)
	return &unmarked{b, false}
}

// minRead is enough for a mark; larger reads go past the buffer.
const minRead = 16

type unmarked struct {
	*bufio.Reader
	begun bool
}

func (u *unmarked) Read(p []byte) (int, error) {
	if !u.begun {
		u.begun = true
		if head, _ := u.Peek(len(byteOrderMark)); bytes.Equal(head, byteOrderMark) {
			_, _ = u.Discard(len(byteOrderMark))
		}
	}
	return u.Reader.Read(p)
}

// endless reports an answer that ends where its connection does, cut off or not.
func (s *stream) endless() bool {
	return s.resp.ProtoMajor == 1 && s.resp.ContentLength < 0 && !s.resp.Uncompressed && len(s.resp.TransferEncoding) == 0
}

// empty reports an answer that has no items by its status.
func (s *stream) empty() bool {
	return s.resp.StatusCode == http.StatusNoContent || s.resp.StatusCode == http.StatusResetContent
}

// ended makes an error of an end that came too early.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
