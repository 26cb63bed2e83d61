// Package bom takes away the byte order mark that some servers put before text.
package bom

import (
	"bufio"
	"bytes"
	"io"
)

// Mark is UTF-8's.
var Mark = []byte("\xef\xbb\xbf")

// Trim is text without a mark at its beginning.
func Trim(text []byte) []byte { return bytes.TrimPrefix(text, Mark) }

// Reader reads r, but for a mark at its beginning. It waits for no more of r than tells
// whether there is one.
func Reader(r io.Reader) io.Reader {
	return &reader{Reader: bufio.NewReaderSize(r, 16)} // larger reads go past the buffer
}

type reader struct {
	*bufio.Reader
	begun bool
}

func (r *reader) Read(p []byte) (int, error) {
	if !r.begun {
		r.begun = true
		for i, b := range Mark {
			head, err := r.Peek(i + 1)
			if err != nil || head[i] != b {
				break
			}
			if i == len(Mark)-1 {
				_, _ = r.Discard(len(Mark))
			}
		}
	}
	return r.Reader.Read(p)
}
