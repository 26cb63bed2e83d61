//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filelock

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const supported = true

// RemoveOpen says that a file can be removed and renamed while it is open.
const RemoveOpen = true

// Open opens the file of that name for this process alone, and makes it if it is not
// there, or says [ErrLocked]. Symbolic links are refused: somebody else may have put one
// there. The kernel releases the lock when the file is closed, or the process dies.
func Open(name string, perm fs.FileMode) (*os.File, error) {
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
			return nil, ErrLocked
		}
		return nil, err
	}
	return f, nil
}
