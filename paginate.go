package aplomb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb/internal/rawjson"
)

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	// Cursor names this page: give it to [Resume] to start here again. It is ""
	// for the first page of a list that has no name for it.
	Cursor string
	// Next names the page that follows, "" where the list ends or [AtMost] ended it:
	// give it to Resume to go on another day.
	Next string
	// Response is what [Capture] would tell of it.
	Response Response
}

// Items ranges over a list's items, page after page, as far as the caller
// goes: leaving the loop sends nothing more.
//
//	for order, err := range aplomb.Items[Order](ctx, c, "/v1/orders", aplomb.ByLink{}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// An error is yielded once and ends the loop, after the items before it. A list
// that ends short of the total it announced is [ErrTruncated], a page that comes
// twice [ErrCursorStuck]. Ranging again starts again. A [Timeout] and the
// default one hold for each page.
func Items[T any](ctx context.Context, c *Client, path string, by Pager, opts ...CallOption) iter.Seq2[T, error] {
	pages := Pages[T](ctx, c, path, by, opts...)
	return func(yield func(T, error) bool) {
		var zero T
		for page, err := range pages {
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				yield(zero, err)
				return
			}
		}
	}
}

// Collect is the list as a slice: all that seq yields. With an error come the
// items before it. A list that may be long is better ranged over, or bounded by
// [AtMost].
//
//	orders, err := aplomb.Collect(aplomb.Items[Order](ctx, c, "/v1/orders", aplomb.ByLink{}, aplomb.AtMost(500)))
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, item)
	}
	return all, nil
}

// Pages ranges over a list's pages. See [Items]. A page that came before an
// error it caused, such as [ErrTruncated], is yielded with it. A 304 that
// [Expect] allows is a page without items, and the last.
func Pages[T any](ctx context.Context, c *Client, path string, by Pager, opts ...CallOption) iter.Seq2[Page[T], error] {
	opts = slices.Clone(opts)
	return func(yield func(Page[T], error) bool) {
		l, err := newLister(ctx, c, path, by, opts)
		if err != nil {
			yield(Page[T]{}, err)
			return
		}
		yieldPages(ctx, l.prefetch, func(ctx context.Context) (Page[T], bool, error) { return fetchPage[T](ctx, l) }, yield)
	}
}

// Follow ranges over the pages of an API that no [Pager] fits. P is the page as
// the API sends it, decoded once; next makes of it the options of the next
// request, laid over opts, and nil to end.
//
//	next := func(p Page, _ aplomb.Response) ([]aplomb.CallOption, error) {
//		if p.Done {
//			return nil, nil
//		}
//		return []aplomb.CallOption{aplomb.JSON(Search{After: p.Last})}, nil
//	}
func Follow[P any](ctx context.Context, c *Client, method, path string, next func(P, Response) ([]CallOption, error), opts ...CallOption) iter.Seq2[P, error] {
	opts = slices.Clone(opts)
	return func(yield func(P, error) bool) {
		var zero P
		if next == nil {
			yield(zero, errors.New("aplomb: Follow: next is nil"))
			return
		}
		own, err := callSettings(ctx, opts)
		if err != nil {
			yield(zero, err)
			return
		}
		switch {
		case own.resume != "":
			err = errors.New("aplomb: Follow cannot Resume: give the options of the page to begin with")
		case own.atMost != 0:
			err = errors.New("aplomb: Follow knows no items to count AtMost of: leave the loop; for graphql.Nodes there is graphql.AtMost")
		default:
			err = own.severalCalls()
		}
		if err != nil {
			yield(zero, err)
			return
		}
		f := follower[P]{c: c, method: method, path: path, next: next, opts: opts}
		yieldPages(ctx, own.prefetch, f.fetch, yield)
	}
}

type follower[P any] struct {
	c            *Client
	method, path string
	next         func(P, Response) ([]CallOption, error)
	opts, onward []CallOption
	cycle        cycle
}

func (f *follower[P]) fetch(ctx context.Context) (p P, more bool, err error) {
	var resp Response
	opts := slices.Concat(f.opts, f.onward, []CallOption{Capture(&resp), listing})
	if p, err = Call[P](ctx, f.c, f.method, f.path, opts...); err != nil {
		return p, false, err
	}
	if f.onward, err = f.next(p, resp); err != nil || f.onward == nil {
		return p, false, err
	}
	mark, err := f.c.fingerprint(f.onward)
	if err != nil {
		return p, false, err
	}
	if mark != "" && f.cycle.seen(mark) {
		return p, false, fmt.Errorf("%s: %s: %w", f.c.stack.cfg.name, f.method+" "+f.path, ErrCursorStuck)
	}
	return p, true, nil
}

