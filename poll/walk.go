package poll

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// entry is an item as far as a feed itself looks at it.
type entry struct {
	raw  json.RawMessage
	key  string
	mark string
	at   time.Time
	// fresh says that it was not read in the round before.
	fresh bool
}

// walk is the reading of one round.
type walk[T any] struct {
	feed    *Feed[T]
	from    state
	started bool // from is where an earlier round ended
	known   map[string]bool

	entries  []entry         // in the list's order
	items    []T             // theirs
	left     strings.Builder // the marks of items that were left out
	first    validators
	hint     hint
	now      time.Time // by the server's clock
	pages    int
	requests int

	notModified bool
	met         bool   // an item that was known
	metOn       int    // on which page first
	lastKnown   int    // the last entry that was known; -1 none
	ended       bool   // the list has no further page
	lastPage    string // the cursor of the last page that had items
	nextPage    string // of the page that would be next
}

// read makes a round, from where an earlier one ended. What it returns with an
// error is good for events only.
func (f *Feed[T]) read(ctx context.Context, from state, started bool) (*walk[T], error) {
	w := &walk[T]{feed: f, from: from, started: started, known: from.seen(), lastKnown: -1}
	cursor, visited := "", map[string]bool{}
	if f.OldestFirst && f.Since == nil {
		cursor = from.Page
	}
	w.lastPage = cursor
	for w.pages < f.maxPages() {
		if visited[cursor] {
			return w, aplomb.ErrCursorStuck
		}
		visited[cursor] = true
		page, err := w.page(ctx, cursor)
		if err != nil {
			err = w.refused(err, cursor)
			return w, err
		}
		if w.notModified {
			return w, nil
		}
		if err := w.take(ctx, page); err != nil {
			return w, err
		}
		cursor = page.Next
		if w.ended = cursor == ""; w.ended || w.enough() {
			break
		}
	}
	w.nextPage = cursor
	w.sift()
	err := w.gap()
	return w, err
}

func (f *Feed[T]) maxPages() int { return cmp.Or(f.MaxPages, 10) }

func (f *Feed[T]) pager() aplomb.Pager {
	if f.By == nil {
		return aplomb.ByLink{}
	}
	return f.By
}

// page fetches one page of the list.
func (w *walk[T]) page(ctx context.Context, cursor string) (aplomb.Page[json.RawMessage], error) {
	f := w.feed
	opts := []aplomb.CallOption{aplomb.Resume(cursor)}
	request := ""
	if w.pages == 0 {
		request = w.request(cursor)
		opts = append(opts, aplomb.Expect(http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusNoContent, http.StatusPartialContent, http.StatusNotModified))
		opts = append(opts, f.Options...)
		if w.conditional() {
			opts = append(opts, w.from.options(request)...)
		}
	} else {
		opts = append(opts, f.Options...)
	}
	if f.Since != nil {
		opts = append(opts, f.Since(w.mark())...)
	}
	page, err := firstPage(aplomb.Pages[json.RawMessage](ctx, f.Client, f.Path, f.pager(), opts...))
	if e, ok := errors.AsType[*aplomb.APIError](err); ok && e.StatusCode == http.StatusNotModified && w.pages == 0 {
		// An Expect among the Options leaves 304 out.
		page.Response, err = aplomb.Response{StatusCode: e.StatusCode, Header: e.Header, Attempts: e.Attempts}, nil
	}
	w.requests += page.Response.Attempts + attemptsOf(err)
	if err != nil {
		return page, err
	}
	h := hintOf(page.Response)
	w.hint = hint{max(w.hint.pace, h.pace), max(w.hint.fresh, h.fresh)}
	if w.pages++; w.pages == 1 {
		w.notModified = page.Response.StatusCode == http.StatusNotModified
		w.first = validatorsOf(page.Response.Header, request)
		w.now = dateOf(page.Response.Header)
	}
	if len(page.Items) > 0 {
		w.lastPage = cursor
	}
	return page, nil
}

// attemptsOf is how many requests a failure has cost.
func attemptsOf(err error) int {
	if e, ok := errors.AsType[*aplomb.APIError](err); ok {
		return e.Attempts
	}
	if e, ok := errors.AsType[*aplomb.CallError](err); ok {
		return e.Attempts
	}
	return 0
}

