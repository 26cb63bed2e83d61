package river_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	aplombriver "github.com/aplomb-go/aplomb/river"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

func event(key string) inbox.Event {
	return inbox.Event{Source: "acme", Key: key, Via: inbox.Webhook, Type: "a.happened", Body: []byte(key)}
}

func polled(e inbox.Event, body string) inbox.Event {
	e.Via, e.Body = inbox.Poll, []byte(body)
	return e
}

func mustInsert(t testing.TB, s *aplombriver.Sink, events ...inbox.Event) []inbox.Outcome {
	t.Helper()
	out, err := s.Insert(t.Context(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// jobs are those that there are: "state body", and what tags it has.
func jobs(t testing.TB, s *aplombriver.Sink) []string {
	t.Helper()
	rows, err := s.Pool.Query(t.Context(), "SELECT state::text || ' ' || convert_from(decode(args->>'Body', 'base64'), 'UTF8') || ' ' || array_to_string(tags, ',') FROM river_job ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(s))
	}
	return all
}

func idle(context.Context, *river.Job[aplombriver.Event]) error { return nil }

func TestOutcomes(t *testing.T) {
	t.Parallel()
	s, _ := newSink(t, idle)
	a, other, held := event("a"), event("a"), polled(event("p"), "the list's view")
	other.Body, held.Hold = []byte("another"), time.Hour
	out := mustInsert(t, s, a, held, a, polled(a, "x"), other, other)
	want := []inbox.Outcome{
		{Status: inbox.Stored, Seq: out[0].Seq, Via: inbox.Webhook}, {Status: inbox.Stored, Seq: out[1].Seq, Via: inbox.Poll},
		{Status: inbox.Duplicate, Seq: out[0].Seq, Via: inbox.Webhook}, {Status: inbox.Duplicate, Seq: out[0].Seq, Via: inbox.Webhook},
		{Status: inbox.Conflict, Seq: out[4].Seq, Via: inbox.Webhook}, {Status: inbox.Duplicate, Seq: out[4].Seq, Via: inbox.Webhook},
	}
	if !slices.Equal(out, want) || out[0].Seq == out[4].Seq {
		t.Errorf("got  %+v\nwant %+v", out, want)
	}
	if got := jobs(t, s); !slices.Equal(got, []string{"available a", "pending another conflict", "scheduled the list's view"}) {
		t.Errorf("the jobs are %q", got)
	}
	again := mustInsert(t, s, event("p"), event("p"), held)
	if again[0] != (inbox.Outcome{Status: inbox.Replaced, Seq: out[1].Seq, Via: inbox.Webhook}) || again[1].Status != inbox.Duplicate || again[2] != again[1] {
		t.Errorf("the webhook of what a poll brought: %+v", again)
	}
	if got := jobs(t, s); !slices.Equal(got, []string{"available a", "pending another conflict", "available p"}) {
		t.Errorf("the jobs are %q", got)
	}
	if _, err := s.Insert(t.Context(), event("new"), event("")); err == nil || len(jobs(t, s)) != 3 {
		t.Errorf("an insert of an event without a key: %v, and the jobs %q", err, jobs(t, s))
	}
	if n, err := s.Purge(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("Purge of what is an hour old: %d, %v", n, err)
	}
	if n, err := s.Purge(t.Context(), time.Microsecond); n != 3 || err != nil {
		t.Errorf("Purge of all: %d, %v", n, err)
	}
	if out := mustInsert(t, s, a); out[0].Status != inbox.Stored {
		t.Errorf("what was forgotten, again: %+v", out)
	}
}

// A worker gets the event byte for byte, once; a conflict when somebody retries it;
// and the webhook of what a worker has begun comes too late.
func TestWorked(t *testing.T) {
	t.Parallel()
	worked := make(chan *river.Job[aplombriver.Event], 10)
	s, client := newSink(t, func(_ context.Context, job *river.Job[aplombriver.Event]) error {
		worked <- job
		return nil
	})
	done, cancel := client.Subscribe(river.EventKindJobCompleted)
	defer cancel()
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.StopAndCancel(context.WithoutCancel(t.Context())) })

	e := polled(event("a"), "\x00\xff\x00")
	e.Header, e.Order = http.Header{"X-A": {"b", "é"}}, "x"
	mustInsert(t, s, e)
	got := (<-worked).Args
	if got.Key != "a" || !bytes.Equal(got.Body, e.Body) || !slices.Equal(got.Header["X-A"], e.Header["X-A"]) || got.Order != "x" || got.Occurred.IsZero() || got.Via != inbox.Poll {
		t.Errorf("the worker got %v, %q, %v", got, got.Body, got.Header)
	}
	if s := fmt.Sprintf("%+v", got); strings.Contains(s, "\x00") {
		t.Errorf("the event prints as %q", s)
	}
	<-done
	if out := mustInsert(t, s, event("a"))[0]; out.Status != inbox.Duplicate || out.Via != inbox.Poll {
		t.Errorf("the webhook of what is done: %+v", out)
	}
	mustInsert(t, s, polled(event("a"), "another"), event("b"))
	if got := <-worked; got.Args.Key != "b" {
		t.Errorf("the worker got %v, want b: a conflict waits", got.Args)
	}
	var id int64
	if err := s.Pool.QueryRow(t.Context(), "SELECT id FROM river_job WHERE state = 'pending'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	if _, err := client.JobRetry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if got := <-worked; string(got.Args.Body) != "another" {
		t.Errorf("the worker got %q, want the conflict", got.Args.Body)
	}
}

// What was worked stays where the webhook comes too late, and is not worked twice.
func TestNotReplaced(t *testing.T) {
	t.Parallel()
	s, _ := newSink(t, idle)
	for _, state := range []rivertype.JobState{rivertype.JobStateRunning, rivertype.JobStateCompleted, rivertype.JobStateRetryable, rivertype.JobStateDiscarded, rivertype.JobStateScheduled} {
		key := string(state)
		mustInsert(t, s, polled(event(key), "the list's view"))
		_, err := s.Pool.Exec(t.Context(), "UPDATE river_job SET state = $1::text::river_job_state, attempt = 1, finalized_at = CASE WHEN $1 IN ('completed', 'discarded') THEN now() END WHERE args->>'Key' = $1", key)
		if err != nil {
			t.Fatal(err)
		}
		if out := mustInsert(t, s, event(key))[0]; out.Status != inbox.Duplicate || out.Via != inbox.Poll {
			t.Errorf("the webhook of what is %s: %+v", state, out)
		}
		if got := jobs(t, s); got[len(got)-1] != key+" the list's view" {
			t.Errorf("the jobs are %q", got)
		}
	}
}

// Many at once insert the same events: each becomes one job.
func TestSameKeysAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := newSink(t, idle)
	stored := make(chan int, 64)
	var group sync.WaitGroup
	for g := range 64 {
		group.Go(func() {
			events := []inbox.Event{event("a"), event("b"), event("c")}
			if g%2 == 1 {
				slices.Reverse(events)
			}
			out, err := s.Insert(t.Context(), events...)
			if err != nil {
				t.Error(err)
			}
			for _, o := range out {
				if o.Status == inbox.Stored {
					stored <- 1
				}
			}
		})
	}
	group.Wait()
	if got := jobs(t, s); len(stored) != 3 || len(got) != 3 {
		t.Errorf("%d were stored, and the jobs are %q; want 3", len(stored), got)
	}
}

