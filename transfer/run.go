package transfer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// run is one download under way.
type run struct {
	d        *Download
	out      sink
	wanted   []*digest // the caller's
	verified []string  // digests of what was on the wire
	limit    int64
	meter    *meter
	single   bool        // the server's ranges are not to be relied on
	asked    atomic.Bool // a request was answered

	mu       sync.Mutex
	request  string // as requestID
	source   entity
	known    bool // source is
	done     spans
	unkept   int64 // bytes since it was last kept
	breaks   int
	restarts int
	empty    int // restarts with nothing to throw away
}

// goOn begins with what an earlier run has left. Where nothing is missing the last
// byte is fetched again: that shows whether the file is still the one that is there.
func (r *run) goOn(source entity, done spans) {
	r.source, r.known = source, true
	if done.size() == source.total {
		done[0].to--
	}
	r.done = done
	r.out.begin(slices.Concat(r.wanted, source.digests))
}

// download fetches what is missing, and hands over what is complete.
func (r *run) download(ctx context.Context) (Result, error) {
	resumed := r.done.size()
	r.meter.begin(resumed, r.source.total)
	verified, err := r.complete(ctx)
	if err != nil {
		return Result{}, r.failed(err)
	}
	r.meter.event(func(now *Progress) { now.Complete = true })
	if r.restarts > 0 {
		resumed = 0
	}
	return Result{Bytes: r.done.size(), Resumed: resumed, Breaks: r.breaks, Restarts: r.restarts, Verified: verified}, nil
}

// complete returns the digests that were compared.
func (r *run) complete(ctx context.Context) ([]string, error) {
	if err := r.fetch(ctx); err != nil {
		return nil, err
	}
	if len(r.done.missing(r.source.total)) > 0 {
		return nil, errors.New("the goroutine of a connection ended") // runtime.Goexit in Progress
	}
	sum, err := r.out.summed(ctx)
	if err != nil {
		return nil, err
	}
	verified, err := sum.check(r)
	if err != nil {
		return nil, err
	}
	return append(r.verified, verified...), r.out.publish()
}

// failed is the error of a download that ends for err, after what it has got is
// in safety, or gone where nobody could go on with it.
func (r *run) failed(err error) error {
	if _, wrong := errors.AsType[*ChecksumError](err); wrong {
		_ = r.out.reset()
		return err
	}
	if !r.asked.Load() {
		return err // as it is: the client's errors say it all
	}
	kept := false
	if r.source.validator == "" {
		_ = r.out.reset()
	} else {
		kept, _ = r.out.keep(&r.source, r.done)
	}
	return &Error{Client: r.d.Client.Name(), Path: r.d.Path, RequestID: r.requestID(), Done: r.done.size(), Total: r.source.total, Breaks: r.breaks, Kept: kept, Err: err, text: err.Error(), unnamed: r.known && r.source.validator == ""}
}

// requestID is the server's name for the last request that it answered.
func (r *run) requestID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.request
}

// fetch goes on until nothing is missing, from the start where it has to be.
func (r *run) fetch(ctx context.Context) error {
	var rep *reply
	defer func() { rep.close() }() // also where Progress panics
	for {
		err := r.round(ctx, rep)
		change, ok := errors.AsType[*changedError](err)
		if !ok {
			return err
		}
		rep = change.reply
		if err := r.restart(change); err != nil {
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
		if errors.Is(err, errWritten) {
			return change
		}
		return err
	}
	r.source, r.known, r.done = entity{total: -1}, false, nil
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
			first = r.done.missing(r.source.total)[0]
		}
		if rep, err = r.first(ctx, first); err != nil {
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

// adopt begins a file with rep, which is a 200.
func (r *run) adopt(rep *reply) error {
	e := entityOf(rep.resp, r.d)
	if e.total > r.limit {
		return &tooLargeError{r.limit, "the file"}
	}
	if rep.endless() && len(r.wanted)+len(e.digests)+len(e.wire) == 0 {
		return final("the server says neither how long the file is nor where it ends: give Download.SHA256")
	}
	r.source, r.known = e, true
	r.out.begin(slices.Concat(r.wanted, e.digests))
	r.meter.set(func(now *Progress) { now.Total = e.total })
	return rep.decode(r)
}

// vouched takes the digests of a later answer. One that contradicts what was said
// before is of another file.
func (r *run) vouched(digests []*digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range digests {
		same := func(have *digest) bool { return have.Algorithm == d.Algorithm }
		if i := slices.IndexFunc(r.source.digests, same); i >= 0 {
			if !r.source.digests[i].equal(d) {
				return false
			}
		} else if more := append(slices.Clip(r.source.digests), d); r.out.begin(slices.Concat(r.wanted, more)) {
			r.source.digests = more
		}
	}
	return true
}