// dateOf is the server's clock, or ours.
func dateOf(h http.Header) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at
	}
	return time.Now()
}

// firstPage is the one page of a list that is asked for: the next has conditions
// and a cursor of its own.
func firstPage(pages func(func(aplomb.Page[json.RawMessage], error) bool)) (page aplomb.Page[json.RawMessage], err error) {
	for page, err = range pages {
		break
	}
	return page, err
}

// request tells requests apart that validators belong to.
func (w *walk[T]) request(cursor string) string {
	since := w.mark()
	if w.feed.Since == nil {
		since = Mark{}
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{w.feed.Path, w.feed.Variant, cursor, since.Key, since.Time.String()}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// mark is what Since is given.
func (w *walk[T]) mark() Mark {
	at := w.from.since(w.feed.lookBack())
	if !at.IsZero() {
		at = at.UTC()
	}
	return Mark{Key: w.from.Anchor, Time: at}
}

// conditional reports that an unchanged first page is an unchanged list. What is
// new is at its beginning, if the newest comes first. Else a page that is full
// stays as it is when another follows, unless its body names that.
func (w *walk[T]) conditional() bool {
	f := w.feed
	if !f.OldestFirst && !f.Whole {
		return true
	}
	return w.from.Single && (f.Whole && f.maxPages() == 1 || namesNext(f.pager()))
}

// namesNext reports a list whose pages say in their bodies that another follows.
func namesNext(by aplomb.Pager) bool {
	switch by := by.(type) {
	case aplomb.ByURL:
		return true
	case aplomb.ByCursor:
		return by.More != "" || by.Last == "" && by.First == ""
	}
	return false
}

// take reads the items of a page.
func (w *walk[T]) take(ctx context.Context, page aplomb.Page[json.RawMessage]) error {
	f := w.feed
	twice := map[string]bool{}
	for i := range w.entries {
		twice[w.entries[i].mark] = true
	}
	for i, raw := range page.Items {
		item, e, err := f.entry(raw)
		if err != nil {
			// Once is enough: its mark is remembered as an item's is.
			mark := markOf("left out " + string(raw))
			w.left.WriteString(mark)
			if w.known[mark] {
				continue
			}
			bad := &ItemError{Feed: f.name(), Page: w.pages, Index: i + 1, ID: idOf(raw), Raw: raw, Err: err, text: page.Response.Redact(err.Error())}
			if f.Poisoned == nil {
				return bad
			}
			if err := f.Poisoned(ctx, bad); err != nil {
				return err
			}
			continue
		}
		if twice[e.mark] { // the list moved on while it was read
			continue
		}
		twice[e.mark] = true
		if e.fresh = !w.known[e.mark]; !e.fresh {
			w.lastKnown = len(w.entries)
			if !w.met {
				w.met, w.metOn = true, w.pages
			}
		}
		w.entries, w.items = append(w.entries, e), append(w.items, item)
	}
	return nil
}

func (f *Feed[T]) entry(raw json.RawMessage) (item T, e entry, err error) {
	if err := json.Unmarshal(raw, &item); err != nil {
		return item, e, err
	}
	e = entry{raw: bytes.Clone(raw), key: f.Key(item)}
	if e.key == "" {
		return item, e, errors.New("no key: Key returns an empty text for it")
	}
	if f.Store != nil {
		event := f.event(item, &e)
		if err := event.Check(); err != nil {
			return item, e, err
		}
	}
	if f.Occurred != nil {
		e.at = f.Occurred(item)
	}
	e.mark = markOf(e.key)
	return item, e, nil
}

// idOf is an item's id, if it looks like one.
func idOf(raw json.RawMessage) string {
	var item struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(raw, &item) != nil || len(item.ID) > 64 || bytes.ContainsAny(item.ID, "{[") {
		return ""
	}
	return string(item.ID)
}

// enough reports that no further page is needed: what is known was met, and the
// look-back is over.
func (w *walk[T]) enough() bool {
	f := w.feed
	switch {
	case f.Whole || f.OldestFirst:
		return false
	case !w.started:
		return f.FromNow && w.lookedBack(w.to())
	}
	return w.met && w.lookedBack(w.from)
}

// lookedBack reports that the look-back behind a state's newest item is over.
func (w *walk[T]) lookedBack(s state) bool {
	if len(w.entries) == 0 {
		return false
	}
	last, since := w.entries[len(w.entries)-1].at, s.since(w.feed.lookBack())
	if last.IsZero() || since.IsZero() {
		return w.pages > w.metOn || !w.started
	}
	return last.Before(since)
}

// sift has those entries not be fresh that lie behind all that was read before:
// they come to light as others are deleted. One among those that were read is
// shown late.
func (w *walk[T]) sift() {
	f := w.feed
	first := !w.started && f.FromNow
	if !first && (!w.met || f.Whole || f.OldestFirst) {
		return
	}
	since := w.from.since(f.lookBack())
	for i := range w.entries {
		at := w.entries[i].at
		if first || i > w.lastKnown && (at.IsZero() || at.Before(since) || since.IsZero()) {
			w.entries[i].fresh = false
		}
	}
}

// gap is the error of a walk that cannot tell whether it has missed something.
func (w *walk[T]) gap() error {
	f := w.feed
	e := &GapError{Feed: f.name(), Pages: w.pages}
	switch {
	case f.Whole && !w.ended:
		e.why = "the list has more than %d pages: raise MaxPages"
	case f.OldestFirst && f.Since != nil && !w.ended && len(w.fresh()) == 0:
		e.why = "%d pages hold nothing that was not read before, and the list goes on: raise MaxPages, or have Since ask more exactly"
	case f.OldestFirst, f.Whole, w.ended && f.Since != nil, len(w.known) == 0, w.met, len(w.entries) == 0:
		return nil
	default:
		e.why = "no item of the round before is among %d pages, so that some may have been missed: poll faster, raise MaxPages, or set Feed.Gap to go on"
	}
	return e
}

// refused makes a GapError of the refusal of a cursor.
func (w *walk[T]) refused(err error, cursor string) error {
	asked := w.pages == 0 && (cursor != "" || w.feed.Since != nil && w.started && (w.mark() != Mark{}))
	if asked && gone(err) {
		return &GapError{Feed: w.feed.name(), Pages: w.pages, Err: err}
	}
	return err
}

// fresh are the entries that were not read before, the oldest first, and where
// they are among the entries.
func (w *walk[T]) fresh() (at []int) {
	for i := range w.entries {
		if w.entries[i].fresh {
			at = append(at, i)
		}
	}
	if !w.feed.OldestFirst {
		slices.Reverse(at)
	}
	return at
}

// more reports that the list goes on, and was not read on since a round has its
// bounds.
func (w *walk[T]) more() bool { return w.feed.OldestFirst && !w.ended && !w.notModified && w.pages > 0 }

// to is the state after the walk.
func (w *walk[T]) to() state {
	f := w.feed
	s := w.from
	if w.notModified {
		return s
	}
	s.validators, s.Single = w.first, w.ended && w.pages == 1
	if f.OldestFirst && f.Since == nil {
		s.Page = w.lastPage
		if !w.ended {
			s.Page = w.nextPage
		}
	}
	if len(w.entries) == 0 {
		return s
	}
	var marks strings.Builder
	marks.WriteString(w.left.String())
	for i := range w.entries {
		marks.WriteString(w.entries[i].mark)
	}
	s.Seen = marks.String()
	w.advance(&s)
	return s
}

// advance moves what Since is asked with.
func (w *walk[T]) advance(s *state) {
	chronological := slices.Clone(w.entries)
	if !w.feed.OldestFirst {
		slices.Reverse(chronological)
	}
	for i := range chronological {
		if at := chronological[i].at; !at.IsZero() {
			// One from the future would have all that come before it pass for old.
			s.Newest = max(s.Newest, min(at.UnixMilli(), w.now.UnixMilli()))
		}
	}
	last := chronological[len(chronological)-1].key
	if s.Newest == 0 {
		if last != s.Last {
			s.Anchor, s.Last = s.Last, last
		}
		return
	}
	s.Last = last
	since := s.since(w.feed.lookBack())
	for i := range chronological {
		if at := chronological[i].at; !at.IsZero() && at.Before(since) {
			s.Anchor = chronological[i].key
		}
	}
}
