// Package growth measures whether a call costs the same however many hosts a
// client has called, and however many calls it has made: its time, what it
// allocates, and what is in use on the heap after it all.
//
// A client keeps state for 4096 hosts at most, and forgets the one that was not
// called for longest. Hosts are called in turn here, so that with more than these
// each call makes its host's state anew.
//
// There is no peer: aplomb is beside itself, with its defaults, over a transport that
// answers at once. The calls that were made before are made by as many callers as
// there are processors: a client counts them alike, and a million of them are soon
// over. Those that are measured come one after the other.
package growth
