//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package transfer

import (
	"io/fs"
	"os"
)

// removeOpen says that a file can be removed and renamed while it is open.
const removeOpen = false

// openLocked opens the file of that name. There are no file locks here: two
// downloads into one file are for the caller to keep apart.
func openLocked(name string, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, perm) //nolint:gosec // as os.Create does
}
