// Package monitor measures what a call costs that a monitor watches beside one that
// nothing watches, in the same run: over a connection on this machine, which is less
// than any API takes, and with no network at all. The report has the figures:
// bench/RESULTS.md.
//
// There is no peer: aplomb is beside itself, with its defaults, and so is the monitor.
// Its lists are full before it is measured.
package monitor
