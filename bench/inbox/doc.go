// Package inbox measures how fast aplomb/inbox has events on disk, beside the same
// driver under a group commit written by hand and beside a webhook's handler that
// inserts one row per commit. The report has the figures: bench/RESULTS.md.
//
// All of them have a database of their own by modernc.org/sqlite, opened as the
// inbox's documentation advises: a write-ahead log, synchronous in full, so that a
// commit is on disk, and a busy timeout.
//
//   - aplomb: OpenSQL with its defaults, and Insert.
//   - group-commit-by-hand: one goroutine that commits up to 256 rows at a time by a
//     prepared statement, into the inbox's own tables.
//   - group-commit-smallest-table: the same into a table that knows an event again,
//     and could not hand it out.
//   - a-commit-each: one row, one commit, by one connection: more of them would wait
//     for each other in steps of the busy timeout.
package inbox
