package transfer

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/aplomb-go/aplomb"
)

var (
	// ErrBusy means that another download into the same file is under way, in
	// this process or another.
	ErrBusy = errors.New("transfer: another download into this file is under way")
	// ErrChanged means that the file is another now and could not be fetched anew: what
	// an io.Writer has got cannot be taken back, and a file that changes all the time is
	// given up.
	ErrChanged = errors.New("transfer: the file changed while it was read")
	// ErrNotResumable means that a connection broke, and its server names the file by no
	// strong validator: it would have to be fetched anew, which was tried five times, or
	// cannot be where an io.Writer has got some of it.
	ErrNotResumable = errors.New("transfer: the file cannot be gone on with")
)

// Error is a download that ended after it had begun. errors.Is and errors.As find
// the cause: an [*aplomb.APIError], [ErrChanged], [ErrNotResumable], [aplomb.ErrTooLarge], the
// context's, one of the connection or of the disk.
type Error struct {
	// Client is the client's name, and Path the path template.
	Client, Path string
	// RequestID is the server's name for the last request, "" if it gave none.
	RequestID string
	// Done is how many bytes are there, and Total how many there should be, -1
	// where that is not known.
	Done, Total int64
	// Breaks counts the connections that broke or brought nothing, but for the last.
	Breaks int
	// Kept says that the next ToFile goes on from there, or, where the disk refused
	// to note it, from no more than 512 KiB before.
	Kept bool
	// Err is the cause.
	Err error

	text    string
	unnamed bool // by its server
}

// Error is one line.
func (e *Error) Error() string {
	line := fmt.Sprintf("%s: GET %s: the download ended after %d", e.Client, e.Path, e.Done)
	if e.Total >= 0 {
		line += " of " + strconv.FormatInt(e.Total, 10)
	}
	line += " bytes"
	if e.Breaks > 0 {
		line += fmt.Sprintf(" and %d broken connections", e.Breaks)
	}
	line += ": " + e.text
	if e.RequestID != "" {
		line += " (request " + e.RequestID + ")"
	}
	switch {
	case e.Kept:
		line += ". Hint: what is there is kept, and the next run goes on from it"
	case e.unnamed && !errors.Is(e.Err, ErrNotResumable): // which says so
		line += ". Hint: nothing of it is kept, since the server names the file by no strong validator"
	}
	return line
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Format prints the line for every verb.
func (e *Error) Format(f fmt.State, verb rune) {
	line := e.Error()
	if verb == 'q' {
		line = strconv.Quote(line)
	}
	_, _ = io.WriteString(f, line)
}

// tooLargeError is a file over MaxBytes.
type tooLargeError struct {
	limit int64
	what  string
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("%s is larger than %d bytes: raise Download.MaxBytes", e.what, e.limit)
}

func (e *tooLargeError) Is(target error) bool { return target == aplomb.ErrTooLarge }

// finalError is one that another request would not mend.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

func final(format string, args ...any) error { return &finalError{fmt.Errorf(format, args...)} }

// changedError says that what was received so far is of no use, and why. The
// reply is the beginning of what takes its place, if that is at hand.
type changedError struct {
	why    string
	cause  error // nil where the server said so
	reply  *reply
	single bool // no several connections from now on
}

func (e *changedError) Error() string {
	if e.cause != nil {
		return e.cause.Error() + "; " + e.why
	}
	return e.why
}

func (e *changedError) Unwrap() []error {
	if e.cause != nil {
		return []error{ErrNotResumable, e.cause}
	}
	return []error{ErrChanged}
}
