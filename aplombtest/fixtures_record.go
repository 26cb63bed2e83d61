package aplombtest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/internal/fixture"
	"github.com/aplomb-go/aplomb/internal/redact"
)

// exchange is one that is under way, or done.
type exchange struct {
	fixture.Exchange

	sent     bytes.Buffer // the request's body as far as it was read
	done     bool
	upgraded bool
}

// record sends a request on as it is, and looks on.
func (r *Recorder) record(req *http.Request) (*http.Response, error) {
	e := &exchange{}
	e.Method, e.Header, e.Secrets = req.Method, req.Header.Clone(), redact.Carried(req.Context())
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	u := *req.URL
	e.URL = &u
	r.mu.Lock()
	r.exchanges = append(r.exchanges, e)
	r.mu.Unlock()

	start := time.Now()
	resp, err := r.Over.RoundTrip(r.watched(req, e))
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Took = time.Since(start)
	if err != nil {
		e.Err, e.done = err, true
		return nil, err
	}
	e.Status, e.Answer, e.Sized = resp.StatusCode, resp.Header.Clone(), resp.ContentLength >= 0
	e.upgraded = resp.StatusCode == http.StatusSwitchingProtocols
	resp.Request = req
	if !e.upgraded {
		resp.Body = &recordedBody{r: r, e: e, body: resp.Body}
	}
	return resp, nil
}

// watched is req, with a body that is looked at as it is read where that cannot be
// had in advance: a transport that fails may not have read it. It is a request of
// our own then: a caller that sends req once more finds nothing changed.
func (r *Recorder) watched(req *http.Request, e *exchange) *http.Request {
	if req.Body == nil || req.Body == http.NoBody {
		return req
	}
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			raw, err := io.ReadAll(body)
			if err = errors.Join(err, body.Close()); err == nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				e.sent.Write(raw)
				return req
			}
		}
	}
	out := req.WithContext(req.Context())
	out.Body, out.GetBody = &watchedBody{req.Body, r, e}, nil // whose bodies would not be looked at
	return out
}

type watchedBody struct {
	io.ReadCloser
	r *Recorder
	e *exchange
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	b.e.sent.Write(p[:n])
	return n, err
}

// recordedBody is a response's body: it keeps what its reader gets.
type recordedBody struct {
	r    *Recorder
	e    *exchange
	body io.ReadCloser
}

func (b *recordedBody) Read(p []byte) (int, error) {
	start := time.Now()
	n, err := b.body.Read(p)
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	if b.e.done {
		return n, err
	}
	pause := time.Since(start) // what the reader takes between two reads is its own
	if n > 0 {
		b.e.Chunks = append(b.e.Chunks, fixture.Chunk{After: pause, Data: slices.Clone(p[:n])})
	}
	if err != nil {
		b.e.done = true
		if !errors.Is(err, io.EOF) {
			b.e.Err = err
		}
	}
	return n, err
}

// How much of what its reader leaves is read to have the body whole, and for how
// long: a decoder stops before the last newline.
const (
	maxRest  = 1 << 20
	restTime = 2 * time.Second
)

// Close reads what is left of a body that ends by itself.
func (b *recordedBody) Close() error {
	b.r.mu.Lock()
	done, stream := b.e.done, b.e.stream()
	b.r.mu.Unlock()
	if !done && !stream {
		timer := time.AfterFunc(restTime, func() { _ = b.body.Close() })
		_, _ = io.CopyN(io.Discard, b, maxRest)
		timer.Stop()
	}
	b.r.mu.Lock()
	if !b.e.done || b.e.Err != nil && !done { // the rest is not to be had, and nobody wanted it
		b.e.done, b.e.Partial, b.e.Err = true, true, nil
	}
	b.r.mu.Unlock()
	return b.body.Close()
}

// stream reports a body whose parts matter: one of a kind that is read as it
// comes, or one that came with pauses.
func (e *exchange) stream() bool {
	media, _, _ := mime.ParseMediaType(e.Answer.Get("Content-Type"))
	switch media {
	case "text/event-stream", "application/x-ndjson", "application/jsonl", "application/stream+json", "multipart/x-mixed-replace":
		return true
	}
	return !e.Sized && slices.ContainsFunc(e.Chunks, func(c fixture.Chunk) bool { return c.After >= 100*time.Millisecond })
}

// hiddenNames says what was hidden, for who is surprised by it when it is replayed.
func hiddenNames(f *fixture.File) string {
	if names := f.Hidden(); len(names) > 0 {
		return "; hidden are " + strings.Join(names, ", ") + ", and Show keeps one"
	}
	return ""
}

// write writes what was recorded.
func (r *Recorder) write() {
	r.tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tb.Failed() || r.tb.Skipped() {
		r.tb.Logf("aplombtest: %s is not written, for the test has not passed", r.shown)
		return
	}
	var all []*fixture.Exchange
	for i, e := range r.exchanges {
		e.Stream, e.Body = e.stream(), e.sent.Bytes()
		switch {
		case e.upgraded:
			r.faultf("%s is not written: request %d, %s %s, was answered by another protocol, which cannot be replayed", r.shown, i+1, e.Method, redact.URL(e.URL))
			return
		case !e.done:
			r.faultf("%s is not written: request %d, %s %s, was still under way when the test ended: wait for it, and close its body", r.shown, i+1, e.Method, redact.URL(e.URL))
			return
		}
		all = append(all, &e.Exchange)
	}
	f, err := fixture.New(filepath.Base(r.path), all, r.rules)
	if err == nil {
		err = f.Write(r.path)
	}
	if err != nil {
		r.faultf("%s is not written: %v", r.shown, err)
		return
	}
	r.tb.Logf("aplombtest: %s is written: look through it before it is committed%s", r.shown, hiddenNames(f))
}