// fingerprint tells requests apart by what their options say; "" where a body
// that is not in memory might tell them apart as well.
func (c *Client) fingerprint(opts []CallOption) (string, error) {
	var s settings
	if err := s.apply(opts); err != nil {
		return "", err
	}
	mark := fmt.Sprint(s.target, s.query, s.path, s.header)
	if s.payload != nil {
		p, err := s.payload.encoded(orDefault(s.codec, c.stack.cfg.codec))
		if err != nil || p.raw == nil {
			return "", err
		}
		mark += string(p.raw)
	}
	return mark, nil
}

// severalCalls refuses a key that would make one of several effects.
func (s *settings) severalCalls() error {
	if s.key != "" {
		return errors.New("aplomb: an IdempotencyKey belongs to one call, and an iterator makes several: use Idempotency{} for a key each")
	}
	return nil
}

// listing marks the calls that an iterator makes.
var listing CallOption = callOption(func(s *settings) error { s.listing = true; return nil })

// yieldPages yields what fetch returns until it says there is no more. With ahead
// the next fetch runs while the caller works; it is cancelled and waited for
// when the caller leaves.
func yieldPages[P any](ctx context.Context, ahead bool, fetch func(context.Context) (P, bool, error), yield func(P, error) bool) {
	if !ahead {
		for more := true; more; {
			p, again, err := fetch(ctx)
			if !yield(p, err) || err != nil {
				return
			}
			more = again
		}
		return
	}
	type result struct {
		p        P
		more     bool
		err      error
		panicked any
	}
	ctx, cancel := context.WithCancel(ctx)
	start := func() chan result {
		done := make(chan result, 1)
		go func() {
			r := result{err: errors.New("aplomb: the goroutine that fetched the page ended")} // runtime.Goexit in a hook
			defer func() {
				r.panicked = recover()
				done <- r
			}()
			r.p, r.more, r.err = fetch(ctx)
		}()
		return done
	}
	pending := start()
	defer func() {
		cancel()
		if pending != nil {
			<-pending
		}
	}()
	for pending != nil {
		r := <-pending
		pending = nil
		if r.panicked != nil {
			panic(r.panicked) //nolint:forbidigo // the hook's or transport's own, on, where the caller can recover it
		}
		if r.more && r.err == nil {
			pending = start()
		}
		if !yield(r.p, r.err) || r.err != nil {
			return
		}
	}
}

// lister is the state of one range over a list.
type lister struct {
	client   *Client
	path     string
	by       Pager
	opts     []CallOption
	prefetch bool
	atMost   int64 // items to yield; 0 all
	cursor   string
	resumed  bool
	cycle    cycle
	seen     int64
	total    int64 // the smallest total stated; -1 none
	digest   uint64
	seed     maphash.Seed
}

