// Package filelock opens files that one process at a time may have.
package filelock

import "errors"

// ErrLocked means that another has the file, in this process or another.
var ErrLocked = errors.New("another process has the file")

// Supported says that this system has file locks. Where it has none [Open] opens the
// file for whoever asks.
const Supported = supported
