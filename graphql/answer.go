package graphql

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
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
}

// failure is the error of an answer, nil for one with data and no errors.
func (t *trip) failure(errs []*Error, hasData bool, extensions json.RawMessage) error {
	errs = t.errors(errs)
	r := t.response
	if len(errs) > 0 {
		return t.explain(&ResponseError{
			Errors: errs, HasData: hasData, Operation: t.plan.label(), StatusCode: r.StatusCode,
			RequestID: r.RequestID, Extensions: extensions, Response: r,
		})
	}
	if hasData {
		return nil
	}
	line := aplomb.APIError{
		Operation: t.plan.label(), StatusCode: r.StatusCode, Message: "the answer has neither data nor errors",
		RequestID: r.RequestID, Attempts: r.Attempts, Elapsed: r.Elapsed, Hint: "is this the GraphQL endpoint?",
	}
	return &refusal{text: strings.TrimPrefix(line.Error(), ": ")}
}

// errors drops the nulls and scrubs the messages.
func (t *trip) errors(errs []*Error) []*Error {
	errs = slices.DeleteFunc(errs, func(e *Error) bool { return e == nil })
	for _, e := range errs {
		e.Message = t.scrub(e.Message)
	}
	return errs
}

// explain adds what the way here has shown.
func (t *trip) explain(e *ResponseError) *ResponseError {
	code, _ := throttled(e.Errors)
	e.throttled = code != "" && !e.HasData
	if t.wait > 0 && e.throttled {
		e.hint = "the server asks to wait " + t.wait.Round(100*time.Millisecond).String()
	}
	return e
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
		errs := t.errors(into.Errors)
		if len(errs) == 0 {
			return nil
		}
		return t.explain(&ResponseError{
			Errors: errs, HasData: into.Data != nil && err == nil, Operation: t.plan.label(), StatusCode: api.StatusCode,
			RequestID: api.RequestID, Extensions: into.Extensions, Err: api,
			Response: aplomb.Response{StatusCode: api.StatusCode, Header: api.Header, RequestID: api.RequestID,
				Attempts: api.Attempts, Elapsed: api.Elapsed},
		})
	}
}
