//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package transfer

import "os"

// removeOpen says that a file can be removed and renamed while it is open.
const removeOpen = false

// openLocked opens the file of that name. There are no file locks here: two
// downloads into one file are for the caller to keep apart.
func openLocked(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666) //nolint:gosec // as os.Create does
}
