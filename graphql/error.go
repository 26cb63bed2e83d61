package graphql

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// Error is one of the errors of an answer (GraphQL October 2021, section 7.1.2).
type Error struct {
	// Message is the server's, scrubbed of the request's credentials and of
	// variables whose names smell of a secret. Of more than some hundred different
	// ones in an answer the rest read "[redacted]".
	Message string `json:"message"`
	// Type is what GitHub puts beside the message, such as NOT_FOUND.
	Type string `json:"type,omitempty"`
	// Path leads to the field that failed, which is null in the data. It is empty
	// for an error of the whole request.
	Path Path `json:"path,omitempty"`
	// Locations are places in the document.
	Locations []Location `json:"locations,omitempty"`
	// Extensions are the server's own, as they came: numbers keep every digit.
	Extensions map[string]json.RawMessage `json:"-"`

	code   string
	client string // its name
	shown  *Error // what is printed
}

// Location is a place in a document, both counted from 1.
type Location struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Code is what programs should look at: GitHub's type, else extensions.code,
// else a code beside the message; "" if there is none.
func (e *Error) Code() string {
	if e.Type != "" {
		return e.Type
	}
	if code := word(e.Extensions["code"]); code != "" {
		return code
	}
	return e.code
}

// Error is one line: client, code, path and message.
func (e *Error) Error() string {
	shown := e.printable()
	what := shown.Code()
	if len(shown.Path) > 0 {
		what = strings.TrimPrefix(what+" at "+cut(shown.Path.String()), " ")
	}
	parts := []string{cmp.Or(e.client, "graphql"), what, shown.Message}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

// printable is what is shown of e. Programs compare the fields, so these stay as
// they came, but for the message.
func (e *Error) printable() *Error {
	if e.shown != nil {
		return e.shown
	}
	return e.scrubbed(aplomb.Response{}.Redact) // the caller's own
}

// scrubbed copies what may be printed. No extensions are among it.
func (e *Error) scrubbed(redact func(string) string) *Error {
	show := func(words string) string { return cut(redact(words)) }
	s := &Error{Message: show(e.Message), Type: show(e.Type), code: show(e.Code()), Path: slices.Clone(e.Path), Locations: e.Locations}
	for i := range s.Path {
		s.Path[i].Name = show(s.Path[i].Name)
	}
	return s
}

// Format prints the line for every verb, so that no dump shows the extensions.
func (e *Error) Format(f fmt.State, verb rune) { formatLine(f, verb, e.Error()) }

// LogValue is what slog prints.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// MarshalJSON gives the safe fields: no extensions.
func (e *Error) MarshalJSON() ([]byte, error) {
	type plain Error
	return json.Marshal((*plain)(e.printable()))
}

// UnmarshalJSON reads an error and forgives a member of the wrong type: a
// server's slip in describing an error must not hide the data beside it.
func (e *Error) UnmarshalJSON(raw []byte) error {
	var m struct{ Message, Type, Code, Path, Locations, Extensions json.RawMessage }
	if json.Unmarshal(raw, &m) != nil {
		*e = Error{Message: word(raw)}
		return nil //nolint:nilerr // an error that is no object still says something
	}
	*e = Error{Message: word(m.Message), Type: word(m.Type), code: word(m.Code)}
	_ = json.Unmarshal(m.Path, &e.Path)
	_ = json.Unmarshal(m.Locations, &e.Locations)
	_ = json.Unmarshal(m.Extensions, &e.Extensions)
	return nil
}

// word is a JSON string's text, "" for null or nothing, else the JSON itself.
func word(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// ResponseError is a GraphQL answer with errors. It may come with data: what
// could be had is returned beside it.
//
//	repo, err := graphql.Execute[Repo](ctx, gh, query, nil)
//	if e, ok := errors.AsType[*graphql.ResponseError](err); ok && e.HasData {
//		// use repo as far as it goes
//	}
//
// errors.As finds the first [*Error] and, where the status was no success, the
// [*aplomb.APIError]; errors.Is finds [aplomb.ErrRateLimited] where that is the
// reason.
type ResponseError struct {
	// Errors are the server's, at least one.
	Errors []*Error
	// HasData says that data came too and was returned.
	HasData bool
	// Operation is the document's operation name, or "query" or "mutation",
	// unless an aplomb.Operation said otherwise.
	Operation  string
	StatusCode int
	// RequestID is the server's name for the request.
	RequestID string
	// Extensions are the answer's own, such as Shopify's cost; nil without any.
	Extensions json.RawMessage
	// Response tells of the attempts, the time and the headers.
	Response aplomb.Response
	// Err is the answer where its status was no success, else nil.
	Err *aplomb.APIError

	client    string // its name
	throttled bool
	hint      string
	cause     error // the data did not fit the Go type
}

// Error is one line: client, operation, status, the first error's code, path
// and message, request id, attempts, time and hint.
func (e *ResponseError) Error() string {
	line := aplomb.APIError{
		StatusCode: e.StatusCode, Operation: e.Operation, RequestID: e.RequestID,
		Attempts: e.Response.Attempts, Elapsed: e.Response.Elapsed, Hint: e.advice(),
	}
	if len(e.Errors) > 0 {
		first := e.Errors[0].printable()
		line.Code, line.Message = first.Code(), first.Message
		if len(first.Path) > 0 {
			line.Message = first.Path.String() + ": " + first.Message
		}
	}
	return cmp.Or(e.client, "graphql") + line.Error()
}

// advice is what the line cannot tell otherwise.
func (e *ResponseError) advice() string {
	var parts []string
	if e.hint != "" {
		parts = append(parts, e.hint)
	}
	switch n := len(e.Errors) - 1; {
	case n == 1:
		parts = append(parts, "1 more error is in Errors")
	case n > 1:
		parts = append(parts, strconv.Itoa(n)+" more errors are in Errors")
	}
	if e.HasData {
		parts = append(parts, "the rest of the data came with it")
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns each of Errors, and Err if there is one.
func (e *ResponseError) Unwrap() []error {
	all := make([]error, 0, len(e.Errors)+2)
	for _, one := range e.Errors {
		all = append(all, one)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	if e.cause != nil {
		all = append(all, e.cause)
	}
	return all
}

// Is makes errors.Is(err, aplomb.ErrRateLimited) true of a spent quota.
func (e *ResponseError) Is(target error) bool { return target == aplomb.ErrRateLimited && e.throttled }

// Format prints the line for every verb, so that no dump shows the data.
func (e *ResponseError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.Error()) }

// LogValue is what slog prints.
func (e *ResponseError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// MarshalJSON gives the safe fields.
func (e *ResponseError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"operation": e.Operation, "status": e.StatusCode, "request_id": e.RequestID, "has_data": e.HasData,
		"errors": e.Errors, "error": e.Error(),
	})
}

// refusal is an answer, or a part of one, that could not be used: what was wrong
// with it is ours to say. The cause's own text may quote private values.
type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.cause }

// Format prints the line for every verb, so that no dump shows the cause.
func (r *refusal) Format(f fmt.State, verb rune) { formatLine(f, verb, r.text) }

// describe says what a decoder minds. It does not quote the value, which may be
// private, unless a type's own UnmarshalJSON does.
func describe(err error) string {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err.Error()
	}
	kind, _, _ := strings.Cut(wrong.Value, " ")
	text := fmt.Sprintf("a JSON %s, not a Go %s", kind, wrong.Type)
	if wrong.Field != "" {
		text = "field " + wrong.Field + " is " + text
	}
	return text
}
