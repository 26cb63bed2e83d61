package aplomb

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestGather: what there is, up to one byte more than the limit, whatever was announced
// and however it comes.
func TestGather(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	whole := bytes.Repeat([]byte("0123456789abcdef"), 3<<16+1)
	for _, size := range []int64{0, 1, 511, 512, 513, pieceSize - 1, pieceSize, pieceSize + 1, 2*pieceSize + 7} {
		body := whole[:size]
		for _, hint := range []int64{-1, 0, size / 2, size, size + 1, 1 << 40} {
			for _, limit := range []int64{0, size - 1, size, size + 1, 1<<63 - 1} {
				if limit < 0 {
					continue
				}
				for _, r := range []io.Reader{bytes.NewReader(body), iotest.DataErrReader(bytes.NewReader(body)), iotest.HalfReader(bytes.NewReader(body))} {
					all, n, err := gather(r, limit, hint)
					assert.NoError(t, err)
					want := size
					if limit < size {
						want = limit + 1
					}
					assert.Equal(t, n, want, size, hint, limit)
					assert.True(t, bytes.Equal(all.join(n), body[:want]), size, hint, limit)
				}
			}
		}
		all, n, err := gather(io.MultiReader(bytes.NewReader(body), iotest.ErrReader(lost)), 1<<30, -1)
		assert.ErrorIs(t, err, lost)
		assert.Equal(t, n, size)
		assert.True(t, bytes.Equal(all.join(n), body))
	}
}
