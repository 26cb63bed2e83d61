package inbox

import (
	"context"
	"time"
)

// Hooks are functions called when something happens, for metrics and logs. Any may
// be nil. They are called from several goroutines at once and should be quick. No
// event holds a body or a header.
type Hooks struct {
	// Inserted reports each event that [Inbox.Insert] or [Inbox.Commit] was given.
	Inserted func(context.Context, InsertEvent)
	// Handled reports each attempt.
	Handled func(context.Context, HandleEvent)
	// Trouble reports that the store failed; what was tried is tried again.
	Trouble func(context.Context, TroubleEvent)
}

// InsertEvent is an event that was inserted, or was not.
type InsertEvent struct {
	Source, Key, Type string
	Via               Via
	Outcome           Outcome // zero with an Err
	Elapsed           time.Duration
	Err               error
}

// HandleEvent is an attempt that ended.
type HandleEvent struct {
	Source, Key, Type string
	// Via tells an event that a webhook brought from one that it missed.
	Via     Via
	Seq     int64
	Attempt int
	Replay  string
	Result  Result
	// Elapsed is what the handler took, and Age how long ago the event was received.
	Elapsed, Age time.Duration
	Err          error
}

// Result is what came of an attempt, in few words: a metric's label.
type Result string

// The results.
const (
	ResultDone    Result = "done"
	ResultSkipped Result = "skipped" // by the handler
	ResultStale   Result = "stale"   // by [Settings.Stale]
	ResultRetry   Result = "retry"   // failed, and is handled again
	ResultDead    Result = "dead"    // is a dead letter, maybe parked
	ResultLost    Result = "lost"    // another process has it now
	// ResultReleased: the process ended before the handler did, so the attempt does
	// not count.
	ResultReleased Result = "released"
)

// TroubleEvent is a step of the inbox that failed.
type TroubleEvent struct {
	// Step is "claim", "extend", "settle" or "purge".
	Step string
	Err  error
}

func (h *Hooks) inserted(ctx context.Context, events []Event, out []Outcome, elapsed time.Duration, err error) {
	if h.Inserted == nil {
		return
	}
	for i := range events {
		e := &events[i]
		ev := InsertEvent{Source: e.Source, Key: e.Key, Type: e.Type, Via: e.Via, Elapsed: elapsed, Err: err}
		if err == nil {
			ev.Outcome = out[i]
		}
		h.Inserted(ctx, ev)
	}
}

func (h *Hooks) trouble(ctx context.Context, step string, err error) {
	if h.Trouble != nil {
		h.Trouble(ctx, TroubleEvent{step, err})
	}
}
