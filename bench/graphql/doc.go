// Package graphql measures aplomb/graphql side by side with genqlient, with
// hasura/go-graphql-client and with plain net/http, in the same run, so that what
// is held are ratios and not the machine: what one query for 100 nodes costs.
// The report has the figures: bench/RESULTS.md.
//
// All of them ask for the same fields of the same answer, and give each node's back
// as a struct:
//
//   - aplomb: New with Bearer, all policies on, and Execute of the query's text.
//   - genqlient: what it generates of the same query, and its NewClient over an
//     http.Client.
//   - hasura: NewClient over an http.Client, and Query with a struct, of which it
//     makes the query each time: it is its documentation's first way.
//   - net-http: http.Client and encoding/json.
//
// The last three have no credentials of their own, and get them by a transport that
// clones the request and sets the header, as genqlient's documentation has it. They
// repeat nothing.
package graphql
