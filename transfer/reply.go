package transfer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/header"
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

// endless reports a body that ends with its connection: whether it is whole, only
// a digest can tell.
func (rep *reply) endless() bool {
	return header.UntilClosed(rep.resp)
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
	r.mu.Lock()
	r.request = rep.info.RequestID
	r.mu.Unlock()
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
	c, err := contentRangeOf(rep.resp.Header)
	if err != nil {
		return final("the server answers a range with 206, but without saying of what: %w", err)
	}
	if why := r.source.differs(rep.resp, c, r.d.Key); why != "" {
		return &changedError{why: why}
	}
	if c.from != s.from {
		return final("the server was asked for %q and sent bytes %d to %d", rangeOf(s, r.source.total), c.from, c.to-1)
	}
	if n := rep.resp.ContentLength; n >= 0 && n != c.len() {
		return final("the server sent %d bytes and said they are bytes %d to %d", n, c.from, c.to-1)
	}
	if !r.vouched(strongest(rep.resp.Header, "Repr-Digest")) { // whose Content-Digest is of these bytes alone
		return &changedError{why: "the file has changed"}
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
		return &tooLargeError{r.limit, "the file"}
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
	case e.validator != r.source.validator || e.total >= 0 && r.source.total >= 0 && e.total != r.source.total || !r.vouched(e.digests):
		return &changedError{why: "the file has changed", reply: rep}
	case rep.endless() && len(r.wanted)+len(r.source.digests) == 0:
		return final("the server sends the whole file anew, and says neither how long it is nor where it ends: give Download.SHA256")
	case r.d.Parallel > 1 && !r.single: // each would read over what is the others'
		return &changedError{why: "the server says that it knows ranges, and sends none", reply: rep, single: true}
	}
	return r.learn(e.total)
}

// unsatisfied is a 416: the file ends where we are, or it is another.
func (r *run) unsatisfied(rep *reply, s span) error {
	c, err := contentRangeOf(rep.resp.Header)
	switch {
	case r.source.another(rep.resp):
		return &changedError{why: "the file has changed"}
	case err == nil && s.to < 0 && c.total == s.from:
		rep.at, rep.end, rep.body = s.from, s.from, http.NoBody
		return r.learn(c.total)
	case err == nil && c.total < s.from:
		return &changedError{why: "the file is shorter than what is there of it"}
	default:
		return &changedError{why: "the server has nothing more of the file"}
	}
}
