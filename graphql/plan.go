package graphql

import (
	"errors"
	"slices"
	"time"

	"github.com/aplomb-go/aplomb"
)

// mediaTypes are what answers may come as. The first is GraphQL whatever the
// status (https://graphql.github.io/graphql-over-http/draft/); it comes first
// since some servers take the first they know and ignore q.
const mediaTypes = "application/graphql-response+json, application/json;q=0.9"

// request is the body (GraphQL over HTTP, section 5.1). What is empty is left
// out: some servers refuse an operationName that is "".
type request struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName,omitempty"`
	Variables     any            `json:"variables,omitempty"`
	Extensions    map[string]any `json:"extensions,omitempty"`
}

// plan is a call as it was asked for.
type plan struct {
	api       *aplomb.Client
	request   request
	operation operation
	at        string
	atMost    int  // 0: all
	partial   bool // errors beside data are no failure
	stream    streaming
	opts      []aplomb.CallOption
}

// plan reads the document and sorts this package's options from the others.
func (c *Client) plan(r Request, opts []aplomb.CallOption) (*plan, error) {
	if c == nil || c.api == nil {
		return nil, errors.New("graphql: no client: make one with graphql.New(api)")
	}
	p := &plan{api: c.api, request: request{r.Query, r.OperationName, present(r.Variables), r.Extensions}}
	for _, o := range slices.Concat(c.opts, opts) {
		mine, ok := o.(option)
		if !ok {
			p.opts = append(p.opts, o)
			continue
		}
		if err := mine.apply(p); err != nil {
			return nil, err
		}
	}
	operations, err := parse(r.Query)
	if err != nil {
		return nil, err
	}
	pick := choose
	if p.stream.wanted {
		pick = chooseStream
	}
	p.operation, err = pick(operations, p.request.OperationName)
	return p, err
}

// label is the operation's name in errors, logs and metrics, unless an
// aplomb.Operation names it.
func (p *plan) label() string {
	if p.operation.name != "" {
		return p.operation.name
	}
	return p.operation.kind
}

// options of the calls that t watches; the caller's come last and win.
func (p *plan) options(t *trip, refused aplomb.ErrorDecoder) []aplomb.CallOption {
	opts := []aplomb.CallOption{
		aplomb.Header("Accept", mediaTypes), aplomb.Operation(p.label()), aplomb.JSON(p.request),
		aplomb.Judge(t.judge), refused, aplomb.Capture(&t.response),
	}
	if p.operation.kind == "query" {
		opts = append(opts, aplomb.Safe())
	}
	return append(opts, p.opts...)
}

// trip is what one call, or one range, learns on the way. One goroutine at a
// time uses it.
type trip struct {
	plan      *plan
	operation string              // what the call is named, by the document or an option
	response  aplomb.Response     // filled when a call returns
	wait      time.Duration       // that the server asked for
	redact    func(string) string // the answer's own, where there is no request
}

func (t *trip) judge(a *aplomb.Attempt) aplomb.Verdict {
	v := judge(a)
	t.operation, t.wait = a.Operation, v.Wait
	return v
}
