// Package graphql measures aplomb/graphql side by side with genqlient, with
// hasura/go-graphql-client and with plain net/http, in the same run, so that what
// is held are ratios and not the machine: what one query for 100 nodes costs.
// RESULTS.md has the figures; `make bench-graphql` writes it.
package graphql
