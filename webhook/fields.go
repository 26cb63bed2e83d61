package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// Fields says where a delivery of one event has what the event is known by. Each
// is text with placeholders:
//
//	{header:Name}      a header
//	{body:/data/id}    a string or a number in the body's JSON, by its JSON pointer (RFC 6901)
//	{id}               the signed message id
//	{sha256}           the body's hash, in hex
//
// A delivery that lacks a part of its Key is malformed. Where it lacks a part of
// another field, that is empty.
type Fields struct {
	// Key is what the event is known by, of which only the first takes effect: take
	// what the sender keeps when it delivers again. Empty is {id} if one is
	// signed, and else {sha256}. What a store could not take for its length
	// becomes its hash.
	Key string
	// Type is what happened.
	Type string
	// Order names what the event is about: see [inbox.Event].
	Order string
	// Occurred is when it happened: RFC 3339, or seconds or milliseconds since 1970.
	Occurred string
}

// places are Fields that were looked through.
type places struct{ key, typ, order, occurred place }

// place is a text with placeholders.
type place []piece

// piece is a placeholder, or text if it has no name.
type piece struct{ name, arg string }

func (f Fields) compile() (*places, error) {
	var c places
	for _, field := range []struct {
		name, text string
		to         *place
	}{{"Key", f.Key, &c.key}, {"Type", f.Type, &c.typ}, {"Order", f.Order, &c.order}, {"Occurred", f.Occurred, &c.occurred}} {
		p, err := parsePlace("Fields."+field.name, field.text)
		if err != nil {
			return &c, err
		}
		*field.to = p
	}
	return &c, nil
}

func parsePlace(where, text string) (place, error) {
	var p place
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		if before != "" {
			p = append(p, piece{arg: before})
		}
		if !found {
			break
		}
		inner, after, closed := strings.Cut(rest, "}")
		name, arg, _ := strings.Cut(inner, ":")
		switch {
		case !closed:
			return nil, settingsf("%s %q has a { without its }", where, text)
		case name == "header" && isToken(arg):
			arg = http.CanonicalHeaderKey(arg)
		case name == "body" && strings.HasPrefix(arg, "/"):
		case inner == "id" || inner == "sha256":
		default:
			return nil, settingsf("%s has {%s}; it may have {header:Name}, {body:/json/pointer}, {id} and {sha256}", where, inner)
		}
		p, text = append(p, piece{name, arg}), after
	}
	return p, nil
}

// read makes the one event of a delivery.
func (c *places) read(d Delivery) ([]inbox.Event, error) {
	doc := document{raw: d.Body}
	key, err := c.keyOf(&d, &doc)
	if err != nil {
		return nil, err
	}
	e := inbox.Event{Key: bounded(key), Body: d.Body}
	for _, field := range []struct {
		from place
		to   *string
	}{{c.typ, &e.Type}, {c.order, &e.Order}} {
		if *field.to, _, err = field.from.of(&d, &doc); err != nil {
			return nil, err
		}
	}
	e.Order = bounded(e.Order)
	occurred, _, err := c.occurred.of(&d, &doc)
	e.Occurred = moment(occurred)
	return []inbox.Event{e}, err
}

func (c *places) keyOf(d *Delivery, doc *document) (string, error) {
	if len(c.key) == 0 {
		return defaultKey(d)
	}
	key, lacks, err := c.key.of(d, doc)
	switch {
	case err != nil:
		return "", err
	case lacks != "":
		return "", malformedf("it has no {%s}, which is a part of its key", lacks)
	}
	return key, nil
}

// defaultKey is the signed id, else the body's hash; but all empty bodies are
// alike.
func defaultKey(d *Delivery) (string, error) {
	if d.Verified.ID != "" {
		return d.Verified.ID, nil
	}
	if len(d.Body) == 0 {
		return "", malformedf("it has no body, and nothing else that it could be known by")
	}
	return hashOf(d.Body), nil
}

// of is the text for a delivery, or what it lacks.
func (p place) of(d *Delivery, doc *document) (text, lacks string, err error) {
	var b strings.Builder
	for _, part := range p {
		value, ok := part.arg, true
		switch part.name {
		case "header":
			value, err = headerOf(d.Request, part.arg)
			ok = value != ""
		case "body":
			value, ok = doc.text(part.arg)
		case "id":
			value, ok = d.Verified.ID, d.Verified.ID != ""
		case "sha256":
			value = hashOf(d.Body)
		}
		if err != nil {
			return "", "", err
		}
		if !ok {
			return "", strings.TrimSuffix(part.name+":"+part.arg, ":"), nil
		}
		b.WriteString(value)
	}
	return b.String(), "", nil
}

// headerOf is the only value of the first of the headers that is there; "" if
// none is. Two values are malformed: proxies differ in which they take.
func headerOf(r *http.Request, names ...string) (string, error) {
	for _, name := range names {
		switch values := r.Header.Values(name); {
		case len(values) > 1:
			return "", malformedf("the header %s is there %d times", name, len(values))
		case len(values) == 1 && values[0] != "":
			return values[0], nil
		}
	}
	return "", nil
}

// hashOf is a hash that may stand in the place of what it is of.
func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// bounded is the text, or its hash where a store could not take it.
func bounded(text string) string {
	if len(text) > inbox.MaxKey {
		return hashOf([]byte(text))
	}
	return text
}

// moment reads RFC 3339, or seconds or milliseconds since 1970; zero if it is
// none of them, since an event with a strange time is better than none.
func moment(text string) time.Time {
	digits := len(text) > 0 && len(text) < 15 && !slices.ContainsFunc([]byte(text), func(c byte) bool { return c < '0' || c > '9' })
	if !digits {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || t.Year() < 1 || t.Year() > 9999 {
			return time.Time{}
		}
		return t.UTC()
	}
	var n int64
	for _, c := range []byte(text) {
		n = 10*n + int64(c-'0')
	}
	if n >= 1e11 { // in the year 5138, or milliseconds since 1973
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, 0).UTC()
}

// isToken reports a header's name (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
}
