package aplomb

import (
	"bytes"
	"io"
	"math"
	"sync"
)

// pieces are a body in memory. It is put together once it is known to be wanted: a
// buffer that grew along would cost twice a body that turns out to be too large.
type pieces struct {
	first []byte
	more  [][]byte
}

// pieceSize is how large the first piece, which grows, may become, and how large those
// after it are made.
const pieceSize = 1 << 20

// Most answers that do not announce their length, as one that was compressed, fit into
// a buffer that is there already, and are copied from it: growing one from nothing takes
// several allocations.
const pooledSize = 32 << 10

var pooled = sync.Pool{New: func() any { return new([pooledSize]byte) }}

// gather reads limit bytes and, to tell, one more; hint is the announced length, -1
// if there is none. n is how many there were.
func gather(r io.Reader, limit, hint int64) (all pieces, n int64, err error) {
	limit = min(limit, math.MaxInt64-1) + 1
	if hint < 0 {
		all.first, err = skim(r, limit)
	} else {
		size := min(hint, limit-1, pieceSize) + 1 // one more than announced, to meet EOF without growing
		all.first, err = fill(r, make([]byte, 0, size), min(limit, max(size, pieceSize)))
	}
	for n = int64(len(all.first)); n < limit && err == nil; {
		var piece []byte
		piece, err = fill(r, make([]byte, 0, pieceSize), min(limit-n, pieceSize))
		all.more, n = append(all.more, piece), n+int64(len(piece))
	}
	if err == io.EOF { //nolint:errorlint // of the body itself
		err = nil
	}
	return all, n, err
}

// skim reads into the pooled buffer, and goes on in one that grows where that is full.
func skim(r io.Reader, most int64) ([]byte, error) {
	room, _ := pooled.Get().(*[pooledSize]byte) // nothing else is in it
	defer pooled.Put(room)
	read, err := fill(r, room[:0], min(most, pooledSize))
	if err != nil || int64(len(read)) == most {
		return bytes.Clone(read), err
	}
	return fill(r, append(make([]byte, 0, 4*pooledSize), read...), min(most, pieceSize))
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
func (p *pieces) join(n int64) []byte {
	if p.more == nil {
		return p.first
	}
	all := append(make([]byte, 0, n), p.first...)
	for _, piece := range p.more {
		all = append(all, piece...)
	}
	return all
}
