package transfer

import (
	"compress/gzip"
	"errors"
	"io"
)

// decode has the file's bytes read from a body that is compressed, though nobody
// asked for that: some stores send what they hold in the form in which they hold it.
func (rep *reply) decode(r *run) error {
	switch enc := encoding(rep.resp.Header); enc {
	case "":
		return nil
	case "gzip", "x-gzip":
		rep.body = &unzipped{run: r, limit: r.d.MaxBytes, wire: counting{r: rep.resp.Body, sum: newSumming(r.source.wire)}}
		return nil
	default:
		return final("the server sends the file compressed by %.40q, which was not asked for", enc)
	}
}

// unzipped is the body of a gzip answer: its digests are of what is on the wire,
// and what it may become is bounded.
type unzipped struct {
	run   *run
	wire  counting
	zip   *gzip.Reader
	n     int64
	limit int64 // 0 is the usual one
}

// A compressed file may always be so large, and beyond that grow so much: text
// seldom shrinks to less than a fiftieth, a bomb to a thousandth.
const (
	usualUnzipped = 32 << 20
	usualGrowth   = 100
)

func (u *unzipped) Read(p []byte) (n int, err error) {
	if u.zip == nil {
		u.zip, err = gzip.NewReader(&u.wire)
		switch {
		case errors.Is(err, io.EOF) && u.wire.n == 0: // what some servers make of an empty file
			return 0, u.end()
		case err != nil:
			return 0, err
		}
	}
	n, err = u.zip.Read(p)
	u.n += int64(n)
	limit := u.limit
	if limit == 0 {
		limit = usualUnzipped + usualGrowth*u.wire.n
	}
	switch {
	case u.n > limit:
		return 0, &finalError{&tooLargeError{limit, "the file, decompressed,"}}
	case errors.Is(err, io.EOF):
		return n, u.end()
	}
	return n, err
}

// end is io.EOF once the answer is whole.
func (u *unzipped) end() error {
	if _, err := io.Copy(io.Discard, &u.wire); err != nil {
		return err
	}
	verified, err := u.wire.sum.check(u.run)
	if err != nil {
		return &finalError{err}
	}
	u.run.verified = verified
	return io.EOF
}

// counting counts and digests what is read.
type counting struct {
	r   io.Reader
	n   int64
	sum *summing
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	_, _ = c.sum.Write(p[:n]) // hashes do not fail
	return n, err
}
