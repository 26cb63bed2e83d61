package graphql

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
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
	Query         string         `json:"query,omitempty"`
	OperationName string         `json:"operationName,omitempty"`
	Variables     any            `json:"variables,omitempty"`
	Extensions    map[string]any `json:"extensions,omitempty"`
}

// plan is a call as it was asked for.
type plan struct {
	client    *Client
	api       *aplomb.Client
	request   request
	files     []attachment // among its variables; a further page has the same
	operation operation
	at        string
	atMost    int  // 0: all
	partial   bool // errors beside data are no failure
	persisted bool // send hashes of queries
	get       bool // send queries by GET
	stream    streaming
	opts      []aplomb.CallOption
}

// plan reads the document and sorts this package's options from the others.
func (c *Client) plan(r Request, opts []aplomb.CallOption) (*plan, error) {
	if c == nil || c.api == nil {
		return nil, errors.New("graphql: no client: make one with graphql.New(api)")
	}
	p := &plan{client: c, api: c.api, request: request{r.Query, r.OperationName, present(r.Variables), r.Extensions}}
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
	if p.operation, err = pick(operations, p.request.OperationName); err != nil {
		return nil, err
	}
	if p.files, err = attachments(p.request.Variables); err != nil {
		return nil, err
	}
	if p.stream.wanted && len(p.files) > 0 {
		return nil, errors.New("graphql: a File cannot go with a subscription: upload it with Execute first")
	}
	if p.operation.kind != "query" || len(p.files) > 0 {
		p.persisted, p.get = false, false
	}
	if p.persisted || p.get {
		p.api, err = c.couriered()
	}
	return p, err
}

// method that the calls are made with; the courier may change it.
func (p *plan) method() string {
	if p.get {
		return http.MethodGet
	}
	return http.MethodPost
}

// carry says how r, which may be another page's than the first, travels.
func (p *plan) carry(t *trip, r request) ([]aplomb.CallOption, error) {
	if p.persisted || p.get {
		var err error
		if t.parcel, err = p.pack(r); err != nil {
			return nil, fmt.Errorf("graphql: the variables: %w", err)
		}
		return t.parcel.options()
	}
	if len(p.files) == 0 {
		return []aplomb.CallOption{aplomb.JSON(r)}, nil
	}
	return upload(r, p.files)
}

// upload sends operations, one or several, with the files among their variables.
func upload(operations any, files []attachment) ([]aplomb.CallOption, error) {
	raw, err := json.Marshal(operations)
	if err != nil {
		return nil, fmt.Errorf("graphql: the variables: %w", err)
	}
	return newForm(raw, files).options(), nil
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
func (p *plan) options(t *trip, refused aplomb.ErrorDecoder) ([]aplomb.CallOption, error) {
	carried, err := p.carry(t, p.request)
	return slices.Concat(p.head(t, refused), carried, p.opts), err
}

// head is what every call has.
func (p *plan) head(t *trip, refused aplomb.ErrorDecoder) []aplomb.CallOption {
	opts := []aplomb.CallOption{
		aplomb.Header("Accept", mediaTypes), aplomb.Operation(p.label()),
		aplomb.Judge(t.judge), refused, aplomb.Capture(&t.response),
	}
	if p.operation.kind == "query" {
		opts = append(opts, aplomb.Safe())
	}
	if p.persisted { // a query needs no key, and the client's would be that of two bodies
		opts = append(opts, aplomb.Idempotency{Methods: []string{http.MethodPatch}})
	}
	return opts
}

// trip is what one call, or one range, learns on the way. One goroutine at a time
// uses it, but for the judge of a hedged call.
type trip struct {
	plan     *plan
	batch    int             // operations of it; 0: none
	response aplomb.Response // filled when a call returns
	parcel   *parcel         // what the courier may have to send otherwise

	mu        sync.Mutex
	operation string        // what the call is named, by the document or an option
	wait      time.Duration // that the server asked for
	misses    map[*http.Response]miss

	redact func(string) string // the answer's own, where there is no request
}

func (t *trip) judge(a *aplomb.Attempt) aplomb.Verdict {
	v := judge(a, t.batch)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.operation, t.wait = a.Operation, v.Wait
	if t.parcel == nil || t.parcel.hash == "" {
		return v
	}
	m := missOf(a)
	if m == notMissed {
		return v
	}
	if t.misses == nil {
		t.misses = map[*http.Response]miss{}
	}
	t.misses[a.Response] = m
	return aplomb.Verdict{Outcome: aplomb.OutcomeOK, Resend: aplomb.ResendNo} // a server that works as it should
}

// missed is what the judge found in resp, told once.
func (t *trip) missed(resp *http.Response) miss {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.misses[resp]
	t.misses = nil
	return m
}
