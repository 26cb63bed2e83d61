package cache

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Result is where an answer came from, in few words: a metric's label.
type Result string

// The results.
const (
	ResultHit       Result = "hit"       // stored and fresh: no request was sent
	ResultStale     Result = "stale"     // stored and no longer fresh, as server, request or settings allow
	ResultValidated Result = "validated" // stored, and confirmed by a 304
	ResultShared    Result = "shared"    // asked for once, for an equal request at the same time
	ResultMiss      Result = "miss"      // the server's
	ResultBypass    Result = "bypass"    // the server's, and none of the cache's business
)

// Event is one answer.
type Event struct {
	// Result is where it came from.
	Result Result
	// Method and Host are the request's.
	Method, Host string
	// Status is the answer's, as the caller has it.
	Status int
	// Age is how old the answer was, before a validation; 0 for the server's own.
	Age time.Duration
}

// Stats counts what a [Cache] did since it was made.
type Stats struct {
	// One for each [Result].
	Hits, Stale, Validated, Shared, Misses, Bypassed int64
	// StoreErrors counts the times that the store failed. No call fails for that.
	StoreErrors int64
	// Corrupt counts values that the store gave back damaged, and that were dropped.
	Corrupt int64
}

type counts struct {
	hits, stale, validated, shared, misses, bypassed, corrupt atomic.Int64
}

// Stats is what the cache did so far.
func (c *Cache) Stats() Stats {
	n := &c.counts
	return Stats{
		Hits: n.hits.Load(), Stale: n.stale.Load(), Validated: n.validated.Load(), Shared: n.shared.Load(),
		Misses: n.misses.Load(), Bypassed: n.bypassed.Load(), StoreErrors: c.store.failed.Load(), Corrupt: n.corrupt.Load(),
	}
}

func (n *counts) of(r Result) *atomic.Int64 {
	switch r {
	case ResultHit:
		return &n.hits
	case ResultStale:
		return &n.stale
	case ResultValidated:
		return &n.validated
	case ResultShared:
		return &n.shared
	case ResultMiss:
		return &n.misses
	case ResultBypass:
	}
	return &n.bypassed
}

// tell counts an answer and writes on it what the cache did (RFC 9211).
func (c *Cache) tell(ctx context.Context, resp *http.Response, e Event, how string) *http.Response {
	c.counts.of(e.Result).Add(1)
	resp.Header.Add("Cache-Status", "aplomb; "+how)
	if c.settings.Answered != nil {
		e.Status = resp.StatusCode
		if r := resp.Request; r != nil && r.URL != nil {
			e.Method, e.Host = r.Method, r.URL.Host
		}
		c.answered(ctx, resp, e)
	}
	return resp
}

// answered lets what panics in the caller's own code pass, and leaves no body behind.
func (c *Cache) answered(ctx context.Context, resp *http.Response, e Event) {
	done := false
	defer func() {
		if !done {
			_ = resp.Body.Close()
		}
	}()
	c.settings.Answered(ctx, e)
	done = true
}
