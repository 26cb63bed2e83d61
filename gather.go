package aplomb

import (
	"io"
	"math"
	"slices"
)

// pieces are a body in memory. It is put together once it is known to be wanted: a
// buffer that grew along would cost twice a body that turns out to be too large.
type pieces [][]byte

// pieceSize is how large the first piece, which grows, may become, and how large those
// after it are made.
const pieceSize = 1 << 20

// gather reads limit bytes and, to tell, one more; hint is the announced length, -1
// if there is none.
func gather(r io.Reader, limit, hint int64) (all pieces, err error) {
	left := min(limit, math.MaxInt64-1) + 1
	size := int64(512)
	if hint >= 0 {
		size = min(hint, left-1, pieceSize) + 1 // one more than announced, to meet EOF without growing
	}
	most := min(left, pieceSize+1)
	for left > 0 && err == nil {
		var piece []byte
		piece, err = fill(r, make([]byte, 0, size), most)
		all, left = append(all, piece), left-int64(len(piece))
		size = min(left, pieceSize)
		most = size
	}
	if err == io.EOF { //nolint:errorlint // of the body itself
		err = nil
	}
	return all, err
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

func (p pieces) size() (n int64) {
	for _, piece := range p {
		n += int64(len(piece))
	}
	return n
}

func (p pieces) join() []byte {
	if len(p) == 1 {
		return p[0]
	}
	return slices.Concat(p...)
}
