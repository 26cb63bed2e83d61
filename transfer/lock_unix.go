//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package transfer

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// removeOpen says that a file can be removed and renamed while it is open.
const removeOpen = true

// openLocked opens the file of that name for this process alone, or says ErrBusy. A
// symbolic link is none: somebody else may have put it there.
// The kernel gives it back if the process dies.
func openLocked(name string, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, perm) //nolint:gosec // the caller names its own file
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
