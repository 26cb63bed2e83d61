package graphql

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/aplomb-go/aplomb"
)

// Vars are the values of a document's variables by name, without the dollar
// sign. A nil value is sent as null, one that is not there not at all.
type Vars map[string]any

// Client calls one GraphQL endpoint. [New] makes it; it is safe for concurrent
// use. Every function of the package takes it.
type Client struct {
	api       *aplomb.Client
	opts      []aplomb.CallOption
	couriered func() (*aplomb.Client, error) // api with the courier in it, made when it is needed
	keepsNone atomic.Bool                    // the server said that it persists no queries
}

// New returns a client that calls c's base URL. The options go before those of each
// call: PersistedQueries, UseGET, AllowPartial, WebSocket, InitPayload, Reconnect and
// MaxEvent belong here, where they are to hold for all; where the endpoint is not the base URL, because c serves a REST
// API too, say so here, and both share c's limits and breaker:
//
//	gh := graphql.New(api, aplomb.URL("/graphql"))
func New(c *aplomb.Client, opts ...aplomb.CallOption) *Client {
	return &Client{
		api: c, opts: append([]aplomb.CallOption(nil), opts...),
		couriered: sync.OnceValues(func() (*aplomb.Client, error) { return c.With(aplomb.PerCall(courier)) }),
	}
}

// API is the client underneath.
func (c *Client) API() *aplomb.Client { return c.api }

// Preset has an [aplomb.Client] read the rate limits that GraphQL servers state
// in a 200 answer: give it to [aplomb.New] where the client goes under a
// generated one, such as genqlient's. [New] needs no Preset.
//
// An answer without data and with an error RATE_LIMITED or RATE_LIMIT (GitHub)
// or THROTTLED (Shopify) counts as a 429: its Retry-After, X-RateLimit-Reset or
// query cost says how long to wait, every caller waits with it, and what the
// server refused before it began is sent again. See
// https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
// and https://shopify.dev/docs/api/usage/limits.
func Preset() aplomb.Option {
	return aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict { return judge(a, 0) })
}

// OperationName says which of a document's several operations to execute. It is
// given to [Execute] and its siblings directly.
func OperationName(name string) aplomb.CallOption {
	return own("OperationName", func(p *plan) error {
		if name == "" {
			return errors.New("graphql: OperationName: the name is empty")
		}
		p.request.OperationName = name
		return nil
	})
}

// At says which connection [Nodes], [Edges] or [Pages] go through, such as
// "user.repositories", where an answer has several. It is given to them directly.
func At(path string) aplomb.CallOption {
	return own("At", func(p *plan) error {
		if path == "" {
			return errors.New("graphql: At: the path is empty")
		}
		p.at = path
		return nil
	})
}

// AtMost ends [Nodes], [Edges] or [Pages] after n of what they yield: no page is
// fetched that none of them is on. It is given to them directly.
func AtMost(n int) aplomb.CallOption {
	return own("AtMost", func(p *plan) error {
		if n <= 0 {
			return fmt.Errorf("graphql: AtMost: %d is not a positive number", n)
		}
		p.atMost = n
		return nil
	})
}

// AllowPartial takes an answer that has data for a success, whatever errors came
// beside it. [Do] and [Pages] give them as Response.Errors, [Add] in its Result;
// [Execute], [Nodes], [Edges] and [Subscribe] drop them, and a range goes on. Leave
// it out to have data and error both.
func AllowPartial() aplomb.CallOption {
	return own("AllowPartial", func(p *plan) error { p.partial = true; return nil })
}

// An option of this package is an aplomb.CallOption by what it embeds, which
// the root never gets to see from Execute and Nodes. Elsewhere, as in
// aplomb.CallOptions, it would have no effect, so there it is an error.
type option struct {
	aplomb.CallOption
	apply func(*plan) error
}

func own(name string, apply func(*plan) error) aplomb.CallOption {
	return option{aplomb.JSON(misplaced(name)), apply}
}

// misplaced is a body that cannot be encoded, and says why.
type misplaced string

func (m misplaced) MarshalJSON() ([]byte, error) {
	return nil, errors.New("graphql: " + string(m) + " must be given to the function of package graphql itself")
}