func newLister(ctx context.Context, c *Client, path string, by Pager, opts []CallOption) (*lister, error) {
	if c == nil || c.stack == nil {
		return nil, errNoClient
	}
	if isNil(by) {
		return nil, errors.New("aplomb: no Pager: say how the list is paged, such as ByLink{}")
	}
	own, err := callSettings(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := own.severalCalls(); err != nil {
		return nil, err
	}
	if own.prefetch && own.capture != nil {
		return nil, errors.New("aplomb: Capture with Prefetch would change under the loop: use Page.Response")
	}
	l := &lister{client: c, path: path, by: by, opts: opts, prefetch: own.prefetch, atMost: int64(own.atMost), total: -1, seed: maphash.MakeSeed()}
	l.resumed = own.resume != ""
	if l.cursor, err = by.first(own.resume); err != nil {
		return nil, err
	}
	if l.resumed && by.rules().urls {
		call, err := c.stack.newCall(ctx, http.MethodGet, path, opts)
		if err != nil {
			return nil, err
		}
		if err := call.atHome(c.stack.cfg.base, l.cursor); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// fetchPage fetches the page at l's cursor and moves it on.
func fetchPage[T any](ctx context.Context, l *lister) (page Page[T], more bool, err error) {
	env := &envelope{}
	opts := slices.Concat(l.opts, l.by.request(l.cursor), []CallOption{listing})
	err = l.client.exchange(ctx, http.MethodGet, l.path, "application/json", opts, func(a *answer, body []byte) error {
		env.answer, env.body, env.codec = a, body, a.call.codec
		if env.unchanged() {
			return nil
		}
		var err error
		if page.Items, err = itemsOf[T](env, l.by.rules()); err != nil {
			return a.decodeError(body, err)
		}
		return nil
	})
	if err != nil {
		return page, false, err
	}
	page.Cursor, page.Response = l.cursor, env.answer.call.response()
	if env.unchanged() {
		return page, false, nil
	}
	if enough := l.atMost - l.seen; l.atMost > 0 && int64(len(page.Items)) >= enough {
		page.Items = page.Items[:enough]
		return page, false, nil
	}
	if more, err = l.advance(env, len(page.Items)); more {
		page.Next = l.cursor
	}
	return page, more, err
}

// advance decides whether another page follows, and checks that the list kept
// its word.
func (l *lister) advance(env *envelope, n int) (more bool, err error) {
	if page, ok := l.by.(ByPage); ok && l.resumed && l.seen == 0 {
		l.seen = page.before(l.cursor, n)
	}
	l.seen += int64(n)
	rules := l.by.rules()
	if count, ok := env.number(rules.count); ok && int64(n) < count {
		return false, l.truncated("the page holds %d items and says %d", int64(n), count)
	}
	total, ok := env.total(rules.total)
	if rules.total != "" && !ok && l.total < 0 {
		return false, fmt.Errorf("%s: GET %s: the body has no number %s; it has %s", l.client.Name(), l.path, rules.total, strings.Join(env.names(false), ", "))
	}
	if ok && (l.total < 0 || total < l.total) {
		l.total = total // a list that shrinks meanwhile is not truncated
	}
	next, more, err := l.by.next(env, l.cursor, n, l.seen)
	if err != nil {
		return false, fmt.Errorf("%s: GET %s: %w", l.client.stack.cfg.name, l.path, err)
	}
	if !more {
		if l.total > l.seen && !l.resumed {
			return false, l.truncated("the list ended after %d items of %d", l.seen, l.total)
		}
		return false, nil
	}
	if l.cycle.seen(next) || rules.counts && l.repeated(env, n) {
		return false, fmt.Errorf("%s: GET %s: %w after %d items", l.client.stack.cfg.name, l.path, ErrCursorStuck, l.seen)
	}
	l.cursor = next
	return true, nil
}

func (l *lister) truncated(format string, got, want int64) error {
	return fmt.Errorf("%s: GET %s: %w: "+format, l.client.stack.cfg.name, l.path, ErrTruncated, got, want)
}

// repeated reports a counted page that equals the one before: the server
// ignores the page number and would do so for ever.
func (l *lister) repeated(env *envelope, n int) bool {
	if n == 0 {
		return false
	}
	digest := maphash.Bytes(l.seed, env.raw)
	same := digest == l.digest
	l.digest = digest
	return same
}

// cycle finds a repetition in a sequence in bounded memory. Up to maxMarks
// elements it knows each, by a hash; after that it compares with one that is
// kept, replaced at powers of two, so that a longer loop is found later but is
// found (R. P. Brent, 1980).
type cycle struct {
	seed  maphash.Seed
	marks map[uint64]struct{}
	kept  uint64
	steps int
	power int
}

const maxMarks = 4096

func (c *cycle) seen(v string) bool {
	if c.marks == nil {
		c.seed, c.marks, c.power = maphash.MakeSeed(), map[uint64]struct{}{}, maxMarks
	}
	mark := maphash.String(c.seed, v)
	if _, known := c.marks[mark]; known || c.steps > maxMarks && mark == c.kept {
		return true
	}
	if len(c.marks) < maxMarks {
		c.marks[mark] = struct{}{}
	}
	if c.steps++; c.steps > c.power {
		c.kept, c.power = mark, 2*c.power
	}
	return false
}

// envelope is a page's body, read only as deep as it is asked.
type envelope struct {
	answer *answer
	body   []byte
	codec  *Codec
	valid  bool            // as JSON, for sure
	raw    json.RawMessage // the items
	last   json.RawMessage // of them; nil if they were not taken apart
	top    map[string]json.RawMessage
}

// unchanged reports a 304: a page without a body, of which nothing is to be read.
func (e *envelope) unchanged() bool { return e.answer.response.StatusCode == http.StatusNotModified }

// itemsOf decodes the page's items, wherever rules say that they are.
func itemsOf[T any](e *envelope, rules listRules) ([]T, error) {
	var err error
	if e.raw, err = e.array(rules.items); err != nil || len(e.raw) == 0 {
		return nil, err
	}
	items, err := decodeItems[T](e)
	if rules.backwards {
		slices.Reverse(items)
	}
	return items, err
}

// decodeItems is json.Unmarshal of an array. Elements that decode themselves are
// handed their part of a body that was found valid: json.Unmarshal would read
// each of them twice before.
func decodeItems[T any](e *envelope) (items []T, err error) {
	if codec := e.codec; codec != nil && codec.Unmarshal != nil {
		err = codec.Unmarshal(e.raw, &items)
		return items, err
	}
	if !e.valid || e.raw[0] != '[' || !decodesItself(reflect.TypeFor[T]()) {
		err = json.Unmarshal(e.raw, &items)
		return items, err
	}
	for raw := range rawjson.Elements(e.raw) {
		var item T
		if err := decodeItself(raw, reflect.ValueOf(&item).Elem()); err != nil {
			return nil, err
		}
		items, e.last = append(items, item), raw
	}
	return items, nil
}
