// Package internal holds the descriptions of an API and the clients that
// generators have made of them: go generate makes them anew.
package internal

//go:generate go tool genqlient genqlient.yaml
//go:generate go tool oapi-codegen -config oapi.yaml openapi.yaml
//go:generate go tool ogen -config ogen.yaml -package ogen -target ogen -clean openapi.yaml
