// Package genqlient is what genqlient makes of schema.graphql and
// operations.graphql, in the version that go.mod names:
//
//	cd bench && GOWORK=off go generate ./graphql/...
package genqlient

//go:generate go tool genqlient genqlient.yaml
