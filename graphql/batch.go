package graphql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Batch is several operations that travel as one request: an array of them, answered
// by an array in the same order. Most GraphQL servers have that switched off; Apollo
// Server, Yoga and others can do it
// (https://www.apollographql.com/docs/apollo-server/workflow/requests#batching).
//
//	b := graphql.NewBatch(c)
//	user := graphql.Add[User](b, userQuery, graphql.Vars{"id": 1})
//	news := graphql.Add[News](b, newsQuery, nil)
//	if err := b.Send(ctx); err != nil {
//		return err
//	}
//	if user.Err != nil { ... }
//
// It is for one goroutine, and sent once.
type Batch struct {
	client *Client
	items  []batched
	err    error // of what was added
	sent   bool
}

// batched is a [Result] of any type.
type batched interface {
	planned() *plan
	read(t *trip, raw json.RawMessage)
	fail(err error)
}

// NewBatch returns an empty batch for c.
func NewBatch(c *Client) *Batch { return &Batch{client: c} }

// Result is what came of one operation of a [Batch], once that is sent.
type Result[T any] struct {
	Data T
	// Err is a [*ResponseError] of this operation, which may come with data, or, where
	// there was no answer to it, the error of the whole batch. Until the batch is sent
	// it says so.
	Err error
	// Errors are those beside the data, with [AllowPartial].
	Errors []*Error
	// Extensions are the server's own for this operation; nil without any.
	Extensions json.RawMessage

	plan *plan
}

var errNotSent = errors.New("graphql: the batch was not sent: call its Send")

// Add puts an operation into b; see [Execute] for query and vars. Of the options only
// this package's are for one operation: [OperationName] and [AllowPartial]; the
// others go to [Batch.Send]. A slip is an error of the Result and of Send, which then
// sends nothing.
func Add[T any](b *Batch, query string, vars any, opts ...aplomb.CallOption) *Result[T] {
	r := &Result[T]{Err: errNotSent}
	var err error
	if r.plan, err = b.client.plan(Request{Query: query, Variables: vars}, opts); err == nil {
		err = r.plan.batchable(opts)
	}
	if b.sent {
		err = errors.New("graphql: Add: the batch was sent: begin another with NewBatch")
	}
	if err != nil {
		r.Err = err
		b.err = errors.Join(b.err, err)
	}
	b.items = append(b.items, r)
	return r
}

// batchable refuses options that could have no effect.
func (p *plan) batchable(opts []aplomb.CallOption) error {
	switch {
	case slices.ContainsFunc(opts, func(o aplomb.CallOption) bool { _, ours := o.(option); return !ours }):
		return errors.New("graphql: Add: options of package aplomb are for the whole batch: give them to Send")
	case p.at != "" || p.atMost != 0:
		return errors.New("graphql: At and AtMost are for Nodes, Edges and Pages: Add takes all data")
	}
	return nil
}

// Send sends the operations in one POST and fills their Results. Its own error is
// that of the whole: no answer, or one that is no array of as many; then each
// Result.Err is that error. Otherwise it is nil, whatever the status, and each Result
// has an error of its own or none. An empty batch sends nothing.
//
// The batch is sent again, as [Execute] would, only if all of it are queries, or with
// an aplomb.IdempotencyKey. It is whole also with [PersistedQueries] and [UseGET]; a
// [File] in it is uploaded. Errors, logs and metrics call it "batch", unless an
// aplomb.Operation names it.
func (b *Batch) Send(ctx context.Context, opts ...aplomb.CallOption) error {
	err := b.ready(opts)
	if err != nil || len(b.items) == 0 {
		return err
	}
	b.sent = true
	t := &trip{plan: b.plan(), batch: len(b.items)}
	var got answers
	all, err := b.options(t, &got)
	if err == nil {
		var good answers
		if good, err = aplomb.Post[answers](ctx, t.plan.api, "", append(all, opts...)...); err == nil {
			got, err = good, good.failure(t, len(b.items))
		}
	}
	if len(got.list) == len(b.items) { // also where the status was no success
		for i, item := range b.items {
			p := item.planned()
			item.read(&trip{plan: p, operation: p.label(), response: t.response, wait: t.wait}, got.list[i])
		}
		return nil
	}
	err = t.complete(err)
	for _, item := range b.items {
		item.fail(err)
	}
	return err
}

// ready looks for slips.
func (b *Batch) ready(opts []aplomb.CallOption) error {
	switch {
	case b.sent:
		return errors.New("graphql: Send: the batch was sent already: begin another with NewBatch")
	case b.client == nil || b.client.api == nil:
		return errors.New("graphql: no client: make one with graphql.New(api)")
	case slices.ContainsFunc(opts, func(o aplomb.CallOption) bool { _, ours := o.(option); return ours }):
		return errors.New("graphql: Send: options of package graphql are for one operation: give them to Add")
	}
	return b.err
}

