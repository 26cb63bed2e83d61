// Package inbox keeps the events that other systems send until they have been
// handled, each of them once.
//
// A payment came in on a Tuesday, and the webhook's handler wrote it down and
// answered 200, and then the machine was gone with what it had not yet written to
// disk. The sender had its 200 and never asked again. On Wednesday the customer's
// events came twice, since an answer had taken eleven seconds, and the order was
// shipped twice. On Thursday an event that nobody could read was sent again every
// minute, and each time the process that read it ended.
//
// An inbox answers for an event once it is durable, knows it again when it comes a
// second time, and hands it to a handler until that has succeeded:
//
//	store, err := inbox.OpenSQL(ctx, db, inbox.SQLite)
//	box, err := inbox.New(store, store.Tx(func(ctx context.Context, tx *sql.Tx, e *inbox.Record) error {
//		_, err := tx.ExecContext(ctx, "UPDATE orders SET paid = 1 WHERE id = ?", orderOf(e.Body))
//		return err
//	}), inbox.Settings{})
//	go box.Run(ctx)
//	...
//	outcomes, err := box.Insert(ctx, event) // the package webhook does
//
// # What is promised
//
//   - Insert returns without an error once the event is on disk, and not before.
//   - Every event is handled at least once, whenever the process is killed, and its
//     effect takes place exactly once if it is in the same SQL database ([SQL.Tx]).
//   - Of the events with one Source and Key the first counts, also days later, also
//     if one came by webhook and one by poll. The insert decides, not a look before
//     it, and a different event with the same key is kept aside as a conflict.
//   - Events of one Order are handled one after another, as they occurred. What
//     fails is tried again, with growing waits, and holds up its own Order only.
//   - After [Settings.Attempts] attempts an event is a dead letter with its
//     history, also if it kills the process each time: attempts are counted before
//     the handler runs, and one whose process has ended is tried with no other such
//     event beside it.
//   - Everything can be replayed, and nothing is forgotten before its time.
//
// # Stores
//
// [OpenSQL] keeps events in SQLite, of one process or several on one machine, or in
// PostgreSQL, of any number of processes. Many inserts at once share a commit. The
// caller brings the *sql.DB and its driver; this package depends on none. The
// module redis has a store for Redis, and [NewMemory] is one for tests.
//
// Bodies are kept as they came, or encrypted with [Sealed]. What is printed of a
// record leaves them out.
package inbox
