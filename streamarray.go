package aplomb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// JSONArray is the items of one JSON array, each decoded into a T; json.RawMessage and
// []byte have them as they came.
type JSONArray[T any] struct {
	// Items is the dotted path to the array, such as "data.items", as of a [Pager]; ""
	// means that the document is the array. The rest of the document is passed over, and
	// has to be whole. A null is an empty array.
	Items string
}

func (f JSONArray[T]) each(ctx context.Context, s *stream, yield func(T) bool) error {
	if err := s.open(ctx, "application/json"); err != nil {
		return err
	}
	if s.empty() {
		return nil
	}
	a := newArrayReader(s.body)
	if err := a.find(f.Items); err != nil {
		return s.failed(err)
	}
	for a.more() {
		raw, err := a.value()
		if err != nil {
			return s.failed(err)
		}
		v, err := decode[T](s, raw)
		if err != nil {
			return err
		}
		if !yield(v) {
			return nil
		}
	}
	if err := a.end(); err != nil {
		return s.failed(err)
	}
	return nil
}

// arrayReader reads a document token by token, so that of what is passed over no
// more than a token is in memory.
type arrayReader struct {
	body  *itemReader
	dec   *json.Decoder
	depth int // of the array
	none  bool
}

func newArrayReader(body *streamBody) *arrayReader {
	items := &itemReader{streamBody: body}
	return &arrayReader{body: items, dec: json.NewDecoder(items)}
}

func (a *arrayReader) token() (json.Token, error) {
	a.body.item = a.dec.InputOffset()
	tok, err := a.dec.Token()
	return tok, ended(err)
}

func (a *arrayReader) more() bool {
	a.body.item = a.dec.InputOffset()
	return !a.none && a.dec.More()
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
	if tok == nil && bracket == '[' { // what some servers write for an empty one
		a.none = true
		return nil
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
	if err = a.dec.Decode(&raw); err != nil {
		return nil, ended(err)
	}
	return raw, a.body.fits(int64(len(raw)))
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
