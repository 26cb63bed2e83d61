//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package transfer

import (
	"errors"
	"os"
	"syscall"
)

// removeOpen says that a file can be removed and renamed while it is open.
const removeOpen = true

// openLocked opens the file of that name for this process alone, or says ErrBusy.
// The kernel gives it back if the process dies.
func openLocked(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666) //nolint:gosec // as os.Create does: the umask decides who reads a download
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, err
	}
	return f, nil
}
