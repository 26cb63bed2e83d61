package transfer

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb"
)

// all fetches gaps, with as many connections as are asked for. rep is for the
// first of them.
func (r *run) all(ctx context.Context, gaps spans, rep *reply) error {
	if workers := min(r.d.Parallel, len(gaps)); workers > 1 {
		return r.several(ctx, workers, gaps, rep)
	}
	for _, gap := range gaps {
		if err := r.fill(ctx, gap, rep); err != nil {
			return err
		}
		rep = nil
	}
	rep.close()
	return nil
}

// several fetches gaps with a number of workers. The first error ends them all.
func (r *run) several(ctx context.Context, workers int, gaps spans, rep *reply) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, rep.close) // it was asked for under another context
	defer stop()
	var (
		next     atomic.Int64
		once     sync.Once
		first    error
		panicked atomic.Value
		wg       sync.WaitGroup
	)
	fail := func(err error) {
		if change, ok := errors.AsType[*changedError](err); ok {
			change.reply.close() // which ends with this context
			change.reply = nil
		}
		once.Do(func() { first = err; cancel() })
	}
	work := func() {
		defer func() {
			if p := recover(); p != nil {
				panicked.Store([]any{p})
				cancel()
			}
		}()
		for i := next.Add(1) - 1; int(i) < len(gaps); i = next.Add(1) - 1 {
			var own *reply
			if i == 0 {
				own = rep
			}
			if err := r.fill(ctx, gaps[i], own); err != nil {
				fail(err)
				return
			}
		}
	}
	for range workers {
		wg.Go(work)
	}
	wg.Wait()
	if p, ok := panicked.Load().([]any); ok {
		panic(p[0]) //nolint:forbidigo // Progress's or the transport's own, on, where the caller can recover it
	}
	return first
}

// first asks for what is missing, beginning with s. A download whose first request
// is refused has not begun; later on that is one more connection that brought nothing.
func (r *run) first(ctx context.Context, s span) (*reply, error) {
	for failures := 1; ; failures++ {
		rep, err := r.ask(ctx, s)
		if err == nil || !r.asked.Load() {
			return rep, err
		}
		if err := r.broke(ctx, failures, err); err != nil {
			return nil, err
		}
	}
}

// fill fetches s, whatever breaks.
func (r *run) fill(ctx context.Context, s span, rep *reply) error {
	buf := make([]byte, 64<<10)
	for failures := 0; ; {
		from := s.from
		err := r.connect(ctx, &s, rep, buf)
		rep = nil
		if err == nil && s.to >= 0 && s.from >= s.to {
			return nil
		}
		if s.from > from {
			failures = 0
		}
		if err == nil { // the server sent less than asked for, and said so: a byte or more
			continue
		}
		failures++
		if err := r.broke(ctx, failures, err); err != nil {
			return err
		}
		if r.source.validator == "" {
			return &changedError{why: "the server names the file by no strong validator, without which nothing can be resumed", cause: err}
		}
	}
}

// broke tells of a connection that broke, or of one that brought nothing after it,
// and returns when there may be another.
func (r *run) broke(ctx context.Context, failures int, err error) error {
	again, pause := passing(err)
	switch {
	case !again:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failures > r.d.MaxBreaks:
		return err
	}
	r.mu.Lock()
	r.breaks++
	r.mu.Unlock()
	r.meter.event(func(now *Progress) {
		now.Broken = err
		now.Attempt++
	})
	return wait(ctx, failures+r.restarts+r.empty, pause, err)
}

// connect fetches as much of s as one connection brings.
func (r *run) connect(ctx context.Context, s *span, rep *reply, buf []byte) (err error) {
	if rep == nil {
		if rep, err = r.ask(ctx, *s); err != nil {
			return err
		}
	}
	defer rep.close()
	return r.read(rep, s, buf)
}

// read moves the body of rep, as far as it is of s.
func (r *run) read(rep *reply, s *span, buf []byte) error {
	if s.to < 0 && r.source.total >= 0 { // a 206 or 416 has told
		s.to = r.source.total
	}
	if _, err := io.CopyN(io.Discard, rep.body, s.from-rep.at); err != nil {
		return rep.broken(err)
	}
	stop := s.to
	if rep.end >= 0 && (stop < 0 || rep.end < stop) {
		stop = rep.end
	}
	for stop < 0 || s.from < stop {
		room := buf
		if stop >= 0 {
			room = buf[:min(int64(len(buf)), stop-s.from)]
		}
		n, err := rep.body.Read(room)
		if n > 0 {
			if err := r.take(room[:n], s); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) && stop < 0 {
			s.to = s.from
			r.source.total = s.from
			r.meter.set(func(now *Progress) { now.Total = s.from })
			return nil
		}
		if err != nil && (stop < 0 || s.from < stop) {
			return rep.broken(err)
		}
	}
	return nil
}

// take puts p at the beginning of s, which gets shorter by it.
func (r *run) take(p []byte, s *span) error {
	if s.from+int64(len(p)) > r.limit {
		return &tooLargeError{r.limit, "the file"}
	}
	if err := r.out.write(p, s.from); err != nil {
		return &finalError{err}
	}
	got := span{s.from, s.from + int64(len(p))}
	s.from = got.to
	r.meter.add(len(p))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done.add(got)
	if r.unkept += got.len(); r.unkept < keepEvery || r.source.validator == "" {
		return nil
	}
	r.unkept = 0
	_, err := r.out.keep(&r.source, r.done)
	return err
}

// passing reports a failure after which it makes sense to ask again, and how long
// whoever refused wants us to wait. The client has retried what could be retried
// at once; a request that is refused for what it says is refused again.
func passing(err error) (bool, time.Duration) {
	if _, ok := errors.AsType[*finalError](err); ok { // whatever it wraps: a writer may have errors of our kind
		return false, 0
	}
	if e, ok := errors.AsType[*aplomb.APIError](err); ok {
		return e.StatusCode >= 500 || e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusRequestTimeout, e.RetryAfter
	}
	if e, ok := errors.AsType[*aplomb.CallError](err); ok {
		sent := e.Attempts > 0 || errors.Is(err, aplomb.ErrBulkheadFull)
		return sent || !e.ReadyAt.IsZero(), max(0, time.Until(e.ReadyAt))
	}
	_, broken := errors.AsType[*brokenError](err)
	return broken, 0
}

const (
	firstWait = 200 * time.Millisecond
	// longestWait is what a server may ask for, as of Retry.MaxRetryAfter.
	longestWait = time.Minute
	lastWait    = 20 * time.Second
)

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
