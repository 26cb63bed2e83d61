package transfer

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// removeOpen says that a file can be removed and renamed while it is open.
const removeOpen = false

// openLocked opens the file of that name for this process alone, or says ErrBusy.
// Others may stat it. Windows gives it back if the process dies.
func openLocked(name string, _ fs.FileMode) (*os.File, error) {
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	const shareNothing, sharingViolation = 0, syscall.Errno(32)
	h, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, shareNothing, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	switch {
	case errors.Is(err, sharingViolation):
		return nil, ErrBusy
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}
