// Package gqlgen serves a small schema with gqlgen, a GraphQL server that has
// every transport: POST, GET, uploads, server-sent events and websocket. It
// answers what a server of our own could not: whether what we send is understood
// by someone who read the same specifications.
package gqlgen
