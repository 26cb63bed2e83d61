package aplombtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb/internal/fixture"
	"github.com/aplomb-go/aplomb/internal/redact"
)

// halfYear is the age at which a recording is said to be old.
const halfYear = 183 * 24 * time.Hour

// replay answers a request with what was recorded.
func (r *Recorder) replay(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	e := &fixture.Exchange{Method: req.Method, URL: req.URL, Header: req.Header, Secrets: redact.Carried(ctx)}
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err := errors.Join(err, req.Body.Close()); err != nil {
			return nil, err
		}
		e.Body = body
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	tape := r.tape
	i, err := tape.Find(e)
	if err != nil {
		return nil, r.missed(err)
	}
	a := tape.Answer(i, req.URL)
	if r.Latency {
		if err := pauseFor(ctx, a.Took); err != nil {
			return nil, err
		}
	}
	tape.Answered(i)
	defer r.deliver()
	if a.Status == 0 {
		return nil, failed(ctx, &a)
	}
	return r.response(req, a), nil
}

// missed reports a request that nothing was recorded for, each once: a client may
// try again.
func (r *Recorder) missed(err error) error {
	err = fmt.Errorf("aplombtest: %s: %w", r.shown, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if report := err.Error(); !r.reported[report] && !r.ended {
		r.reported[report] = true
		r.tb.Errorf("%s\nif the change is meant: %s\nif a value is another one in each run: Recording.Ignore", report, r.how())
	}
	return err
}

// pauseFor waits for d, or says why ctx did not let it.
func pauseFor(ctx context.Context, d time.Duration) error {
	if d > 0 && !sleep(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}

// failed is the recorded failure. One that was the caller's own comes when the
// caller gives up again.
func failed(ctx context.Context, a *fixture.Answer) error {
	if a.Canceled && ctx.Done() != nil {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return a.Err
}

func (r *Recorder) response(req *http.Request, a fixture.Answer) *http.Response {
	length := int64(-1)
	if a.Sized {
		length = 0
		for _, c := range a.Chunks {
			length += int64(len(c.Data))
		}
		if said := a.Header.Get("Content-Length"); said != "" { // the answer to HEAD
			length, _ = strconv.ParseInt(said, 10, 64)
		} else if a.Status != http.StatusNoContent && a.Status != http.StatusNotModified {
			a.Header.Set("Content-Length", strconv.FormatInt(length, 10))
		}
	}
	a.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	resp := &http.Response{
		Status: strings.TrimSpace(strconv.Itoa(a.Status) + " " + http.StatusText(a.Status)), StatusCode: a.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.Header, ContentLength: length, Request: req,
	}
	body := &replayedBody{answer: a, latency: r.Latency}
	body.ctx, body.cancel = context.WithCancelCause(req.Context())
	resp.Body = body
	if length == 0 || req.Method == http.MethodHead {
		body.cancel(nil)
		resp.Body = http.NoBody
	}
	return resp
}

var errClosedBody = errors.New("http: read on closed response body")

var errPartial = errors.New("aplombtest: the recording ends here: the test read no further when it was made; record it anew")

// replayedBody gives the parts of a body one by one.
type replayedBody struct {
	ctx     context.Context // ends with the request's, or when it is closed
	cancel  context.CancelCauseFunc
	answer  fixture.Answer
	latency bool

	closed atomic.Bool
	mu     sync.Mutex
	waited bool // for the part that is next
}

func (b *replayedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed.Load():
		return 0, errClosedBody
	case b.ctx.Err() != nil:
		return 0, context.Cause(b.ctx)
	}
	for len(b.answer.Chunks) > 0 {
		next := &b.answer.Chunks[0]
		if b.latency && !b.waited {
			if err := pauseFor(b.ctx, next.After); err != nil {
				return 0, err
			}
			b.waited = true
		}
		if len(next.Data) > 0 {
			n := copy(p, next.Data)
			next.Data = next.Data[n:]
			return n, nil
		}
		b.answer.Chunks, b.waited = b.answer.Chunks[1:], false
	}
	switch {
	case b.answer.Err != nil:
		return 0, failed(b.ctx, &b.answer)
	case b.answer.Partial:
		return 0, errPartial
	}
	return 0, io.EOF
}

// Close ends a Read that waits.
func (b *replayedBody) Close() error {
	b.closed.Store(true)
	b.cancel(errClosedBody)
	return nil
}

// check reports what the test has left, and what has become old.
func (r *Recorder) check() {
	r.tb.Helper()
	tape := r.tape
	if left := tape.Unused(); len(left) > 0 && !r.AllowUnused {
		r.faultf("%s: not asked for:\n  %s\nif they are needed no more: %s", r.shown, strings.Join(left, "\n  "), r.how())
	}
	if swapped := tape.Unordered(); swapped != "" {
		const report = "%s: in another order than it was recorded: %s"
		if r.InOrder {
			r.faultf(report, r.shown, swapped)
		} else {
			r.tb.Logf("aplombtest: "+report, r.shown, swapped)
		}
	}
	r.checkAge()
}

func (r *Recorder) checkAge() {
	day, err := time.Parse(time.DateOnly, r.file.Recorded)
	now := time.Now()
	if err != nil || now.Before(day) { // made by hand, or in virtual time
		return
	}
	switch age := now.Sub(day); {
	case r.MaxAge > 0 && age > r.MaxAge+24*time.Hour:
		r.faultf("%s was recorded on %s, more than %v ago: %s", r.shown, r.file.Recorded, r.MaxAge, r.how())
	case age > halfYear:
		r.tb.Logf("aplombtest: %s was recorded on %s: does the API still answer so? %s", r.shown, r.file.Recorded, r.how())
	}
}
