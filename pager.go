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
	"github.com/aplomb-go/aplomb/internal/rawjson"
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
	rules() listRules
	// first is the cursor of the page that Resume names, "" for the beginning.
	first(resume string) (string, error)
	// request asks for the page at a cursor.
	request(cursor string) []CallOption
	// next is the cursor after a page of n items, with seen in all.
	next(env *envelope, cursor string, n int, seen int64) (next string, more bool, err error)
}

// listRules are what all pagers have in common.
type listRules struct {
	items, total, count string
	// counts marks a pager that counts rather than being told the next page.
	counts bool
	// urls marks a pager whose cursors are addresses.
	urls bool
	// backwards marks a pager whose pages are read from their end.
	backwards bool
}

// ByLink follows the Link header (RFC 8288), as GitHub and GitLab send it. A
// next link to another origin than the client's or its credentials' is an
// error.
type ByLink struct {
	Items, Total, Count string
	// Rel is the link's relation. Default "next".
	Rel string
}

func (b ByLink) rules() listRules {
	return listRules{items: b.Items, total: b.Total, count: b.Count, urls: true}
}
func (b ByLink) first(resume string) (string, error) { return resume, nil }
func (b ByLink) request(cursor string) []CallOption  { return urlRequest(cursor) }

func (b ByLink) next(env *envelope, _ string, _ int, _ int64) (string, bool, error) {
	link, ok := header.LinkRel(env.answer.response.Header, orDefault(b.Rel, "next"))
	if !ok || link == "" {
		return "", false, nil
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

func (b ByURL) rules() listRules {
	return listRules{items: b.Items, total: b.Total, count: b.Count, urls: true}
}
func (b ByURL) first(resume string) (string, error) { return resume, nil }
func (b ByURL) request(cursor string) []CallOption  { return urlRequest(cursor) }

func (b ByURL) next(env *envelope, _ string, _ int, _ int64) (string, bool, error) {
	link, err := env.text(orDefault(b.Field, "next"))
	if err != nil {
		return "", false, err
	}
	if link == "" {
		return "", false, env.endsHere()
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
	// Field is where the body has the next cursor; absent, null or "" is the
	// end. Default "next_cursor", unless Last or First is set.
	Field string
	// Last is the field of the last item that is the next cursor.
	Last string
	// First is the field of the first item that is the next cursor, for a list
	// that is read backwards, as Stripe's ending_before does. The items of each
	// page are turned round, so that the last comes first.
	First string
	// More is a boolean in the body that says whether another page follows.
	More string
}

func (b ByCursor) rules() listRules {
	return listRules{items: b.Items, total: b.Total, count: b.Count, backwards: b.First != ""}
}

func (b ByCursor) first(resume string) (string, error) {
	if b.Last != "" && b.First != "" {
		return "", errors.New("aplomb: ByCursor: set Last or First: a list is read in one direction")
	}
	return resume, nil
}

func (b ByCursor) request(cursor string) []CallOption {
	if cursor == "" {
		return nil
	}
	return []CallOption{Query(orDefault(b.Param, "cursor"), cursor)}
}

func (b ByCursor) next(env *envelope, _ string, n int, _ int64) (string, bool, error) {
	promised := false
	if b.More != "" {
		raw, ok, err := env.at(b.More)
		if err != nil {
			return "", false, err
		}
		if !ok {
			return "", false, fmt.Errorf("the body has no %s; it has %s", b.More, strings.Join(env.names(false), ", "))
		}
		switch string(raw) {
		case "true":
			promised = true
		case "false":
			return "", false, nil
		default: // to take this for the end would cut the list in silence
			return "", false, fmt.Errorf("the body's %s is neither true nor false", b.More)
		}
	}
	cursor, err := b.cursor(env, n)
	switch {
	case err != nil:
		return "", false, err
	case promised && (cursor == "" || n == 0):
		return "", false, fmt.Errorf("%w: %s is true, but the page has no cursor or no items", ErrTruncated, b.More)
	case cursor == "":
		return "", false, env.endsHere()
	}
	return cursor, true, nil
}

func (b ByCursor) cursor(env *envelope, n int) (string, error) {
	field, which := b.Last, "last"
	if b.First != "" {
		field, which = b.First, "first"
	}
	if field == "" {
		return env.text(orDefault(b.Field, "next_cursor"))
	}
	if n == 0 {
		return "", nil
	}
	item := env.last
	if item == nil || b.First != "" {
		for item = range rawjson.Elements(env.raw) {
			if b.First != "" {
				break
			}
		}
	}
	cursor, err := (&envelope{body: item, valid: true}).text(field)
	if err == nil && cursor == "" {
		err = fmt.Errorf("the %s item has no %s", which, field)
	}
	return cursor, err
}

// ByPage counts pages in a query parameter, up to an empty page or the total.
// Set Total where the API answers a page past the end with an error.
type ByPage struct {
	Items, Total, Count string
	// Param is the query parameter. Default "page".
	Param string
	// FromZero says that the first page is 0, not 1.
	FromZero bool
}

func (b ByPage) rules() listRules {
	return listRules{items: b.Items, total: b.Total, count: b.Count, counts: true}
}

func (b ByPage) first(resume string) (string, error) {
	if b.FromZero {
		return counter(resume, 0)
	}
	return counter(resume, 1)
}

func (b ByPage) request(cursor string) []CallOption {
	return []CallOption{Query(orDefault(b.Param, "page"), cursor)}
}

func (b ByPage) next(env *envelope, cursor string, n int, seen int64) (string, bool, error) {
	total, known := env.total(b.Total)
	next, err := advanced(cursor, 1)
	return next, n > 0 && !(known && seen >= total), err
}

// before is how many items the pages before cursor hold, if all are of n.
func (b ByPage) before(cursor string, n int) int64 {
	first, _ := b.first("")
	from, _ := strconv.ParseInt(first, 10, 64)
	at, _ := strconv.ParseInt(cursor, 10, 64)
	return (at - from) * int64(n)
}

// ByOffset counts items in a query parameter, up to an empty page or the total.
type ByOffset struct {
	Items, Total, Count string
	// Param is the query parameter. Default "offset".
	Param string
}

func (b ByOffset) rules() listRules {
	return listRules{items: b.Items, total: b.Total, count: b.Count, counts: true}
}

func (b ByOffset) first(resume string) (string, error) { return counter(resume, 0) }

func (b ByOffset) request(cursor string) []CallOption {
	return []CallOption{Query(orDefault(b.Param, "offset"), cursor)}
}

func (b ByOffset) next(env *envelope, cursor string, n int, _ int64) (string, bool, error) {
	next, err := advanced(cursor, n)
	total, known := env.total(b.Total)
	reached, _ := strconv.ParseInt(next, 10, 64)
	return next, n > 0 && !(known && reached >= total), err
}

// counter is the cursor to begin with, a number not below lowest.
func counter(resume string, lowest int64) (string, error) {
	if resume == "" {
		return strconv.FormatInt(lowest, 10), nil
	}
	if n, err := strconv.ParseInt(resume, 10, 64); err != nil || n < lowest {
		return "", fmt.Errorf("aplomb: Resume: %q is not a cursor of this list", resume)
	}
	return resume, nil
}

func advanced(cursor string, by int) (string, error) {
	n, err := strconv.ParseInt(cursor, 10, 64)
	return strconv.FormatInt(n+int64(by), 10), err
}

func urlRequest(cursor string) []CallOption {
	if cursor == "" {
		return nil
	}
	return []CallOption{URL(cursor)}
}

// follow resolves a next-page address and holds it to the origin rule. Ending
// the list at a foreign one would pass for its end, so it is an error.
func (e *envelope) follow(link string) (string, bool, error) {
	ref, err := url.Parse(link)
	if err != nil {
		return "", false, errors.New("the next page's address cannot be parsed")
	}
	from := e.answer.call.last.Request.URL
	next := from.ResolveReference(ref).String()
	return next, true, e.answer.call.atHome(from, next)
}

// atHome reports as an error an address, relative to base, on another origin
// than the client's own and those that its credentials name.
func (c *call) atHome(base *url.URL, address string) error {
	u, err := base.Parse(address)
	if err != nil {
		return errors.New("aplomb: the page's address cannot be parsed")
	}
	if to := originOf(u); to != c.stack.home && !slices.Contains(c.allowed, to) {
		return fmt.Errorf("the next page is on %s, not on %s: if that is right, add it to Auth.Origins", to, c.stack.home)
	}
	return nil
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
	if body[0] == '[' || string(body) == "null" {
		return body, nil
	}
	if _, _, err := e.at(""); err != nil {
		return nil, err
	}
	switch names := e.names(true); len(names) {
	case 1:
		return e.top[names[0]], nil
	case 0:
		if e.emptyList() {
			return nil, nil
		}
		return nil, fmt.Errorf("the body has no array; it has %s: say where the items are with Items", strings.Join(e.names(false), ", "))
	default:
		return nil, fmt.Errorf("the body has several arrays, %s: say which with Items", strings.Join(names, ", "))
	}
}

// emptyList reports a null where the items go: what an empty Go slice becomes.
func (e *envelope) emptyList() bool {
	for _, name := range [...]string{"items", "data", "results", "records", "values", "entries", "list", "rows"} {
		if string(e.top[name]) == "null" {
			return true
		}
	}
	return false
}

// endsHere is an error where the body says, in one of the usual ways, that more
// follows, although no cursor was found.
func (e *envelope) endsHere() error {
	for _, name := range [...]string{"has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage"} {
		if raw, ok, _ := e.at(name); ok && string(raw) == "true" {
			return fmt.Errorf("%w: %s is true, but there is no cursor; the body has %s: say where it is with Field", ErrTruncated, name, strings.Join(e.names(false), ", "))
		}
	}
	return nil
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
		if err := e.open(); err != nil {
			return nil, false, err
		}
	}
	raw, ok := member(e.top, path)
	return raw, ok, nil
}

// open takes the body apart, if it is an object. It is read once for all that
// is asked of it, and its parts are not copied.
func (e *envelope) open() error {
	e.body = bytes.TrimPrefix(e.body, []byte("\xef\xbb\xbf"))
	if trimmed := bytes.TrimSpace(e.body); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil
	}
	if !e.valid && !rawjson.Valid(e.body) {
		return json.Unmarshal(e.body, new(any)) // which says where
	}
	e.valid, e.top = true, members(e.body)
	return nil
}

func members(object json.RawMessage) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for name, value := range rawjson.Members(object) {
		all[string(name)] = value
	}
	return all
}

func member(object map[string]json.RawMessage, path string) (json.RawMessage, bool) {
	if raw, ok := object[path]; ok {
		return raw, true
	}
	head, rest, dotted := strings.Cut(path, ".")
	if raw, ok := object[head]; dotted && ok {
		return member(members(raw), rest)
	}
	return nil, false
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
	n, err := strconv.ParseInt(e.answer.response.Header.Get("X-Total-Count"), 10, 64)
	return n, err == nil && n >= 0
}
