package gqlgen

//go:generate go tool gqlgen generate
