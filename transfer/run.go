package transfer

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sink is where the bytes go.
type sink interface {
	// begin says that an entity with these digests comes, from its beginning or
	// from where an earlier run has left it.
	begin(digests []*digest)
	write(p []byte, at int64) error
	// keep makes sure that the next run finds what is there.
	keep(e *entity, done spans) error
	// reset forgets what was written.
	reset() error
	// summed is the digests of all that was written.
	summed(ctx context.Context) (*summing, error)
}

// run is one download under way.
type run struct {
	d      *Download
	out    sink
	wanted []*digest
	limit  int64
	meter  *meter
	single bool        // the server's ranges are not to be relied on
	asked  atomic.Bool // a request was answered

	mu       sync.Mutex
	source   entity
	known    bool // source is
	done     spans
	unkept   int64 // bytes that the next run would not find
	breaks   int
	restarts int
	empty    int // restarts with nothing to throw away
}

// download fetches what is missing, and compares it with its digests.
func (r *run) download(ctx context.Context) (Result, error) {
	resumed := r.done.size()
	r.meter.begin(resumed, r.source.total)
	if err := r.fetch(ctx); err != nil {
		return Result{}, r.failed(err)
	}
	sum, err := r.out.summed(ctx)
	if err != nil {
		return Result{}, r.failed(err)
	}
	verified, err := sum.check(r.d.Path)
	if err != nil {
		return Result{}, err
	}
	if r.restarts > 0 {
		resumed = 0
	}
	return Result{Bytes: r.done.size(), Resumed: resumed, Breaks: r.breaks, Restarts: r.restarts, Verified: verified}, nil
}

// failed is the error of a download that ends for err, after what it has got is
// in safety.
func (r *run) failed(err error) error {
	if !r.asked.Load() {
		return err // as it is: the client's errors say it all
	}
	if _, wrong := errors.AsType[*ChecksumError](err); wrong {
		return err
	}
	_, file := r.out.(*part)
	kept := file && r.source.validator != "" && r.done.size() > 0
	if kept && r.out.keep(&r.source, r.done) != nil {
		kept = false
	}
	return &Error{Path: r.d.Path, Done: r.done.size(), Total: r.source.total, Breaks: r.breaks, Kept: kept, Err: err, text: err.Error()}
}

// fetch goes on until nothing is missing, from the start where it has to be.
func (r *run) fetch(ctx context.Context) error {
	var rep *reply
	for {
		err := r.round(ctx, rep)
		change, ok := errors.AsType[*changedError](err)
		if !ok {
			return err
		}
		rep = change.reply
		if err := r.restart(change); err != nil {
			rep.close()
			return err
		}
	}
}

// restart throws away what is there.
func (r *run) restart(change *changedError) error {
	if r.restarts == maxRestarts || r.empty == maxRestarts {
		return change
	}
	r.single = r.single || change.single
	if err := r.out.reset(); err != nil {
		if errors.Is(err, ErrChanged) {
			return change
		}
		return err
	}
	r.source, r.known, r.done, r.unkept = entity{total: -1}, false, nil, 0
	if r.meter.done() == 0 {
		r.empty++
		return nil
	}
	r.restarts++
	r.meter.event(func(now *Progress) {
		now.Done, now.Resumed, now.Total, now.Restarted = 0, 0, -1, change.why
	})
	return nil
}

// round fetches what is missing of one entity; rep is the beginning of it, if
// that is at hand.
func (r *run) round(ctx context.Context, rep *reply) (err error) {
	if rep == nil {
		first := span{0, -1}
		if r.known {
			first = r.firstGap()
		}
		if rep, err = r.ask(ctx, first); err != nil {
			return err
		}
	}
	if !r.known {
		if err := r.adopt(rep); err != nil {
			rep.close()
			return err
		}
	}
	gaps := r.done.missing(r.source.total)
	if r.d.Parallel > 1 && !r.single && r.source.ranges && r.source.validator != "" && r.source.total-r.done.size() >= parallelFrom {
		gaps = gaps.split(r.d.Parallel, keepEvery)
	}
	return r.all(ctx, gaps, rep)
}

