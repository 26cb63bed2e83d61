package transfer

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/sized"
)

// Upload is a request body that is streamed, and told of as it goes.
//
//	u := transfer.Upload{ContentType: "video/mp4", Progress: show,
//		Open: func() (io.ReadCloser, error) { return os.Open("talk.mp4") }}
//	video, err := aplomb.Put[Video](ctx, c, "/v1/videos/{id}", aplomb.Path("id", id), u.Body())
type Upload struct {
	// ContentType is the body's media type.
	ContentType string
	// Open returns the body from its beginning, anew for each attempt, as for
	// [aplomb.Body].
	Open func() (io.ReadCloser, error)
	// Size is the body's length in bytes; a body that is shorter or longer is an
	// error of the call. Default: what an *os.File, *bytes.Reader or the like says;
	// otherwise the body is chunked.
	Size int64

	// Label is what Progress calls the upload.
	Label string
	// Progress is told how far it is. It begins again with each attempt, which
	// Attempt counts, and with what is read of the body, before [aplomb.Gzip]; a body
	// of no bytes is not told of. It is told on a goroutine of the transport, where
	// nobody recovers a panic.
	Progress func(Progress)
}

// Body is the option that sends it. It is for one call, whose attempts it counts: as of
// any other, 60 s in all unless [aplomb.Timeout] or the context says otherwise, and sent
// again only if its method or an [aplomb.IdempotencyKey] allows it.
func (u Upload) Body() aplomb.CallOption {
	if u.Size < 0 {
		return aplomb.Body(u.ContentType, func() (io.ReadCloser, error) {
			return nil, fmt.Errorf("transfer: Upload.Size: %d is no number of bytes; 0 is one that is not known", u.Size)
		})
	}
	if u.Open == nil {
		return aplomb.Body(u.ContentType, func() (io.ReadCloser, error) {
			return nil, errors.New("transfer: Upload.Open is nil")
		})
	}
	all := &attempts{upload: u}
	return aplomb.Body(u.ContentType, all.open)
}

// attempts are the times that a body is sent. Of two at once, as with a hedge or
// a connection that is given up, the later is told of.
type attempts struct {
	upload Upload

	mu     sync.Mutex
	begun  int
	latest *sending
	meter  *meter
}

func (a *attempts) open() (io.ReadCloser, error) {
	body, err := a.upload.Open()
	if err != nil || body == nil {
		return nil, err
	}
	size := a.upload.Size
	if size == 0 {
		size = sized.Of(body)
	}
	return &sending{ReadCloser: &promised{body, "Upload", size, 0}, attempts: a, size: size}, nil
}

// sending is the body of one attempt. One that is opened and never read, such as
// by a transport that finds no connection, is none.
type sending struct {
	io.ReadCloser
	attempts *attempts
	size     int64 // -1 unknown
	begun    bool
	ended    bool
}

// Len is the length that the client states.
func (s *sending) Len() int {
	if s.size > math.MaxInt {
		return -1
	}
	return int(s.size)
}

func (s *sending) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.attempts.begin(s)
	}
	n, err := s.ReadCloser.Read(p)
	s.attempts.sent(s, n, errors.Is(err, io.EOF))
	return n, err
}

func (a *attempts) begin(s *sending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun++
	a.latest = s
	a.meter = newMeter(a.upload.Label, a.upload.Progress)
	a.meter.set(func(now *Progress) { now.Attempt = a.begun })
	a.meter.begin(0, s.size)
}

func (a *attempts) sent(s *sending, n int, end bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.latest != s || s.ended {
		return
	}
	if n > 0 {
		a.meter.add(n)
	}
	if end {
		s.ended = true
		a.meter.event(func(now *Progress) { now.Total, now.Complete = now.Done, true })
	}
}

// promised holds a body to the length that was said for it. HTTP does where that
// is its Content-Length, which a compressed or chunked body has not; and it gives
// the server all that was promised before it sees that there is more.
type promised struct {
	io.ReadCloser
	what string
	size int64 // -1 is no promise
	n    int64
}

// Read says with the last bytes that they are the last.
func (b *promised) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if b.n == b.size && err == nil {
		var more int
		more, err = io.ReadFull(b.ReadCloser, make([]byte, 1))
		b.n += int64(more)
	}
	switch {
	case b.size < 0:
		return n, err
	case b.n > b.size:
		return 0, fmt.Errorf("transfer: %s: %d bytes were promised, and more came", b.what, b.size)
	case errors.Is(err, io.EOF) && b.n < b.size:
		return n, fmt.Errorf("transfer: %s: %d bytes were promised, and %d came", b.what, b.size, b.n)
	}
	return n, err
}
