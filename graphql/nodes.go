package graphql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// Nodes ranges over the nodes of a connection, page after page, as far as the
// caller goes: leaving the loop sends nothing more
// (https://relay.dev/graphql/connections.htm).
//
// The document declares a variable $cursor, or $after, passes it as the
// connection's after argument, and selects pageInfo { hasNextPage endCursor }
// beside nodes or edges { node }. The connection is found by that: it is the
// outermost object of the data with pageInfo and one of these; where there are
// several, [At] says which. A value for the variable in vars is where the range
// begins, for which other lists have aplomb.Resume; here that is an error.
//
// A document that declares $before instead, or passes $cursor as the before
// argument and selects of pageInfo only { hasPreviousPage startCursor }, is read
// backwards: each page's last node comes first. vars are Vars, since the cursor is
// put among them.
//
// An error is yielded once and ends the range, after the nodes that came with
// it; see [Execute] for its types, and [AllowPartial]. A node that is null, most
// often since an error has its path, is left out, unless N is a pointer: then it is
// nil. A cursor that does not move is [aplomb.ErrCursorStuck]. [AtMost] bounds the
// range, aplomb.Prefetch fetches the next page meanwhile. Ranging again starts again.
func Nodes[N any](ctx context.Context, c *Client, query string, vars Vars, opts ...aplomb.CallOption) iter.Seq2[N, error] {
	return walkOver(ctx, c, query, vars, opts, func(w *walk[N], _ *page[N], conn connection) ([]N, error) {
		return nodesOf[N](conn)
	})
}

// Edges ranges over the edges of a connection as [Nodes] does over the nodes: for
// what an edge says of its node, such as since when it is a member, or its cursor.
func Edges[E any](ctx context.Context, c *Client, query string, vars Vars, opts ...aplomb.CallOption) iter.Seq2[E, error] {
	return walkOver(ctx, c, query, vars, opts, func(w *walk[E], _ *page[E], conn connection) ([]E, error) {
		if conn.edges == nil {
			return nil, errors.New("the connection has no edges: select edges { cursor node }, or range over Nodes")
		}
		return decodeList(conn.edges, "edges[%d]", func(e *E) *E { return e })
	})
}

// Pages ranges over the whole answers, as [Nodes] does over the nodes in them: for
// what stands beside a connection, or its pages' Response.
func Pages[T any](ctx context.Context, c *Client, query string, vars Vars, opts ...aplomb.CallOption) iter.Seq2[*Response[T], error] {
	return walkOver(ctx, c, query, vars, opts, func(w *walk[*Response[T]], p *page[*Response[T]], _ connection) ([]*Response[T], error) {
		r := &Response[T]{Extensions: p.Extensions, Response: w.response}
		if w.plan.partial {
			r.Errors = p.Errors
		}
		if err := json.Unmarshal(*p.Data, &r.Data); err != nil {
			return nil, &refusal{describe(err), err}
		}
		return []*Response[T]{r}, nil
	})
}

// walkOver ranges over what read finds on each page.
func walkOver[N any](ctx context.Context, c *Client, query string, vars Vars, opts []aplomb.CallOption, read func(*walk[N], *page[N], connection) ([]N, error)) iter.Seq2[N, error] {
	return func(yield func(N, error) bool) {
		var none N
		w, err := newWalk[N](c, query, vars, opts)
		if err != nil {
			yield(none, err)
			return
		}
		w.read = read
		all, err := w.options()
		if err != nil {
			yield(none, err)
			return
		}
		for p, err := range aplomb.Follow(w.context(ctx), w.plan.api, w.plan.method(), "", w.next, all...) {
			for _, node := range w.nodes(p) {
				if !yield(node, nil) {
					return
				}
			}
			if err != nil {
				yield(none, w.final(err))
				return
			}
		}
	}
}

// page is one answer and, once walk.next has read it, its nodes.
type page[N any] struct {
	answer[json.RawMessage]
	nodes []N
}

// walk is the state of one range.
type walk[N any] struct {
	trip
	read      func(*walk[N], *page[N], connection) ([]N, error)
	refused   answer[json.RawMessage] // read from a status that is no success
	variable  string
	cursor    string
	vars      Vars
	path      []string // to the connection; nil until the first page
	backwards bool     // as the last page was read
	seen      int
}

func newWalk[N any](c *Client, query string, vars Vars, opts []aplomb.CallOption) (*walk[N], error) {
	p, err := c.plan(Request{Query: query, Variables: vars}, opts)
	if err != nil {
		return nil, err
	}
	if p.operation.kind != "query" {
		return nil, fmt.Errorf("graphql: %s: Nodes, Edges and Pages are for queries: send a mutation with Execute, once", safe(p.label()))
	}
	w := &walk[N]{trip: trip{plan: p}, vars: vars}
	after, before := p.operation.declares("after"), p.operation.declares("before")
	switch {
	case p.operation.declares("cursor"): // then the others are filters
		w.variable = "cursor"
	case after && before:
		return nil, fmt.Errorf("graphql: %s: $after and $before both say where a page begins: declare one of them", safe(p.label()))
	case after:
		w.variable = "after"
	case before:
		w.variable = "before"
	}
	if w.variable != "" {
		w.cursor, _ = vars[w.variable].(string)
		return w, nil
	}
	return nil, fmt.Errorf("graphql: %s: declare $cursor: String (or $after, or $before) and pass it as the connection's after or before argument", safe(p.label()))
}

