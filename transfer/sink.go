package transfer

import (
	"context"
	"errors"
	"io"
)

// sink is where the bytes go.
type sink interface {
	// begin says that an entity with these digests comes, from its beginning or
	// from where an earlier run has left it. It is called again when more of them are
	// heard of, and reports whether these can be compared.
	begin(digests []*digest) bool
	write(p []byte, at int64) error
	// keep makes sure that the next run finds what is there, and reports whether it
	// finds anything: where there is an error, what was kept before.
	keep(e *entity, done spans) (kept bool, err error)
	// reset forgets what was written.
	reset() error
	// summed is the digests of all that was written.
	summed(ctx context.Context) (*summing, error)
	// publish gives what is complete to whoever waits for it.
	publish() error
}

// errWritten is what a reset comes too late for.
var errWritten = errors.New("what was written cannot be taken back")

// stream is an io.Writer that a download goes to.
type stream struct {
	w       io.Writer
	sum     *summing
	written bool
}

// begin is too late once there is something that was not summed.
func (s *stream) begin(digests []*digest) bool {
	if s.written {
		return false
	}
	s.sum = newSumming(digests)
	return true
}

func (s *stream) write(p []byte, _ int64) error {
	s.written = true
	if _, err := s.w.Write(p); err != nil {
		return err
	}
	_, err := s.sum.Write(p)
	return err
}

func (s *stream) keep(*entity, spans) (bool, error) { return false, nil }

func (s *stream) reset() error {
	if s.written {
		return errWritten
	}
	return nil
}

func (s *stream) summed(context.Context) (*summing, error) { return s.sum, nil }

func (s *stream) publish() error { return nil }
