// Package examples is the module of runnable examples: one folder each, to be
// read, run with `go run ./examples/NAME`, and copied into a service.
package examples