// firstGap is where the first request of a run that goes on begins. Where nothing
// is missing the last byte is fetched again: that shows whether the file is still
// the one that is there.
func (r *run) firstGap() span {
	if gaps := r.done.missing(r.source.total); len(gaps) > 0 {
		return gaps[0]
	}
	last := len(r.done) - 1
	if r.done[last].to--; r.done[last].len() == 0 {
		r.done = r.done[:last]
	}
	r.meter.set(func(now *Progress) { now.Done, now.Resumed = now.Done-1, now.Resumed-1 })
	return span{r.source.total - 1, r.source.total}
}

// adopt begins a file with rep, which is a 200.
func (r *run) adopt(rep *reply) error {
	e := entityOf(rep.resp, r.d)
	if e.total > r.limit {
		return &finalError{&tooLargeError{r.limit, "the file"}}
	}
	digests := slices.Concat(r.wanted, e.digests)
	if rep.endless() && len(digests) == 0 {
		return final("the server says neither how long the file is nor where it ends: give Download.SHA256")
	}
	r.source, r.known = e, true
	r.out.begin(digests)
	r.meter.set(func(now *Progress) { now.Total = e.total })
	return rep.decode(r)
}

// all fetches gaps, with as many connections as are asked for. rep is for the
// first of them.
func (r *run) all(ctx context.Context, gaps spans, rep *reply) error {
	if workers := min(r.d.Parallel, len(gaps)); workers > 1 {
		return r.several(ctx, workers, gaps, rep)
	}
	for _, gap := range gaps {
		if err := r.span(ctx, gap, rep); err != nil {
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
		next  atomic.Int64
		once  sync.Once
		first error
		wg    sync.WaitGroup
	)
	fail := func(err error) {
		if change, ok := errors.AsType[*changedError](err); ok {
			change.reply.close() // which ends with this context
			change.reply = nil
		}
		once.Do(func() { first = err; cancel() })
	}
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(gaps); i = next.Add(1) - 1 {
				var own *reply
				if i == 0 {
					own = rep
				}
				if err := r.span(ctx, gaps[i], own); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}

// span fetches s, whatever breaks.
func (r *run) span(ctx context.Context, s span, rep *reply) error {
	buf := make([]byte, 64<<10)
	for failures := 0; ; {
		from := s.from
		err := r.part(ctx, &s, rep, buf)
		rep = nil
		if err == nil && s.to >= 0 && s.from >= s.to {
			return nil
		}
		if s.from > from {
			failures = 0
		}
		if err == nil { // the server sent less than asked for, and said so
			if s.from > from {
				continue
			}
			err = io.ErrUnexpectedEOF
		}
		again, pause := passing(ctx, err)
		if failures++; !again || failures > r.d.MaxBreaks {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		r.broke(err)
		if r.source.validator == "" {
			failures = r.restarts + r.empty + 1
		}
		if err := wait(ctx, failures, pause, err); err != nil {
			return err
		}
		if r.source.validator == "" {
			return &changedError{why: "the server names the file by no strong validator, without which nothing can be resumed", cause: err}
		}
	}
}

// part fetches as much of s as one connection brings.
func (r *run) part(ctx context.Context, s *span, rep *reply, buf []byte) (err error) {
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
		if errors.Is(err, io.EOF) && s.to < 0 {
			s.to = s.from
			r.source.total = s.from
			r.meter.set(func(now *Progress) { now.Total = s.from })
			return nil
		}
		if err != nil && (stop < 0 || s.from < stop) {
			return rep.broken(err)
		}
	}
	rep.finish()
	return nil
}

// take puts p at the beginning of s, which gets shorter by it.
func (r *run) take(p []byte, s *span) error {
	if s.from+int64(len(p)) > r.limit {
		return &finalError{&tooLargeError{r.limit, "the file"}}
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
	if err := r.out.keep(&r.source, r.done); err != nil {
		return &finalError{err}
	}
	return nil
}

// broke tells of a connection that broke.
func (r *run) broke(err error) {
	r.mu.Lock()
	r.breaks++
	r.mu.Unlock()
	r.meter.event(func(now *Progress) {
		now.Broken = err
		now.Attempt++
	})
}

const (
	firstWait = 200 * time.Millisecond
	// longestWait is what a server may ask for, as of Retry.MaxRetryAfter.
	longestWait = time.Minute
	lastWait    = 20 * time.Second
)