// plan is that of the whole.
func (b *Batch) plan() *plan {
	p := &plan{client: b.client, api: b.client.api, operation: operation{kind: "query", name: "batch"}}
	for _, o := range b.client.opts {
		if _, ours := o.(option); !ours {
			p.opts = append(p.opts, o)
		}
	}
	for _, item := range b.items {
		one := item.planned()
		p.request.Query += one.request.Query + "\n" // for messages
		if one.operation.kind != "query" {
			p.operation.kind = one.operation.kind
		}
	}
	return p
}

// options are those of the one call.
func (b *Batch) options(t *trip, got *answers) ([]aplomb.CallOption, error) {
	opts, err := t.plan.head(t, b.refused(t, got)), error(nil)
	requests := make([]request, len(b.items))
	var files []attachment
	for i, item := range b.items {
		requests[i] = item.planned().request
		mine, err := attachments(requests[i].Variables)
		if err != nil {
			return nil, err
		}
		for _, file := range mine {
			file.path = strconv.Itoa(i) + "." + file.path
			files = append(files, file)
		}
	}
	carried := []aplomb.CallOption{aplomb.JSON(requests)}
	if len(files) > 0 {
		carried, err = upload(requests, files)
	}
	return slices.Concat(opts, carried, t.plan.opts), err
}

// refused reads an answer whose status is no success: Apollo Server says 400 for all
// where one of them is faulty.
func (b *Batch) refused(t *trip, got *answers) aplomb.ErrorDecoder {
	return func(api *aplomb.APIError) error {
		var body answers
		if json.Unmarshal(bytes.TrimPrefix(api.Body, []byte(byteOrderMark)), &body) != nil {
			return nil //nolint:nilerr // not GraphQL: left to be the aplomb.APIError it is
		}
		if body.single != nil {
			return refused(t, body.single)(api)
		}
		if len(body.list) == len(b.items) {
			*got = body
		}
		return nil
	}
}

// answers are those to a batch, or the one with which a server refuses it.
type answers struct {
	list   []json.RawMessage
	single *answer[json.RawMessage]
}

// UnmarshalJSON reads either.
func (a *answers) UnmarshalJSON(raw []byte) error {
	if raw[0] != '{' {
		return json.Unmarshal(raw, &a.list)
	}
	a.single = new(answer[json.RawMessage])
	return json.Unmarshal(raw, a.single)
}

// failure is the error of an answer of a 2xx status that does not fit the batch.
func (a *answers) failure(t *trip, want int) error {
	if a.single != nil && len(a.single.Errors) > 0 {
		return a.single.failure(t)
	}
	message := fmt.Sprintf("the batch has %d operations, and the answer %d results", want, len(a.list))
	if a.list == nil {
		message = "the answer to the batch is no list of results"
	}
	if len(a.list) == want {
		return nil
	}
	return t.refusal(message, "does the server take batches? send the operations one by one", nil)
}

func (r *Result[T]) planned() *plan { return r.plan }

func (r *Result[T]) fail(err error) { r.Err = err }

// read takes the answer to this operation.
func (r *Result[T]) read(t *trip, raw json.RawMessage) {
	var a answer[T]
	misfit := json.Unmarshal(raw, &a)
	r.Extensions = a.Extensions
	if misfit != nil {
		r.Err = t.refusal(t.response.Redact(describe(misfit)), "the API changed, or the Go type does not fit it", misfit)
		if e := t.explain(&ResponseError{Errors: a.Errors, Extensions: a.Extensions, Response: t.response, cause: misfit}); e != nil {
			r.Err = e
		}
		return
	}
	if a.Data != nil {
		r.Data = *a.Data
	}
	if r.Err = r.plan.judged(a.failure(t)); a.Data != nil && r.plan.partial {
		r.Errors = a.Errors
	}
}

// judgeBatch is judge for a list of answers. A batch of which a part was done is not
// sent again, since what came would be thrown away; but the quota is spent, and the
// others should wait.
func judgeBatch(a *aplomb.Attempt, list []answer[json.RawMessage], operations int) aplomb.Verdict {
	v := a.Verdict
	done := len(list) != operations // of what is missing nothing is known
	for _, one := range list {
		code, _ := throttled(one.Errors)
		done = done || one.Data != nil || !untouched(one.Errors)
		if code == "" || one.Data != nil {
			continue
		}
		v.Outcome, v.Code = aplomb.OutcomeThrottled, code
		v.Wait = max(v.Wait, waitOf(a.Response.Header, one.Extensions, time.Now()))
	}
	failed := slices.ContainsFunc(list, func(one answer[json.RawMessage]) bool { return len(one.Errors) > 0 })
	switch {
	case v.Outcome != aplomb.OutcomeThrottled && failed && a.Response.StatusCode == http.StatusInternalServerError:
		v.Resend = aplomb.ResendNo // as for a single one
	case v.Outcome != aplomb.OutcomeThrottled:
	case done:
		v.Resend = aplomb.ResendNo
	default:
		v.Resend = aplomb.ResendUnprocessed
	}
	return v
}
