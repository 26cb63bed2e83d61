// Package sized tells how long a body is that says so, for the root and transfer.
package sized

import (
	"io"
	"os"
)

// Of is how many bytes are left in body, -1 when it does not say.
func Of(body io.Reader) int64 {
	switch b := body.(type) {
	case *os.File:
		info, err := b.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return -1
		}
		at, err := b.Seek(0, io.SeekCurrent)
		if err != nil {
			return -1
		}
		return info.Size() - at
	case interface{ Len() int }:
		return int64(b.Len())
	default:
		return -1
	}
}
