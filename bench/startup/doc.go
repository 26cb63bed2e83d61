// Package startup measures what a program pays for importing aplomb before it makes
// a call: the time that packages take to initialise, and the size of the binary,
// beyond those of a program that does the same with net/http and encoding/json.
//
// The programs are below cost: base is http.Client with the header set by hand, and
// aplomb is New with Bearer and one typed Get, all policies on. Both are built as one
// ships them, stripped and without cgo. What net/http brings along counts for neither:
// a program that needs HTTP has that anyway.
package startup
