// Package header reads the response header fields that tell a client how to
// behave: how long to wait, how much quota is left, where the next page is and
// when an endpoint goes away.
//
// Every function is pure, tolerant and bounded: what cannot be read is left
// out, no input makes one panic, and no result overflows or is negative where
// a caller would not expect it.
package header
