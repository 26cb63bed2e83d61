package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// Handler acts on an event. Its error has the event handled again after a while,
// unless it is one of [Permanent], [RetryAfter] and [ErrSkip]; so is a panic. An
// event may be handled twice if the process ends in between: a handler whose
// effect is in the same SQL database has none twice with [SQL.Tx], and one that
// calls an API sends the event's key as the idempotency key.
//
// It must not change the record.
type Handler func(ctx context.Context, e *Record) error

// ErrSkip says, from a [Handler] and maybe wrapped, that the event needs no
// handling: it is done.
var ErrSkip = errors.New("inbox: skipped")

// Permanent returns an error that has the event become a dead letter at once,
// since another attempt would fail as well.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &verdict{err: err, permanent: true}
}

// RetryAfter returns an error that has the event handled again after d, however
// many attempts were made: they count nevertheless.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &verdict{err: err, after: max(0, d)}
}

// verdict is an error that says what is to come of the event.
type verdict struct {
	err       error
	permanent bool
	after     time.Duration
}

func (v *verdict) Error() string { return v.err.Error() }
func (v *verdict) Unwrap() error { return v.err }

// settled is the key of a context's mark, a *bool, that the handler has settled the
// event itself, in a transaction of the store.
type settled struct{}

// panicError is a handler's panic. The history has the stack, too.
type panicError struct {
	value any
	stack []byte
}

func (p panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", p.value) }

// said is what the history keeps of an error.
func said(err error) string {
	if p, ok := errors.AsType[panicError](err); ok {
		return fmt.Sprintf("%v\n%s", err, p.stack)
	}
	return err.Error()
}

// stackOf is the goroutine's stack from where it panicked on.
func stackOf() []byte {
	stack := debug.Stack()
	if _, after, found := bytes.Cut(stack, []byte("\npanic(")); found {
		if _, frames, found := bytes.Cut(after, []byte("\n")); found {
			_, stack, _ = bytes.Cut(frames, []byte("\n")) // the line that says where panic is
		}
	}
	return stack
}

// guard runs what is the user's and makes an error of its panic. A handler that
// ends its goroutine instead loses its lease in time.
func guard(run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicError{v, stackOf()}
		}
	}()
	return run()
}