// What Insert answered for is on disk, though this server's commits are not.
func TestLaw11_RiverSinkIsDurable(t *testing.T) {
	t.Parallel()
	s, _ := newSink(t, idle)
	for i := range 10 {
		mustInsert(t, s, event(strconv.Itoa(i)))
		var ahead int64
		if err := s.Pool.QueryRow(t.Context(), "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()").Scan(&ahead); err != nil {
			t.Fatal(err)
		}
		if ahead > 64 {
			t.Errorf("after an insert %d bytes are not on disk", ahead)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	if _, err := (&aplombriver.Sink{}).Insert(t.Context(), event("a")); err == nil || !strings.Contains(err.Error(), "Sink.Pool") {
		t.Errorf("Insert without a pool: %v", err)
	}
	s, client := newSink(t, idle)
	if _, err := s.Purge(t.Context(), 0); err == nil {
		t.Error("Purge of all: want an error")
	}
	s = &aplombriver.Sink{Pool: s.Pool, Client: client, Options: func(e *inbox.Event) river.InsertOpts {
		return river.InsertOpts{Queue: e.Source, Pending: true}
	}}
	mustInsert(t, s, event("a"))
	var queue, state string
	if err := s.Pool.QueryRow(t.Context(), "SELECT queue, state::text FROM river_job").Scan(&queue, &state); err != nil || queue != "acme" || state != "available" {
		t.Errorf("the job is %s in queue %q, %v; want it available in acme", state, queue, err)
	}

	// Of two events one would have no job, and be gone.
	s = &aplombriver.Sink{Pool: s.Pool, Client: client, Options: func(*inbox.Event) river.InsertOpts {
		return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByQueue: true}}
	}}
	mustInsert(t, s, event("b"))
	if _, err := s.Insert(t.Context(), event("c")); err == nil || !strings.Contains(err.Error(), "must not set UniqueOpts") {
		t.Errorf("an event without a job of its own: %v", err)
	}
}
