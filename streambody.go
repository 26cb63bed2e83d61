package aplomb

import (
	"errors"
	"io"

	"github.com/aplomb-go/aplomb/internal/bom"
)

// streamBody is the body of a stream's answer.
type streamBody struct {
	r    io.Reader
	n    int64         // bytes read
	last byte          // of them
	over tooLargeError // of an item, with the limit that it is over
}

func (s *stream) newBody(limit int64) *streamBody {
	return &streamBody{r: bom.Reader(s.resp.Body), over: tooLargeError{s.resp.StatusCode, limit}}
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
// more once the item cannot fit, whatever white space is before it. What it has read
// has still to be looked at.
type itemReader struct {
	*streamBody
	item int64 // where the item before ends
}

// between is how much there may be between two items.
const between = 4 << 10

func (r *itemReader) Read(p []byte) (int, error) {
	if err := r.fits(r.n - r.item - between); err != nil {
		return 0, err
	}
	return r.streamBody.Read(p)
}

// ended makes an error of an end that came too early.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
