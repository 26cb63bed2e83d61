package gqlgen_test

import (
	"iter"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/gqlgen"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// start runs a server and returns a client of it, to which the options apply.
func start(t *testing.T, opts ...aplomb.CallOption) (*gqlgen.Server, *graphql.Client) {
	t.Helper()
	return startWith(t, gqlgen.Settings{}, opts...)
}

func startWith(t *testing.T, settings gqlgen.Settings, opts ...aplomb.CallOption) (*gqlgen.Server, *graphql.Client) {
	t.Helper()
	s := gqlgen.Start(t, settings)
	api, err := aplomb.New(s.URL)
	assert.NoError(t, err)
	t.Cleanup(api.CloseIdleConnections)
	return s, graphql.New(api, opts...)
}

// all are what a range yields, and the error that ends it.
func all[T any](list iter.Seq2[T, error]) (got []T, err error) {
	for one, err := range list {
		if err != nil {
			return got, err
		}
		got = append(got, one)
	}
	return got, nil
}
