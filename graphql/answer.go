package graphql

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/aplomb-go/aplomb"
)

// answer is a GraphQL response (October 2021, section 7.1). It is decoded once,
// straight into the caller's type. An errors member that is no list makes the
// decoder fail, with its name in the error.
type answer[T any] struct {
	Data       *T              `json:"data"`
	Errors     []*Error        `json:"errors"`
	Extensions json.RawMessage `json:"extensions"`
	HasNext    json.RawMessage `json:"hasNext"` // of incremental delivery
}

// failure is the error of an answer of a 2xx status, nil for one with data and
// no errors.
func (a *answer[T]) failure(t *trip) error {
	r := t.response
	if string(a.HasNext) == "true" {
		return t.incremental(nil)
	}
	if e := t.explain(&ResponseError{Errors: a.Errors, HasData: a.Data != nil, Extensions: a.Extensions, Response: r}); e != nil {
		return e
	}
	if a.Data != nil {
		return nil
	}
	return t.refusal("the answer has neither data nor errors", "is this the GraphQL endpoint?", nil)
}

// refusal is the error of an answer that cannot be used.
func (t *trip) refusal(message, hint string, cause error) error {
	r := t.response
	line := aplomb.APIError{
		Operation: t.operation, StatusCode: r.StatusCode, Message: message, RequestID: r.RequestID,
		Attempts: r.Attempts, Elapsed: r.Elapsed, Hint: hint,
	}
	return &refusal{text: t.plan.api.Name() + line.Error(), cause: cause}
}

// refused reads an answer whose status is no success. A body with a list of
// errors is GraphQL, whatever its media type; anything else is left to be the
// aplomb.APIError it is.
func refused[T any](t *trip, into *answer[T]) aplomb.ErrorDecoder {
	return func(api *aplomb.APIError) error {
		err := json.Unmarshal(bytes.TrimPrefix(api.Body, []byte(byteOrderMark)), into)
		if _, misfit := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !misfit {
			return nil
		}
		e := t.explain(&ResponseError{
			Errors: into.Errors, HasData: into.Data != nil && err == nil, Extensions: into.Extensions, Err: api,
			Response: aplomb.Response{StatusCode: api.StatusCode, Header: api.Header, RequestID: api.RequestID,
				Attempts: api.Attempts, Elapsed: api.Elapsed},
		})
		if e == nil {
			return nil
		}
		return e
	}
}

// explain adds to e what the way here has shown and scrubs the messages. It
// returns nil if e has no errors.
func (t *trip) explain(e *ResponseError) *ResponseError {
	e.Errors = slices.DeleteFunc(e.Errors, func(one *Error) bool { return one == nil })
	if len(e.Errors) == 0 {
		return nil
	}
	e.client, e.Operation = t.plan.api.Name(), t.operation
	e.StatusCode, e.RequestID = e.Response.StatusCode, e.Response.RequestID
	redact := e.Response.Redact
	if t.redact != nil {
		redact = t.redact
	}
	if e.Err != nil {
		redact, e.hint = e.Err.Redact, e.Err.Hint
	}
	redact = remember(redact)
	for _, one := range e.Errors {
		one.client, one.shown = e.client, one.scrubbed(redact)
		one.Message = redact(one.Message)
	}
	code, _ := throttled(e.Errors)
	if e.throttled = code != "" && !e.HasData; e.throttled && t.wait > 0 {
		e.hint = cmp.Or(e.hint, "the server asks to wait "+t.wait.Round(100*time.Millisecond).String())
	}
	return e
}

// complete gives an error that was made while the call was under way, by
// refused, the Response that is known now.
func (t *trip) complete(err error) error {
	e, ok := errors.AsType[*ResponseError](err)
	if !ok {
		return t.delivered(err)
	}
	whole := *e // a hook may have e
	whole.Response = t.response
	return &whole
}
