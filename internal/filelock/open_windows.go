package filelock

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const supported = true

// RemoveOpen says that a file can be removed and renamed while it is open.
const RemoveOpen = false

// Open opens the file of that name for this process alone, and makes it if it is not
// there, or says [ErrLocked]. Others may stat it. Windows releases it when it is closed,
// or the process dies.
func Open(name string, _ fs.FileMode) (*os.File, error) {
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	const shareNothing, sharingViolation = 0, syscall.Errno(32)
	h, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, shareNothing, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	switch {
	case errors.Is(err, sharingViolation):
		return nil, ErrLocked
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}
