// Package river has events handled by the workers of River, a queue of jobs in
// PostgreSQL, for those who run it already and want no second one.
//
// A [Sink] stands where an [inbox.Inbox] would. An event becomes a job in the
// transaction that writes down its key, so it is a job once and not twice:
//
//	sink := &aplombriver.Sink{Pool: pool, Client: client}
//	err := sink.Migrate(ctx)
//	...
//	outcomes, err := sink.Insert(ctx, event) // the package webhook does
//
// and a worker of [Event] handles it:
//
//	type worker struct{ river.WorkerDefaults[aplombriver.Event] }
//
//	func (worker) Work(ctx context.Context, job *river.Job[aplombriver.Event]) error
//
// where river is github.com/riverqueue/river and aplombriver is this package.
//
// Whose work is whose: the keys are this package's, for as long as [Sink.Purge]
// leaves them, since River forgets jobs a day after they are done. Attempts,
// backoff, dead letters and the look at them are River's. So is order, of which it
// has none: events of one Order may be handled at the same time.
package river