func (w *walk[N]) options() ([]aplomb.CallOption, error) {
	return w.plan.options(&w.trip, refused(&w.trip, &w.refused))
}

// nodes are those of a page, also of one whose status was no success.
func (w *walk[N]) nodes(p *page[N]) []N {
	if p != nil {
		return p.nodes
	}
	if w.refused.Data == nil {
		return nil
	}
	p = &page[N]{answer: w.refused}
	conn, err := w.connection(*p.Data)
	if err != nil {
		return nil
	}
	nodes, _ := w.take(p, conn) // the server's error is about to be yielded
	return nodes
}

// take reads a page's nodes, in the order of the range, as far as they are wanted.
func (w *walk[N]) take(p *page[N], conn connection) ([]N, error) {
	nodes, err := w.read(w, p, conn)
	if conn.backwards {
		slices.Reverse(nodes)
	}
	if most := w.plan.atMost; most > 0 && w.seen+len(nodes) >= most {
		nodes = nodes[:most-w.seen]
	}
	w.seen += len(nodes)
	return nodes, err
}

// next reads a page's nodes into it and says how to ask for the one after it.
func (w *walk[N]) next(p *page[N], _ aplomb.Response) ([]aplomb.CallOption, error) {
	if p == nil {
		p = new(page[N])
	}
	failure := p.failure(&w.trip)
	if p.Data == nil {
		return nil, failure
	}
	conn, err := w.connection(*p.Data)
	if err == nil {
		p.nodes, err = w.take(p, conn)
	}
	if err == nil { // else the server's error is the reason
		failure = w.plan.judged(failure)
	}
	cursor, more := conn.next()
	switch {
	case failure != nil: // the server's word first: what is missing is missing because of it
		return nil, failure
	case err != nil:
		return nil, w.refuse(err.Error(), err)
	case !more, w.plan.atMost > 0 && w.seen >= w.plan.atMost:
		return nil, nil
	case cursor == "":
		return nil, w.refuse("another page follows, but there is no cursor: select "+conn.selection(), aplomb.ErrTruncated)
	case cursor == w.cursor:
		return nil, w.stuck()
	}
	w.cursor = cursor
	return w.plan.carry(&w.trip, w.request())
}

// stuck says that a cursor came again.
func (w *walk[N]) stuck() error {
	argument := "after"
	if w.backwards {
		argument = "before"
	}
	return w.refuse(fmt.Sprintf("the same page again after %d nodes: is $%s the connection's %s argument?", w.seen, w.variable, argument), aplomb.ErrCursorStuck)
}

// final is the error that ends the range.
func (w *walk[N]) final(err error) error {
	if _, ours := errors.AsType[*refusal](err); !ours && errors.Is(err, aplomb.ErrCursorStuck) {
		return w.stuck() // Follow saw a longer loop than one page, and knows no variables
	}
	return w.complete(err)
}

// request asks for the page at the cursor. The caller's variables are not
// written to.
func (w *walk[N]) request() request {
	vars := Vars{}
	maps.Copy(vars, w.vars)
	vars[w.variable] = w.cursor
	r := w.plan.request
	r.Variables = present(vars)
	return r
}

// refuse says what is wrong with a page: client, operation and, once known, the
// connection come first.
func (w *walk[N]) refuse(text string, cause error) error {
	line := w.plan.api.Name() + ": " + w.operation + ": "
	if len(w.path) > 0 {
		line += cut(w.response.Redact(strings.Join(w.path, "."))) + ": "
	}
	return &refusal{line + cut(w.response.Redact(text)), cause}
}

// nodesOf decodes the connection's nodes. Those before one that does not fit are
// returned with the error, which names its place.
func nodesOf[N any](c connection) ([]N, error) {
	if c.nodes != nil {
		return decodeList(c.nodes, "nodes[%d]", func(n *N) *N { return n })
	}
	type edge struct{ Node *N }
	return decodeList(c.edges, "edges[%d].node", func(e *edge) *N {
		if e == nil {
			return nil
		}
		return e.Node
	})
}

func decodeList[E, N any](raw json.RawMessage, place string, node func(*E) *N) ([]N, error) {
	var list []*E
	failed := json.Unmarshal(raw, &list)
	if failed != nil {
		var parts []json.RawMessage
		if err := json.Unmarshal(raw, &parts); err != nil {
			return nil, &refusal{describe(err), err}
		}
		list = list[:0]
		for i, part := range parts {
			var e *E
			if err := json.Unmarshal(part, &e); err != nil {
				failed = &refusal{fmt.Sprintf(place+": ", i) + describe(err), err}
				break
			}
			list = append(list, e)
		}
	}
	pointer := reflect.TypeFor[N]().Kind() == reflect.Pointer
	nodes := make([]N, 0, len(list))
	for _, e := range list {
		switch n := node(e); {
		case n != nil:
			nodes = append(nodes, *n)
		case pointer:
			nodes = append(nodes, *new(N))
		}
	}
	return nodes, failed
}
