package aplomb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/internal/bom"
	"github.com/aplomb-go/aplomb/internal/redact"
)

// decode puts a successful answer's body into v, a *T.
func (a *answer) decode(body []byte, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = body
		return nil
	case *struct{}:
		return nil
	case *json.RawMessage:
		if a.empty(body) {
			return nil
		}
		if !json.Valid(body) {
			return a.decodeError(body, json.Unmarshal(body, new(any)))
		}
		*v = body
		return nil
	}
	if a.empty(body) {
		return nil
	}
	if isPage(a.response.Header) {
		return a.decodeError(body, errNotJSON)
	}
	if err := a.call.codec.unmarshal(bom.Trim(body), v); err != nil {
		return a.decodeError(body, err)
	}
	return nil
}

// isPage reports a page for people, which a proxy or a login sends instead of data.
func isPage(h http.Header) bool {
	kind := headerField(h, "Content-Type")
	if kind == jsonType {
		return false
	}
	kind = mediaType(kind)
	return kind == "text/html" || kind == "application/xhtml+xml"
}

// unmarshal is json.Unmarshal, but that a type which decodes itself is not read
// once more to find its end. v is a pointer.
func unmarshal(body []byte, v any) error {
	into := reflect.ValueOf(v).Elem()
	if _, ok := v.(json.Unmarshaler); !ok && into.Kind() != reflect.Pointer { // what decodesItself would find, sooner
		return json.Unmarshal(body, v)
	}
	if !decodesItself(into.Type()) || !json.Valid(body) {
		return json.Unmarshal(body, v)
	}
	return decodeItself(bytes.TrimSpace(body), into)
}

var selfDecoder = reflect.TypeFor[json.Unmarshaler]()

// decodesItself reports a struct, or a pointer to one, with an UnmarshalJSON.
func decodesItself(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	return t.Elem().Kind() == reflect.Struct && t.Implements(selfDecoder)
}

// decodeItself hands valid JSON to such a value; a pointer gets something to point
// to, unless the value is null.
func decodeItself(raw []byte, into reflect.Value) error {
	if into.Kind() != reflect.Pointer {
		into = into.Addr()
	} else {
		if string(raw) == "null" {
			into.SetZero()
			return nil
		}
		into.Set(reflect.New(into.Type().Elem()))
	}
	return into.Interface().(json.Unmarshaler).UnmarshalJSON(raw) //nolint:forcetypeassert // decodesItself has looked
}

// empty reports an answer that has no body by its status or method.
func (a *answer) empty(body []byte) bool {
	if len(body) > 0 {
		return false
	}
	return a.response.StatusCode == http.StatusNoContent || a.response.StatusCode == http.StatusResetContent ||
		a.response.StatusCode == http.StatusNotModified || a.call.method == http.MethodHead
}

var errNotJSON = errors.New("not JSON")

func (a *answer) decodeError(body []byte, cause error) error {
	kind := mediaType(a.response.Header.Get("Content-Type"))
	e := &DecodeError{
		Operation: a.call.operation, StatusCode: a.response.StatusCode, ContentType: kind, RequestID: redact.Text(requestID(a.response.Header), 80, secretsOf(a.call.last)...),
		Attempts: a.call.attempts, Elapsed: time.Since(a.call.start), Err: cause, Client: a.call.name(),
		Body: bytes.Clone(body[:min(len(body), maxDecodeBody)]), // a copy, lest the error keeps 32 MiB
	}
	wrong, typed := errors.AsType[*json.UnmarshalTypeError](cause)
	switch {
	case len(body) == 0:
		e.text = fmt.Sprintf("expected JSON, got an empty body, status %d", a.response.StatusCode)
		e.Hint = "call with T = struct{} where the API answers without a body"
	case typed:
		// The value itself may be private: name the field and the types only.
		e.text = fmt.Sprintf("status %d: field %s is a JSON %s, not a Go %s", a.response.StatusCode, orDefault(redact.Text(wrong.Field, 120, secretsOf(a.call.last)...), "(the whole body)"), kindOf(wrong.Value), wrong.Type)
		e.Hint = "the API changed, or the Go type does not fit it"
	case strings.Contains(kind, "html") || body[0] == '<':
		e.text = fmt.Sprintf("expected %s, got %s%s, status %d", orDefault(a.want, "JSON"), orDefault(kind, "a page"), a.excerpt(body), a.response.StatusCode)
		e.Hint = "a proxy or login page is answering"
	case kind != "" && !strings.Contains(kind, "json") && !json.Valid(body):
		e.text = fmt.Sprintf("expected JSON, got %s, status %d", kind, a.response.StatusCode)
	case !syntax(cause):
		e.text = fmt.Sprintf("status %d: %s", a.response.StatusCode, redact.Text(cause.Error(), 200, secretsOf(a.call.last)...))
	default:
		e.text = fmt.Sprintf("status %d: the body is not valid JSON: %s", a.response.StatusCode, redact.Text(cause.Error(), 120, secretsOf(a.call.last)...))
	}
	return e
}

// syntax reports JSON that is broken, as opposed to a type that refused it.
func syntax(err error) bool {
	_, ok := errors.AsType[*json.SyntaxError](err)
	return ok || errors.Is(err, io.ErrUnexpectedEOF)
}

// kindOf drops the number that encoding/json appends to "number".
func kindOf(value string) string {
	kind, _, _ := strings.Cut(value, " ")
	return kind
}

// excerpt is the heading of a page; its text may be anything.
func (a *answer) excerpt(body []byte) string {
	if heading := htmlHeading(body); heading != "" {
		return ` ("<h1>` + redact.Text(heading, 80, secretsOf(a.call.last)...) + `")`
	}
	return ""
}
