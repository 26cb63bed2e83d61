package inbox

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// group has jobs that come at once done together, since a commit costs the same
// for one as for many. While one batch is at work the next gathers; a job that is
// alone does not wait for others.
type group[J, R any] struct {
	// do does the jobs, all or none, and gives each its result.
	do func(ctx context.Context, jobs []J) ([]R, error)
	// size is what a job weighs.
	size func(J) int

	mu     sync.Mutex
	queue  []*waiter[J, R]
	weight int // of the queue
	atWork bool
}

// waiter is a job and who waits for it.
type waiter[J, R any] struct {
	ctx    context.Context //nolint:containedctx // its caller's, who may give up before its turn
	job    J
	result R
	err    error
	done   chan struct{}
}

const (
	mostQueued  = 4096
	mostInBatch = 256
	mostWeight  = 8 << 20  // bytes of a batch, unless one job has more
	mostWaiting = 64 << 20 // bytes of the queue, unless one job has more
	// batchTimeout bounds a batch, whose callers have deadlines of their own.
	batchTimeout = 10 * time.Second
)

// add does a job with others, and returns when it is done or ctx is; then it may
// be done nevertheless.
func (g *group[J, R]) add(ctx context.Context, job J) (R, error) {
	w := &waiter[J, R]{ctx: ctx, job: job, done: make(chan struct{})}
	if err := g.enqueue(w); err != nil {
		return w.result, err
	}
	select {
	case <-w.done:
		return w.result, w.err
	case <-ctx.Done():
		g.forget(w)
		var none R
		return none, fmt.Errorf("inbox: waiting for the database to commit: %w", context.Cause(ctx))
	}
}

func (g *group[J, R]) enqueue(w *waiter[J, R]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	size := g.size(w.job)
	if len(g.queue) >= mostQueued || len(g.queue) > 0 && g.weight+size > mostWaiting {
		return fmt.Errorf("%w: %d writes of %d bytes wait for the database", ErrFull, len(g.queue), g.weight)
	}
	g.queue = append(g.queue, w)
	g.weight += size
	if !g.atWork {
		g.atWork = true
		go g.work() // it ends when the queue is empty
	}
	return nil
}

// forget takes a job from the queue that nobody waits for any more.
func (g *group[J, R]) forget(w *waiter[J, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, w); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		g.weight -= g.size(w.job)
	}
}

func (g *group[J, R]) work() {
	for {
		g.gather()
		batch := g.take()
		if len(batch) == 0 {
			return
		}
		g.finish(batch)
	}
}

// gather lets those go on whose jobs were just done, as long as they come with more:
// nobody sleeps, and a job that comes alone goes on at once.
func (g *group[J, R]) gather() {
	for before, vain := -1, 0; vain < 4; {
		g.mu.Lock()
		n := len(g.queue)
		g.mu.Unlock()
		if n >= mostInBatch {
			return
		}
		if vain++; n > before {
			before, vain = n, 0
		}
		runtime.Gosched()
	}
}

// take takes a batch from the queue. Nobody waits for those whose context is done.
func (g *group[J, R]) take() (batch []*waiter[J, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, weight := 0, 0
	for _, w := range g.queue {
		weight += g.size(w.job)
		if len(batch) == mostInBatch || len(batch) > 0 && weight > mostWeight {
			break
		}
		n++
		if w.ctx.Err() == nil {
			batch = append(batch, w)
		}
	}
	for _, w := range g.queue[:n] {
		g.weight -= g.size(w.job)
	}
	clear(g.queue[:n])
	if g.queue = g.queue[n:]; len(g.queue) == 0 {
		g.queue = nil
	}
	g.atWork = len(batch) > 0
	return batch
}

// finish does a batch. If that fails, each job is tried alone while there is time,
// so that one that cannot be done takes no other with it.
func (g *group[J, R]) finish(batch []*waiter[J, R]) {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	err := g.try(ctx, batch)
	for _, w := range batch {
		if err != nil && len(batch) > 1 && ctx.Err() == nil && w.ctx.Err() == nil {
			_ = g.try(ctx, []*waiter[J, R]{w}) // it is the job's own
		}
		close(w.done)
	}
}

func (g *group[J, R]) try(ctx context.Context, batch []*waiter[J, R]) (err error) {
	jobs := make([]J, len(batch))
	for i, w := range batch {
		jobs[i] = w.job
	}
	var results []R
	err = guard(func() (err error) { // a driver's panic is its caller's error, as in the caller's goroutine
		results, err = g.do(ctx, jobs)
		return err
	})
	for i, w := range batch {
		if w.err = err; err == nil {
			w.result = results[i]
		}
	}
	return err
}
