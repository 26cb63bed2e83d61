package webhook

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// document is JSON of which some members are wanted. It is taken apart once, level
// by level, and only where it is looked into.
type document struct {
	raw     []byte
	members map[string]*document // nil until asked; empty for what is no object
}

// at is what a JSON pointer (RFC 6901) names, nil if there is nothing.
func (d *document) at(pointer string) *document {
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		if d = d.member(token); d == nil {
			return nil
		}
	}
	return d
}

func (d *document) member(name string) *document {
	if d.members == nil {
		d.members = map[string]*document{}
		for key, raw := range d.decode() {
			d.members[key] = &document{raw: raw}
		}
	}
	return d.members[name]
}

// decode is the members of an object or an array.
func (d *document) decode() map[string]json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(d.raw, &object) == nil {
		return object
	}
	var array []json.RawMessage
	if json.Unmarshal(d.raw, &array) != nil {
		return nil
	}
	object = make(map[string]json.RawMessage, len(array))
	for i, raw := range array {
		object[strconv.Itoa(i)] = raw
	}
	return object
}

// text is a string or a number that a pointer names.
func (d *document) text(pointer string) (string, bool) {
	d = d.at(pointer)
	if d == nil {
		return "", false
	}
	return textOf(d.raw)
}

func textOf(raw []byte) (string, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "", false
	}
	if raw[0] == '"' {
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err == nil && text != ""
	}
	return string(raw), raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
}

// isForm reports a body of form fields.
func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// payloadOf is the JSON of a delivery: its body, or where that is a form the
// field payload, if there is one. The Content-Type is not signed: JSON is not to be
// read as a form, in whose fields it would say what somebody has written into a text.
func payloadOf(d Delivery) (payload []byte, form url.Values, err error) {
	if !isForm(d.Request) {
		return d.Body, nil, nil
	}
	form, err = url.ParseQuery(string(d.Body))
	switch {
	case err != nil:
		return nil, nil, malformedf("its form fields are not well escaped")
	case bytes.HasPrefix(bytes.TrimLeft(d.Body, " \t\r\n"), []byte("{")):
		return nil, nil, malformedf("its Content-Type says that it is a form, and it begins as JSON does")
	case form.Has("payload") && (len(form) > 1 || len(form["payload"]) > 1):
		return nil, nil, malformedf("it has other fields beside payload")
	}
	return []byte(form.Get("payload")), form, nil
}

// jsonHeader goes with a body that was taken out of a form.
func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }
