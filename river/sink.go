package river

import (
	"cmp"
	"context"
	_ "embed" // the tables
	"errors"
	"slices"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Event is what a job is about: its arguments. It prints without its body. Its
// Digest and Hold are empty.
type Event struct{ inbox.Event }

// Kind is how River knows such jobs.
func (Event) Kind() string { return "aplomb_event" }

// Sink is an [inbox.Sink] whose events are jobs.
//
// An event that is held is a job that is scheduled. A conflict is a job that is
// pending, with the tag "conflict", which River leaves alone until somebody has it
// worked with Client.JobRetry.
type Sink struct {
	// Pool is of the database in which River's tables are, and this package's.
	// Required.
	Pool *pgxpool.Pool
	// Client inserts the jobs. It needs no workers. Required.
	Client *river.Client[pgx.Tx]
	// Options are those of an event's job, such as its queue. ScheduledAt and
	// Pending are set by the Sink. Nil: River's own.
	Options func(*inbox.Event) river.InsertOpts
}

var _ inbox.Sink = (*Sink)(nil)

//go:embed tables.sql
var tables string

// Migrate makes the table of keys, if it is not there. River's own migrations are
// made by River.
func (s *Sink) Migrate(ctx context.Context) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, tables)
		return err
	})
}

// Purge forgets keys that came longer ago than that, and returns how many. It must
// be longer than any sender goes on delivering: Stripe does for 3 days, Standard
// Webhooks for over 75 hours. Call it now and then, as a periodic job.
func (s *Sink) Purge(ctx context.Context, keys time.Duration) (int, error) {
	if keys <= 0 {
		return 0, errors.New("river: Purge needs a duration above zero")
	}
	n := 0
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM aplomb_river_seen WHERE received <= clock_timestamp() - $1::interval", keys)
		n = int(tag.RowsAffected())
		return err
	})
	return n, err
}

// Insert is [inbox.Sink.Insert], in one transaction.
func (s *Sink) Insert(ctx context.Context, events ...inbox.Event) ([]inbox.Outcome, error) {
	order := make([]int, len(events))
	for i := range events {
		if err := events[i].Check(); err != nil {
			return nil, err
		}
		order[i] = i
	}
	// Two that insert the same keys wait for each other in one order only.
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(events[a].Source, events[b].Source), cmp.Compare(events[a].Key, events[b].Key))
	})
	out := make([]inbox.Outcome, len(events))
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		for _, i := range order {
			if out[i], err = (&insertion{s, tx, &events[i], events[i].Fingerprint()}).run(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// inTx runs f in a transaction whose commit is durable also where commits are not
// by default.
func (s *Sink) inTx(ctx context.Context, f func(pgx.Tx) error) error {
	if s.Pool == nil || s.Client == nil {
		return errors.New("river: Sink.Pool or Sink.Client is nil")
	}
	return pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"); err != nil {
			return err
		}
		return f(tx)
	})
}

// insertion is that of one event.
type insertion struct {
	*Sink
	tx     pgx.Tx
	event  *inbox.Event
	digest []byte
}

func (n *insertion) run(ctx context.Context) (inbox.Outcome, error) {
	e := n.event
	if seq, err := n.add(ctx, true); err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return inbox.Outcome{Status: inbox.Stored, Seq: seq, Via: e.Via}, err
	}
	var was inbox.Outcome
	var job int64
	var same bool
	err := n.tx.QueryRow(ctx, "SELECT seq, via, job, digest = $3 FROM aplomb_river_seen WHERE source = $1 AND key = $2 AND first FOR UPDATE",
		e.Source, e.Key, n.digest).Scan(&was.Seq, &was.Via, &job, &same)
	if err != nil {
		return was, err
	}
	was.Status = inbox.Duplicate
	switch {
	case was.Via == inbox.Poll && e.Via == inbox.Webhook:
		replaced, err := n.replace(ctx, was.Seq, job)
		if replaced {
			was.Status, was.Via = inbox.Replaced, e.Via
		}
		return was, err
	case was.Via != e.Via || same:
		return was, nil
	}
	seq, err := n.add(ctx, false)
	if err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return inbox.Outcome{Status: inbox.Conflict, Seq: seq, Via: e.Via}, err
	}
	err = n.tx.QueryRow(ctx, "SELECT seq, via FROM aplomb_river_seen WHERE source = $1 AND key = $2 AND digest = $3 AND NOT first",
		e.Source, e.Key, n.digest).Scan(&was.Seq, &was.Via)
	return was, err
}

// add writes the event's key down and makes a job of it: pgx.ErrNoRows where the
// key is there.
func (n *insertion) add(ctx context.Context, first bool) (seq int64, err error) {
	insert := "INSERT INTO aplomb_river_seen (source, key, first, via, digest) VALUES ($1, $2, true, $3, $4) ON CONFLICT (source, key) WHERE first DO NOTHING RETURNING seq, received"
	if !first {
		insert = "INSERT INTO aplomb_river_seen (source, key, first, via, digest) VALUES ($1, $2, false, $3, $4) ON CONFLICT (source, key, digest) WHERE NOT first DO NOTHING RETURNING seq, received"
	}
	var received time.Time
	if err := n.tx.QueryRow(ctx, insert, n.event.Source, n.event.Key, string(n.event.Via), n.digest).Scan(&seq, &received); err != nil {
		return 0, err
	}
	return seq, n.enqueue(ctx, seq, received, first)
}

// enqueue makes the job of the record with this number.
func (n *insertion) enqueue(ctx context.Context, seq int64, received time.Time, first bool) error {
	e := *n.event
	e.Digest, e.Hold = nil, 0
	if e.Occurred.IsZero() {
		e.Occurred = received
	}
	var o river.InsertOpts
	if n.Options != nil {
		o = n.Options(n.event)
	}
	switch o.Pending = !first; {
	case !first:
		o.Tags = append(slices.Clone(o.Tags), "conflict")
	case n.event.Hold > 0:
		o.ScheduledAt = received.Add(n.event.Hold)
	}
	inserted, err := n.Client.InsertTx(ctx, n.tx, Event{e}, &o)
	if err == nil && inserted.UniqueSkippedAsDuplicate {
		err = errors.New("river: Sink.Options must not set UniqueOpts: the event would have no job of its own, and a duplicate is known without")
	}
	if err != nil {
		return err
	}
	_, err = n.tx.Exec(ctx, "UPDATE aplomb_river_seen SET job = $2 WHERE seq = $1", seq, inserted.Job.ID)
	return err
}

// replace puts the event in the place of one that a poll brought, unless a worker
// has begun it.
func (n *insertion) replace(ctx context.Context, seq, job int64) (bool, error) {
	err := pgx.BeginFunc(ctx, n.tx, func(tx pgx.Tx) error { // a savepoint: what was worked must stay
		was, err := n.Client.JobDeleteTx(ctx, tx, job)
		if err == nil && (was.Attempt > 0 || was.State != rivertype.JobStateAvailable && was.State != rivertype.JobStateScheduled) {
			return errBegun
		}
		return err
	})
	switch {
	case errors.Is(err, errBegun), errors.Is(err, rivertype.ErrJobRunning), errors.Is(err, rivertype.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	var received time.Time
	if err := n.tx.QueryRow(ctx, "UPDATE aplomb_river_seen SET via = $2, digest = $3 WHERE seq = $1 RETURNING received", seq, string(n.event.Via), n.digest).Scan(&received); err != nil {
		return false, err
	}
	return true, n.enqueue(ctx, seq, received, true)
}

var errBegun = errors.New("river: the job was begun")
