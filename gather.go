package aplomb

import (
	"io"
	"math"
)

// pieces are a body in memory. It is put together once it is known to be wanted: a
// buffer that grew along would cost twice a body that turns out to be too large.
type pieces [][]byte

// pieceSize is how large the first piece, which grows, may become, and how large those
// after it are made.
const pieceSize = 1 << 20

// gather reads limit bytes and, to tell, one more; hint is the announced length, -1
// if there is none. n is how many there were.
func gather(r io.Reader, limit, hint int64) (all pieces, n int64, err error) {
	size := int64(512)
	if hint >= 0 {
		size = min(hint, limit, pieceSize) + 1 // one more than announced, to meet EOF without growing
	}
	for limit = min(limit, math.MaxInt64-1) + 1; n < limit && err == nil; size = pieceSize {
		var piece []byte
		piece, err = fill(r, make([]byte, 0, size), min(limit-n, max(size, pieceSize)))
		all, n = append(all, piece), n+int64(len(piece))
	}
	if err == io.EOF { //nolint:errorlint // of the body itself
		err = nil
	}
	return all, n, err
}

// fill reads up to most bytes into buf, which grows to what it needs.
func fill(r io.Reader, buf []byte, most int64) ([]byte, error) {
	for int64(len(buf)) < most {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):min(int64(cap(buf)), most)])
		buf = buf[:len(buf)+n]
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// join is the n bytes of the pieces.
func (p pieces) join(n int64) []byte {
	if len(p) == 1 {
		return p[0]
	}
	all := make([]byte, 0, n)
	for _, piece := range p {
		all = append(all, piece...)
	}
	return all
}
