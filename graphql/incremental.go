package graphql

import (
	"errors"
	"mime"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// inParts reports a content type of incremental delivery, in which @defer and
// @stream are answered.
func inParts(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "multipart/mixed"
}

// incremental is the error of an answer that comes in parts, whatever of it could be
// read: the rest of the data would be missing without a word.
func (t *trip) incremental(cause error) error {
	hint := "the server sends them unasked; have it answer whole"
	if found := directives(t.plan.request.Query); len(found) > 0 {
		hint = "take " + strings.Join(found, " and ") + " out of the document"
	}
	return t.refusal("the answer comes in parts (incremental delivery), which this package does not put together", hint, cause)
}

// delivered is err, but that of an answer in parts says so.
func (t *trip) delivered(err error) error {
	if _, misfit := errors.AsType[*aplomb.DecodeError](err); misfit && inParts(t.response.Header.Get("Content-Type")) {
		return t.incremental(err)
	}
	return err
}

// directives lists those in a document that ask for an answer in parts.
func directives(document string) []string {
	l := lexer{src: document, line: 1}
	var deferred, streamed bool
	for at := false; ; {
		t := l.next()
		if t.kind == tokenEnd {
			break
		}
		deferred = deferred || at && t.text == "defer"
		streamed = streamed || at && t.text == "stream"
		at = t.kind == '@'
	}
	var found []string
	if deferred {
		found = append(found, "@defer")
	}
	if streamed {
		found = append(found, "@stream")
	}
	return found
}
