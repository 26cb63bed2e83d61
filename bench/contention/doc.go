// Package contention measures what callers cost each other who share a client: the
// processor time of a call made by 64 goroutines at a time beside that of one
// goroutine, and what of it was spent for locks of the library that another held.
//
// A key is a host with a credential, for which a client learns a quota. There are
// cases of one, and of 10,000: 100 hosts with 100 credentials each. A client keeps
// 16384 quotas at most.
//
// There is no peer: aplomb is beside itself. It has its defaults, which are all
// policies, over a transport that answers at once, so that nothing hides a lock; the
// credential is each call's header, since there are many of them.
package contention
