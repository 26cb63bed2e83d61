package transfer

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// reply is an answer with bytes of the file.
type reply struct {
	resp *http.Response
	info aplomb.Response
	body io.Reader // of the file: decoded, where it is encoded
	at   int64     // where in the file the body begins
	end  int64     // where it ends, -1 unknown
}

func (rep *reply) close() {
	if rep != nil {
		_ = rep.resp.Body.Close()
	}
}

// finish reads the end of a body that is read up to it, so that the connection is
// used again. It is there with the last byte wherever a length was stated.
func (rep *reply) finish() {
	if rep.resp.ContentLength > 0 {
		_, _ = rep.resp.Body.Read(make([]byte, 1))
	}
}

// endless reports a body that ends with its connection: whether it is whole, only
// a digest can tell.
func (rep *reply) endless() bool {
	resp := rep.resp
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && !slices.Contains(resp.TransferEncoding, "chunked") && encoding(resp.Header) == ""
}

// brokenError is a body that broke off, in words without anything that the request
// carried.
type brokenError struct {
	err  error
	text string
}

func (e *brokenError) Error() string { return e.text }
func (e *brokenError) Unwrap() error { return e.err }

// broken is the error of a body that did not come to its end.
func (rep *reply) broken(err error) error {
	if _, ok := errors.AsType[*finalError](err); ok {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &brokenError{err, rep.info.Redact(err.Error())}
}

// ask sends a request for s, or for all of a file that is not known yet.
func (r *run) ask(ctx context.Context, s span) (*reply, error) {
	rep := &reply{end: -1}
	opts := append(slices.Clone(r.d.Options), aplomb.Header("Accept-Encoding", "identity"), aplomb.Capture(&rep.info))
	ranged := r.known && s != span{0, r.source.total}
	if ranged {
		opts = append(opts, aplomb.Header("Range", rangeOf(s, r.source.total)), aplomb.Header("If-Range", r.source.validator),
			aplomb.Expect(http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable))
	} else {
		opts = append(opts, aplomb.Expect(http.StatusOK))
	}
	resp, err := aplomb.Open(ctx, r.d.Client, http.MethodGet, r.d.Path, opts...)
	if err != nil {
		return nil, err
	}
	r.asked.Store(true)
	rep.resp, rep.body = resp, resp.Body
	switch {
	case resp.StatusCode == http.StatusPartialContent:
		err = r.partial(rep, s)
	case resp.StatusCode == http.StatusOK && !r.known:
	case resp.StatusCode == http.StatusOK:
		err = r.whole(rep)
	default:
		err = r.unsatisfied(rep, s)
	}
	if err != nil {
		if change, ok := errors.AsType[*changedError](err); !ok || change.reply == nil {
			rep.close()
		}
		return nil, err
	}
	return rep, nil
}

// partial reads the header of a 206.
func (r *run) partial(rep *reply, s span) error {
	kind := strings.ToLower(rep.resp.Header.Get("Content-Type"))
	if strings.HasPrefix(kind, "multipart/byteranges") {
		return final("the server answers one range with several parts (multipart/byteranges)")
	}
	c, err := parseContentRange(rep.resp.Header.Get("Content-Range"))
	if err != nil {
		return final("the server answers a range with 206, but without saying of what: %w", err)
	}
	if why := r.source.differs(rep.resp, c, r.d.Key); why != "" {
		return &changedError{why: why}
	}
	if c.from != s.from || s.to >= 0 && c.to > s.to {
		return final("the server was asked for %q and sent bytes %d to %d", rangeOf(s, r.source.total), c.from, c.to-1)
	}
	if n := rep.resp.ContentLength; n >= 0 && n != c.len() {
		return final("the server sent %d bytes and said they are bytes %d to %d", n, c.from, c.to-1)
	}
	rep.at, rep.end = c.from, c.to
	return r.learn(c.total)
}

// learn notes the length of a file that began without one.
func (r *run) learn(total int64) error {
	if r.source.total >= 0 || total < 0 {
		return nil
	}
	if total > r.limit {
		return &finalError{&tooLargeError{r.limit, "the file"}}
	}
	r.source.total = total
	r.meter.set(func(now *Progress) { now.Total = total })
	return nil
}

// whole is a 200 where a range was asked for: the file has changed, or the server
// does not know ranges, and what is there is read over.
func (r *run) whole(rep *reply) error {
	e := entityOf(rep.resp, r.d)
	switch {
	case e.source != r.source.source:
		return &changedError{why: "the part is another file's", reply: rep}
	case e.validator != r.source.validator || e.total >= 0 && r.source.total >= 0 && e.total != r.source.total:
		return &changedError{why: "the file has changed", reply: rep}
	case rep.endless() && len(r.wanted)+len(e.digests) == 0:
		return final("the server sends the whole file anew, and says neither how long it is nor where it ends: give Download.SHA256")
	case r.d.Parallel > 1 && !r.single: // each would read over what is the others'
		return &changedError{why: "the server says that it knows ranges, and sends none", reply: rep, single: true}
	}
	rep.end = e.total
	return nil
}

// unsatisfied is a 416: the file ends where we are, or it is another.
func (r *run) unsatisfied(rep *reply, s span) error {
	c, err := parseContentRange(rep.resp.Header.Get("Content-Range"))
	if tag := rep.resp.Header.Get("ETag"); tag != "" && r.source.validator[0] == '"' && tag != r.source.validator {
		return &changedError{why: "the file has changed"}
	}
	if err == nil && s.to < 0 && c.total == s.from {
		rep.at, rep.end, rep.body = s.from, s.from, http.NoBody
		return r.learn(c.total)
	}
	return &changedError{why: "the file is shorter than what is there of it"}
}

// passing reports a failure after which it makes sense to ask again, and how long
// whoever refused wants us to wait. The client has retried what could be retried
// at once; a request that is refused for what it says is refused again.
func passing(ctx context.Context, err error) (bool, time.Duration) {
	if ctx.Err() != nil {
		return false, 0
	}
	if e, ok := errors.AsType[*aplomb.APIError](err); ok {
		return e.StatusCode >= 500 || e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusRequestTimeout, e.RetryAfter
	}
	if e, ok := errors.AsType[*aplomb.CallError](err); ok {
		sent := e.Attempts > 0 || errors.Is(err, aplomb.ErrBulkheadFull) || errors.Is(err, context.DeadlineExceeded)
		return sent || !e.ReadyAt.IsZero(), max(0, time.Until(e.ReadyAt))
	}
	_, broken := errors.AsType[*brokenError](err)
	return broken || errors.Is(err, io.ErrUnexpectedEOF), 0
}

// wait pauses before the next connection; what the context leaves no time for is
// not begun (law 3).
func wait(ctx context.Context, failures int, asked time.Duration, cause error) error {
	pause := min(firstWait<<min(failures-1, 10), lastWait)
	if asked > longestWait {
		return cause
	}
	pause = max(asked, pause/2+rand.N(pause/2))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return cause
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
