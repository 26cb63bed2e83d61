// Package spread makes the calls of one aplomb client to many hosts, with many
// credentials: what the client keeps for each of them is what is measured.
package spread

import (
	"context"
	"runtime"
	"strconv"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/internal/canned"
	"github.com/aplomb-go/aplomb/bench/internal/crowd"
)

// Calls are those of one client.
type Calls struct {
	client *aplomb.Client
	keys   [][]aplomb.CallOption
}

// New makes a client that calls so many hosts, each with so many credentials.
func New(tb testing.TB, hosts, credentials int) *Calls {
	tb.Helper()
	client, err := aplomb.New(canned.Base, aplomb.Transport(&canned.API{}))
	if err != nil {
		tb.Fatal(err)
	}
	c := &Calls{client: client}
	for i := range hosts {
		address := aplomb.URL("https://host" + strconv.Itoa(i) + ".acme.example" + canned.Path)
		for j := range credentials {
			credential := aplomb.Header("Authorization", "Bearer "+canned.Token+strconv.Itoa(j))
			c.keys = append(c.keys, []aplomb.CallOption{address, credential})
		}
	}
	return c
}

// Do makes the call of that number: each has the next key.
func (c *Calls) Do(n int) error {
	return canned.Check(aplomb.Get[canned.Order](context.Background(), c.client, canned.Path, c.keys[n%len(c.keys)]...))
}

// Warm makes so many calls, as many at a time as there are processors: a million by
// one caller would take a while.
func (c *Calls) Warm(tb testing.TB, calls int) {
	tb.Helper()
	if _, err := crowd.Run(runtime.GOMAXPROCS(0), calls, func(_, n int) error { return c.Do(n) }); err != nil {
		tb.Fatal(err)
	}
}
