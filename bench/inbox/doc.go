// Package inbox measures how fast aplomb/inbox has events on disk, beside the same
// driver under a group commit written by hand and beside a webhook's handler that
// inserts one row per commit. RESULTS.md has the figures; `make bench-inbox` writes
// it.
package inbox
