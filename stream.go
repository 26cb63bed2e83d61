package aplomb

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// Stream sends method to path as [Open] does, and ranges over the items of the
// answer as they come, however many there are, with one of them in memory.
//
//	for row, err := range aplomb.Stream[Row](ctx, c, http.MethodGet, "/v1/export", aplomb.JSONLines{}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// as says how the items stand in the answer: [JSONLines], [JSONArray], [CSV] or
// [ServerEvents]. Each is decoded into a T; json.RawMessage and []byte have it as it
// came.
//
// An error is yielded once and ends the loop, after the items before it. One that
// comes once the answer has begun is a [*StreamError], which says how far it went: an
// answer that breaks off is an error, never a shorter stream. Where the server allows it,
// by Accept-Ranges and a strong ETag, and does not pack the body (ask it by the header
// Accept-Encoding: identity), the stream goes on where it broke off instead, up to
// five times without a byte between. Leaving the loop closes the connection. Ranging again sends the request again.
//
// Time is bounded as for [Open]: by the silence between two reads
// ([Timeouts].IdleRead) and not as a whole, unless a [Timeout] is set. [MaxBody] bounds
// one item and not the answer; more is [ErrTooLarge].
func Stream[T any](ctx context.Context, c *Client, method, path string, as Format, opts ...CallOption) iter.Seq2[T, error] {
	opts = slices.Clone(opts)
	return func(yield func(T, error) bool) {
		var zero T
		if isNil(as) {
			yield(zero, errors.New("aplomb: Stream: no Format: say how the items stand in the answer, such as JSONLines{}"))
			return
		}
		s := &stream{client: c, method: method, path: path, opts: opts}
		defer s.close()
		for item, err := range as.items(ctx, s, reflect.TypeFor[T]()) {
			var v T
			if err == nil {
				if err = item(&v); err != nil {
					err = s.unfit(err)
				}
			}
			if err != nil {
				yield(zero, err)
				return
			}
			s.count++
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Format says how the items of a [Stream] stand in the answer.
type Format interface {
	// items ranges over the items of the stream, as functions that decode one into
	// what a *T points to. Its errors are the caller's.
	items(ctx context.Context, s *stream, t reflect.Type) iter.Seq2[func(into any) error, error]
}

// stream is one range over a Stream.
type stream struct {
	client       *Client
	method, path string
	opts         []CallOption

	call  *call
	resp  *http.Response
	body  *itemReader
	count int64 // items yielded
	read  int64 // bytes of earlier responses
}

// open sends the request.
func (s *stream) open(ctx context.Context, accept string, more ...CallOption) error {
	s.close()
	call, resp, err := s.client.open(ctx, s.method, s.path, accept, slices.Concat(s.opts, more))
	if err != nil {
		return err
	}
	s.call, s.resp = call, resp
	resp.Body = s.resumable(ctx, accept)
	s.body = &itemReader{r: withoutMark(resp.Body), status: resp.StatusCode, limit: call.maxBody}
	if kind := mediaType(resp.Header.Get("Content-Type")); kind == "text/html" || kind == "application/xhtml+xml" {
		head, _ := io.ReadAll(io.LimitReader(resp.Body, maxDecodeBody))
		a := &answer{Response: call.response(), call: call}
		return a.decodeError(head, errNotJSON)
	}
	return nil
}

func (s *stream) close() {
	if s.resp != nil {
		s.read += s.body.n
		_ = s.resp.Body.Close()
		s.resp = nil
	}
}

// unfit is the error of an item that is no T. Its text may quote the item, and is told
// only where it does not.
func (s *stream) unfit(err error) error {
	e := s.failed(err).(*StreamError) //nolint:errorlint,forcetypeassert // it is nothing else
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		e.text = fmt.Sprintf("field %s of the item is a JSON %s, not a Go %s", orDefault(wrong.Field, "(the whole)"), kindOf(wrong.Value), wrong.Type)
	} else if !syntax(err) {
		e.text = fmt.Sprintf("the item is refused by its decoder (%T, which Unwrap gives)", err)
	}
	return e
}

// failed is the error of an answer that has begun.
func (s *stream) failed(err error) error {
	read, resp := s.read, s.call.response()
	if s.resp != nil {
		read += s.body.n
	}
	return &StreamError{
		Operation: s.call.operation, Items: s.count, Bytes: read, RequestID: redact.Text(resp.RequestID, 80, secretsOf(s.call.last)...), Err: err,
		Client: s.call.name(), text: safeText(err, secretsOf(s.call.last)),
	}
}

// StreamError is a [Stream] that ended before its end, or has an item that cannot be
// read. What was yielded before it stands.
type StreamError struct {
	// Operation is the call's name.
	Operation string
	// Items is how many were yielded, and Bytes how much of the answer was read,
	// after decompression.
	Items, Bytes int64
	// RequestID is the server's name for the request.
	RequestID string
	// Client is the client's name.
	Client string
	// Err is the cause: an error of the connection, of the decoder, or [ErrTooLarge].
	Err error

	text string
}

// Error is one line, without anything of the items.
func (e *StreamError) Error() string {
	line := fmt.Sprintf("%s: %s: the stream ended after %d items and %d bytes: %s", e.Client, e.Operation, e.Items, e.Bytes, e.text)
	if e.RequestID != "" {
		line += " (request " + e.RequestID + ")"
	}
	if errors.Is(e.Err, ErrTooLarge) {
		line += ". Hint: raise MaxBody, which bounds one item"
	}
	return line
}

// Unwrap returns the cause.
func (e *StreamError) Unwrap() error { return e.Err }

// Format prints the line for every verb.
func (e *StreamError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.Error()) }

// itemReader bounds what one item may take.
type itemReader struct {
	r      io.Reader
	status int
	limit  int64
	n      int64 // bytes read
	item   int64 // where the item begins that is being read
}

func (r *itemReader) Read(p []byte) (int, error) {
	if r.n-r.item > r.limit { // what a decoder asks for more to
		return 0, &tooLargeError{r.status, r.limit}
	}
	n, err := r.r.Read(p)
	r.n += int64(n)
	return n, err
}

// withoutMark reads r, but for a byte order mark at its beginning.
func withoutMark(r io.Reader) io.Reader {
	b := bufio.NewReaderSize(r, minRead)
	return &unmarked{b, false}
}

// minRead is enough for a mark; larger reads go past the buffer.
const minRead = 16

type unmarked struct {
	*bufio.Reader
	begun bool
}

func (u *unmarked) Read(p []byte) (int, error) {
	if !u.begun {
		u.begun = true
		if head, _ := u.Peek(len(byteOrderMark)); bytes.Equal(head, byteOrderMark) {
			_, _ = u.Discard(len(byteOrderMark))
		}
	}
	return u.Reader.Read(p)
}

// endless reports an answer that ends where its connection does, cut off or not.
func (s *stream) endless() bool {
	return s.resp.ProtoMajor == 1 && s.resp.ContentLength < 0 && !s.resp.Uncompressed && len(s.resp.TransferEncoding) == 0
}

// empty reports an answer that has no items by its status.
func (s *stream) empty() bool {
	return s.resp.StatusCode == http.StatusNoContent || s.resp.StatusCode == http.StatusResetContent
}

// ended makes an error of an end that came too early.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// decode puts a JSON value into what into points to.
func (s *stream) decode(raw []byte, into any) error {
	switch into := into.(type) {
	case *[]byte:
		*into = slices.Clone(raw)
		return whole(raw)
	case *json.RawMessage:
		*into = slices.Clone(raw)
		return whole(raw)
	}
	return s.call.codec.unmarshal(raw, into)
}

// whole says what is wrong with JSON that nobody decodes.
func whole(raw []byte) error {
	if json.Valid(raw) {
		return nil
	}
	return json.Unmarshal(raw, new(any))
}

// JSONArray is the items of one JSON array.
type JSONArray struct {
	// Items is the dotted path to the array, such as "data.items", as of a [Pager]; ""
	// is the document itself, for what else there is cannot be known in advance. The
	// rest of the document is passed over, and has to be whole.
	Items string
}

func (f JSONArray) items(ctx context.Context, s *stream, _ reflect.Type) iter.Seq2[func(any) error, error] {
	return func(yield func(func(any) error, error) bool) {
		if err := s.open(ctx, "application/json"); err != nil {
			yield(nil, err)
			return
		}
		if s.empty() {
			return
		}
		a := arrayReader{body: s.body, dec: json.NewDecoder(s.body)}
		if err := a.find(f.Items); err != nil {
			yield(nil, s.failed(err))
			return
		}
		for a.more() {
			raw, err := a.value()
			if err != nil {
				yield(nil, s.failed(err))
				return
			}
			if !yield(func(into any) error { return s.decode(raw, into) }, nil) {
				return
			}
		}
		if err := a.end(); err != nil {
			yield(nil, s.failed(err))
		}
	}
}

// arrayReader reads a document token by token, so that of what is passed over no
// more than a token is in memory.
type arrayReader struct {
	body  *itemReader
	dec   *json.Decoder
	depth int // of the array
}

func (a *arrayReader) token() (json.Token, error) {
	a.body.item = a.dec.InputOffset()
	tok, err := a.dec.Token()
	return tok, ended(err)
}

func (a *arrayReader) more() bool {
	a.body.item = a.dec.InputOffset()
	return a.dec.More()
}

// find goes to the first item.
func (a *arrayReader) find(path string) error {
	var names []string
	if path != "" {
		names = strings.Split(path, ".")
	}
	for _, name := range names {
		if err := a.enter('{', "the object that holds "+name); err != nil {
			return err
		}
		if err := a.member(name); err != nil {
			return err
		}
	}
	what := "the array"
	if path == "" {
		what = "an array (Items names one within a document)"
	}
	return a.enter('[', what)
}

func (a *arrayReader) enter(bracket json.Delim, what string) error {
	tok, err := a.token()
	if err != nil {
		return err
	}
	if tok != bracket {
		return fmt.Errorf("expected %s, found a JSON %s", what, tokenKind(tok))
	}
	a.depth++
	return nil
}

// member goes to the value of that name.
func (a *arrayReader) member(name string) error {
	for a.more() {
		tok, err := a.token()
		if err != nil {
			return err
		}
		if tok == name {
			return nil
		}
		if err := a.skip(); err != nil {
			return err
		}
	}
	if _, err := a.token(); err != nil { // an object that breaks off here is not one without it
		return err
	}
	return fmt.Errorf("the document has no %s where Items says", name)
}

// maxNesting is how deep what is passed over may be nested: each level stays in
// memory. encoding/json itself allows as much.
const maxNesting = 10_000

// skip passes over a value.
func (a *arrayReader) skip() error {
	for depth := 0; ; {
		if depth > maxNesting {
			return fmt.Errorf("the document is nested more than %d deep", maxNesting)
		}
		tok, err := a.token()
		if err != nil {
			return err
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (a *arrayReader) value() (raw json.RawMessage, err error) {
	a.body.item = a.dec.InputOffset()
	err = a.dec.Decode(&raw)
	return raw, ended(err)
}

// end reads the rest of the document: only then is it known to be whole.
func (a *arrayReader) end() error {
	for a.depth > 0 {
		tok, err := a.token()
		switch {
		case err != nil:
			return err
		case tok == json.Delim('}') || tok == json.Delim(']'):
			a.depth--
		case tok == json.Delim('{') || tok == json.Delim('['):
			if a.depth++; a.depth > maxNesting {
				return fmt.Errorf("the document is nested more than %d deep", maxNesting)
			}
		}
	}
	switch tok, err := a.dec.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("a JSON %s follows on the document", tokenKind(tok))
	}
}

func tokenKind(tok json.Token) string {
	switch tok := tok.(type) {
	case json.Delim:
		return map[json.Delim]string{'{': "object", '[': "array"}[tok]
	case string:
		return "string"
	case bool:
		return "bool"
	case nil:
		return "null"
	default:
		return "number"
	}
}
