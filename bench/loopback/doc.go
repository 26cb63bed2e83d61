// Package loopback measures how many calls 64 callers get through to a server on
// this machine, and how long the slowest take: aplomb beside a bare http.Client
// and beside the stack made by hand.
//
// There are two cases. With shared settings each has the same http.Transport, with
// room for the 64 connections; as they come each has what its documentation says
// first: http.DefaultTransport, which keeps two idle connections to a host;
// go-cleanhttp's pooled transport, which retryablehttp.NewClient makes, and which
// keeps one more than there are processors; and what aplomb.New makes.
//
// Apart from that, each is set up as in bench/call, so that all policies are on:
//
//   - aplomb: New with Bearer.
//   - composed: package internal/composed, used directly, 60 s for each call.
//   - net-http: http.Client, the header set by hand, encoding/json. It repeats
//     nothing.
//
// All callers of a way share one client, as those of a program do.
package loopback
