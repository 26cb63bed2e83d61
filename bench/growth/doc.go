// Package growth measures whether a call costs the same however many hosts a
// client has called, and however many calls it has made: its time, what it
// allocates, and what is in use on the heap after it all.
//
// A client keeps state for 16384 hosts at most, and for one more forgets one that was
// not called of late: with more than these, called in turn, each call would make its
// host's state anew.
//
// There is no peer: aplomb is beside itself, with its defaults, over a transport that
// answers at once. The calls that were made before are made by as many callers as
// there are processors: a client counts them alike, and a million of them are soon
// over. Those that are measured come one after the other.
package growth
