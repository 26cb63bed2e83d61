package aplomb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aplomb-go/aplomb/internal/header"
)

// Pager says where a list's items are and how the next page is asked for:
// [ByLink], [ByURL], [ByCursor], [ByPage] or [ByOffset]; [Follow] takes the
// rest.
//
// Paths into the body are dotted, such as "data.items"; a member whose own name
// has a dot is found as well. An empty Items means the body itself, or its only
// array. Total names the number of items in the whole list, Count the number
// this page claims to hold; a list that does not keep either promise is
// [ErrTruncated]. X-Total-Count is read unasked.
//
// A list ends where the API says so, or with an empty page, never with a short
// one.
type Pager interface {
	list() listRules
	// start is the position that a cursor names, "" the beginning.
	start(cursor string) (position, error)
	// name is the cursor of a position.
	name(position) string
	// request asks for the page at a position.
	request(position) []RequestOption
	// next is the position after a page of n items, with seen in all.
	next(env *envelope, at position, n int, seen int64) (position, bool, error)
}

type listRules struct{ items, total, count string }

// counted marks pagers that count rather than being told the next page.
type counted interface{ counts() }

// ByLink follows the Link header (RFC 8288), as GitHub and GitLab send it. A
// next link to another origin than the client's or its credentials' is an
// error.
type ByLink struct {
	Items, Total, Count string
	// Rel is the link's relation. Default "next".
	Rel string
}

func (b ByLink) list() listRules                       { return listRules{b.Items, b.Total, b.Count} }
func (b ByLink) start(cursor string) (position, error) { return position{cursor: cursor}, nil }
func (b ByLink) name(p position) string                { return p.cursor }
func (b ByLink) request(p position) []RequestOption    { return urlRequest(p) }

func (b ByLink) next(env *envelope, _ position, _ int, _ int64) (position, bool, error) {
	link, ok := header.LinkRel(env.answer.Header, orDefault(b.Rel, "next"))
	if !ok || link == "" {
		return position{}, false, nil
	}
	return env.follow(link)
}

// ByURL follows an address in the body, such as "links.next" or
// "@odata.nextLink". The same origin rule as for [ByLink] holds.
type ByURL struct {
	Items, Total, Count string
	// Field is where the address is. Default "next".
	Field string
}

func (b ByURL) list() listRules                       { return listRules{b.Items, b.Total, b.Count} }
func (b ByURL) start(cursor string) (position, error) { return position{cursor: cursor}, nil }
func (b ByURL) name(p position) string                { return p.cursor }
func (b ByURL) request(p position) []RequestOption    { return urlRequest(p) }

func (b ByURL) next(env *envelope, _ position, _ int, _ int64) (position, bool, error) {
	link, err := env.text(orDefault(b.Field, "next"))
	if err != nil || link == "" {
		return position{}, false, err
	}
	return env.follow(link)
}

// ByCursor passes a cursor from each page to the next: one the body names
// (Field), or the id of the last item (Last), as Stripe has it:
//
//	aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"}
type ByCursor struct {
	Items, Total, Count string
	// Param is the query parameter that takes the cursor. Default "cursor".
	Param string
	// Field is where the body has the next cursor. Default "next_cursor",
	// unless Last is set.
	Field string
	// Last is the field of the last item that is the next cursor.
	Last string
	// More is a boolean in the body that says whether another page follows.
	More string
}

func (b ByCursor) list() listRules                       { return listRules{b.Items, b.Total, b.Count} }
func (b ByCursor) start(cursor string) (position, error) { return position{cursor: cursor}, nil }
func (b ByCursor) name(p position) string                { return p.cursor }

func (b ByCursor) request(p position) []RequestOption {
	if p.cursor == "" {
		return nil
	}
	return []RequestOption{Query(orDefault(b.Param, "cursor"), p.cursor)}
}

func (b ByCursor) next(env *envelope, _ position, n int, _ int64) (position, bool, error) {
	promised := false
	if b.More != "" {
		raw, ok, err := env.at(b.More)
		if err != nil {
			return position{}, false, err
		}
		if promised = ok && string(raw) == "true"; !promised {
			return position{}, false, nil
		}
	}
	cursor, err := b.cursor(env, n)
	switch {
	case err != nil:
		return position{}, false, err
	case promised && (cursor == "" || n == 0):
		return position{}, false, fmt.Errorf("%w: %s is true, but the page has no cursor or no items", ErrTruncated, b.More)
	case cursor == "":
		return position{}, false, nil
	}
	return position{cursor: cursor}, true, nil
}

