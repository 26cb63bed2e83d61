// Package monitor measures what a call costs that a monitor watches beside one that
// nothing watches, in the same run: over a connection on this machine, which is less
// than any API takes, and with no network at all. RESULTS.md has the figures;
// `make bench-monitor` writes it.
package monitor
