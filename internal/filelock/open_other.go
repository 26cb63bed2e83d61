//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package filelock

import (
	"io/fs"
	"os"
)

const supported = false

// RemoveOpen says that a file can be removed and renamed while it is open.
const RemoveOpen = false

// Open opens the file of that name, and makes it if it is not there. There are no
// file locks here.
func Open(name string, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, perm) //nolint:gosec // as os.Create does
}