func (b ByCursor) cursor(env *envelope, n int) (string, error) {
	if b.Last == "" {
		return env.text(orDefault(b.Field, "next_cursor"))
	}
	if n == 0 {
		return "", nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(env.raw, &items); err != nil {
		return "", err
	}
	last := &envelope{body: items[len(items)-1]}
	cursor, err := last.text(b.Last)
	if err == nil && cursor == "" {
		err = fmt.Errorf("the last item has no %s", b.Last)
	}
	return cursor, err
}

// ByPage counts pages in a query parameter, up to an empty page or the total.
type ByPage struct {
	Items, Total, Count string
	// Param is the query parameter. Default "page".
	Param string
	// FromZero says that the first page is 0, not 1.
	FromZero bool
}

func (b ByPage) list() listRules { return listRules{b.Items, b.Total, b.Count} }
func (b ByPage) counts()         {}

func (b ByPage) start(cursor string) (position, error) {
	first := 1
	if b.FromZero {
		first = 0
	}
	n, err := parseCursor(cursor, int64(first))
	return position{page: int(n)}, err
}

func (b ByPage) name(p position) string { return strconv.Itoa(p.page) }

func (b ByPage) request(p position) []RequestOption {
	return []RequestOption{Query(orDefault(b.Param, "page"), strconv.Itoa(p.page))}
}

func (b ByPage) next(env *envelope, at position, n int, seen int64) (position, bool, error) {
	total, known := env.total(b.Total)
	return position{page: at.page + 1}, n > 0 && !(known && seen >= total), nil
}

// ByOffset counts items in a query parameter, up to an empty page or the total.
type ByOffset struct {
	Items, Total, Count string
	// Param is the query parameter. Default "offset".
	Param string
}

func (b ByOffset) list() listRules { return listRules{b.Items, b.Total, b.Count} }
func (b ByOffset) counts()         {}

func (b ByOffset) start(cursor string) (position, error) {
	n, err := parseCursor(cursor, 0)
	return position{offset: n}, err
}

func (b ByOffset) name(p position) string { return strconv.FormatInt(p.offset, 10) }

func (b ByOffset) request(p position) []RequestOption {
	return []RequestOption{Query(orDefault(b.Param, "offset"), strconv.FormatInt(p.offset, 10))}
}

func (b ByOffset) next(env *envelope, at position, n int, _ int64) (position, bool, error) {
	next := at.offset + int64(n)
	total, known := env.total(b.Total)
	return position{offset: next}, n > 0 && !(known && next >= total), nil
}

func parseCursor(cursor string, first int64) (int64, error) {
	if cursor == "" {
		return first, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || n < first {
		return 0, fmt.Errorf("aplomb: Resume: %q is not a cursor of this list", cursor)
	}
	return n, nil
}

func urlRequest(p position) []RequestOption {
	if p.cursor == "" {
		return nil
	}
	return []RequestOption{URL(p.cursor)}
}

// follow resolves a next-page address and holds it to the origin rule: the
// client's own, or one that a credential names. Ending the list here would pass
// for its end, so it is an error.
func (e *envelope) follow(link string) (position, bool, error) {
	ref, err := url.Parse(link)
	if err != nil {
		return position{}, false, errors.New("the next page's address cannot be parsed")
	}
	u := e.answer.url.ResolveReference(ref)
	c := e.answer.call
	if to := originOf(u); to != c.home && !slices.Contains(c.allowed, to) {
		return position{}, false, fmt.Errorf("the next page is on %s, not on %s: if that is right, add it to Auth.Origins", to, c.home)
	}
	return position{cursor: u.String()}, true, nil
}

// items decodes the array at path into list.
func (e *envelope) items(rules listRules, list any) error {
	raw, err := e.array(rules.items)
	if err != nil {
		return err
	}
	e.raw = raw
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, list)
}

// array finds the items: at a path, as the body itself, or as its only array.
func (e *envelope) array(path string) (json.RawMessage, error) {
	body := bytes.TrimSpace(e.body)
	if path != "" {
		raw, ok, err := e.at(path)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("the body has no %s; it has %s", path, strings.Join(e.names(false), ", "))
		}
		if raw = bytes.TrimSpace(raw); string(raw) == "null" {
			return nil, nil
		}
		return raw, nil
	}
	if len(body) == 0 {
		return nil, nil
	}
	if body[0] == '[' {
		return body, nil
	}
	if _, _, err := e.at(""); err != nil {
		return nil, err
	}
	switch names := e.names(true); len(names) {
	case 1:
		return e.top[names[0]], nil
	case 0:
		return nil, fmt.Errorf("the body has no array; it has %s: say where the items are with Items", strings.Join(e.names(false), ", "))
	default:
		return nil, fmt.Errorf("the body has several arrays, %s: say which with Items", strings.Join(names, ", "))
	}
}

// names lists the body's members, or only its arrays.
func (e *envelope) names(arrays bool) []string {
	var names []string
	for name, raw := range e.top {
		if !arrays || bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// at finds the raw value at a dotted path.
func (e *envelope) at(path string) (json.RawMessage, bool, error) {
	if e.top == nil {
		if trimmed := bytes.TrimSpace(e.body); len(trimmed) == 0 || trimmed[0] != '{' {
			return nil, false, nil
		}
		if err := json.Unmarshal(e.body, &e.top); err != nil {
			return nil, false, err
		}
	}
	return member(e.top, path)
}

func member(object map[string]json.RawMessage, path string) (json.RawMessage, bool, error) {
	if raw, ok := object[path]; ok {
		return raw, true, nil
	}
	head, rest, dotted := strings.Cut(path, ".")
	raw, ok := object[head]
	if !dotted || !ok || !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return nil, false, nil
	}
	var inner map[string]json.RawMessage
	if err := json.Unmarshal(raw, &inner); err != nil {
		return nil, false, err
	}
	return member(inner, rest)
}

// text is a string or number at path; "" when absent or null.
func (e *envelope) text(path string) (string, error) {
	raw, ok, err := e.at(path)
	if err != nil || !ok || string(raw) == "null" || string(raw) == "false" {
		return "", err
	}
	if raw[0] == '"' {
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	}
	if raw[0] == '{' || raw[0] == '[' {
		return "", fmt.Errorf("%s is not a string", path)
	}
	return string(raw), nil
}

// number is an integer at path.
func (e *envelope) number(path string) (int64, bool) {
	if path == "" {
		return 0, false
	}
	text, err := e.text(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// total is the number of items that the list claims to have.
func (e *envelope) total(path string) (int64, bool) {
	if path != "" {
		return e.number(path)
	}
	n, err := strconv.ParseInt(e.answer.Header.Get("X-Total-Count"), 10, 64)
	return n, err == nil && n >= 0
}
