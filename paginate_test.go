package aplomb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// shelf is a list of n numbers that pages in every way.
type shelf struct {
	n, size int
	served  atomic.Int64
	delay   atomic.Int64 // of a time.Duration
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Duration(s.delay.Load()))
	s.served.Add(1)
	q := r.URL.Query()
	from := 0
	switch {
	case q.Has("after"):
		from, _ = strconv.Atoi(q.Get("after"))
	case q.Has("page"):
		page, _ := strconv.Atoi(q.Get("page"))
		from = (page - 1) * s.size
	case q.Has("offset"):
		from, _ = strconv.Atoi(q.Get("offset"))
	}
	items := []order{}
	for i := from + 1; i <= min(from+s.size, s.n); i++ {
		items = append(items, order{ID: strconv.Itoa(i), Amount: i})
	}
	page := map[string]any{"data": map[string]any{"orders": items}, "has_more": from+s.size < s.n, "total": s.n}
	if from+s.size < s.n {
		next := fmt.Sprintf("/v1/orders?after=%d", from+s.size)
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next", </v1/orders>; rel="first"`, next))
		page["next"], page["cursor"] = "http://"+r.Host+next, from+s.size
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page)
}

var pagers = map[string]struct {
	by    aplomb.Pager
	extra int // a request more, where only an empty page is the end
}{
	"ByLink":         {aplomb.ByLink{Items: "data.orders"}, 0},
	"ByURL":          {aplomb.ByURL{Items: "data.orders"}, 0},
	"ByCursor field": {aplomb.ByCursor{Items: "data.orders", Param: "after", Field: "cursor"}, 0},
	"ByCursor last":  {aplomb.ByCursor{Items: "data.orders", Param: "after", Last: "id", More: "has_more"}, 0},
	"ByCursor empty": {aplomb.ByCursor{Items: "data.orders", Param: "after", Last: "id"}, 1},
	"ByPage":         {aplomb.ByPage{Items: "data.orders"}, 1},
	"ByPage total":   {aplomb.ByPage{Items: "data.orders", Total: "total"}, 0},
	"ByOffset":       {aplomb.ByOffset{Items: "data.orders"}, 1},
	"ByOffset total": {aplomb.ByOffset{Items: "data.orders", Total: "total"}, 0},
}

func collect(t *testing.T, c *aplomb.Client, by aplomb.Pager, opts ...aplomb.CallOption) (amounts []int, last error) {
	t.Helper()
	for o, err := range aplomb.Items[order](context.Background(), c, "/v1/orders", by, opts...) {
		if err != nil {
			last = err
			continue
		}
		amounts = append(amounts, o.Amount)
	}
	return amounts, last
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

func TestPagers(t *testing.T) {
	for name, tt := range pagers {
		for _, ahead := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " prefetch=", ahead), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := &shelf{n: 23, size: 10}
					var opts []aplomb.CallOption
					if ahead {
						opts = append(opts, aplomb.Prefetch())
					}
					got, err := collect(t, newClient(t, aplombtest.NewServer(t, h)), tt.by, opts...)
					assert.NoError(t, err)
					assert.Equal(t, got, upTo(23))
					assert.Equal(t, h.served.Load(), int64(3+tt.extra))
				})
			})
		}
	}
}

// Every page's cursor resumes the list at that page.
func TestPagesResume(t *testing.T) {
	for name, tt := range pagers {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newClient(t, aplombtest.NewServer(t, &shelf{n: 23, size: 10}))
				var cursors []string
				next := ""
				for page, err := range aplomb.Pages[order](context.Background(), c, "/v1/orders", tt.by, aplomb.Prefetch()) {
					assert.NoError(t, err)
					assert.True(t, next == "" || page.Cursor == next, page.Cursor, next)
					if next = page.Next; len(page.Items) > 0 {
						cursors = append(cursors, page.Cursor)
					}
				}
				assert.Equal(t, next, "")
				assert.Equal(t, len(cursors), 3)
				got, err := collect(t, c, tt.by, aplomb.Resume(cursors[1]))
				assert.NoError(t, err)
				assert.Equal(t, got, upTo(23)[10:])
			})
		})
	}
}

// Leaving the loop sends nothing more; with prefetch, what is under way is
// cancelled and waited for.
func TestLaw13_BreakLeavesNothingRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &shelf{n: 100, size: 10}
		var underWay atomic.Int64
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.PerCall(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				underWay.Add(1)
				defer underWay.Add(-1)
				return next.RoundTrip(r)
			})
		}))
		for range aplomb.Items[order](context.Background(), c, "/v1/orders", aplomb.ByLink{Items: "data.orders"}) {
			break
		}
		assert.Equal(t, h.served.Load(), 1)
		h.delay.Store(int64(time.Hour))
		start := time.Now()
		for range aplomb.Items[order](context.Background(), c, "/v1/orders", aplomb.ByLink{Items: "data.orders"}, aplomb.Prefetch(), aplomb.Timeout(2*time.Hour)) {
			h.delay.Store(int64(10 * time.Hour))
			break
		}
		assert.True(t, time.Since(start) < 2*time.Hour)
		assert.Equal(t, underWay.Load(), 0)
		synctest.Wait()
	})
}

// The next page is fetched while the caller works on this one.
func TestPrefetchOverlaps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shelves := &shelf{n: 50, size: 10}
		shelves.delay.Store(int64(time.Second))
		c := newClient(t, aplombtest.NewServer(t, shelves))
		start := time.Now()
		for _, err := range aplomb.Pages[order](context.Background(), c, "/v1/orders", aplomb.ByLink{Items: "data.orders"}, aplomb.Prefetch()) {
			assert.NoError(t, err)
			time.Sleep(time.Second)
		}
		assert.Equal(t, time.Since(start), 6*time.Second)
	})
}

// Law 13: an API that silently truncates is an error, after what it did give.
func TestLaw13_TruncationIsAnError(t *testing.T) {
	for name, tt := range map[string]struct {
		by    aplomb.Pager
		pages []http.HandlerFunc
		want  int
	}{
		"total in the body":           {aplomb.ByCursor{Items: "data", Total: "meta.total"}, []http.HandlerFunc{body(`{"data":[{"id":"1"}],"meta":{"total":3}}`)}, 1},
		"total in a header":           {aplomb.ByLink{}, []http.HandlerFunc{body(`[{"id":"1"},{"id":"2"}]`, "X-Total-Count", "3")}, 2},
		"more promised, no items":     {aplomb.ByCursor{Items: "data", Last: "id", More: "more"}, []http.HandlerFunc{body(`{"data":[{"id":"1"}],"more":true}`), body(`{"data":[],"more":true}`)}, 1},
		"more promised, no cursor":    {aplomb.ByCursor{Items: "data", More: "more"}, []http.HandlerFunc{body(`{"data":[{"id":"1"}],"more":true}`)}, 1},
		"page below what it claims":   {aplomb.ByCursor{Items: "data", Count: "count"}, []http.HandlerFunc{body(`{"data":[{"id":"1"}],"count":2}`)}, 1},
		"a cursor under another name": {aplomb.ByCursor{}, []http.HandlerFunc{body(`{"data":[{"id":"1"}],"nextPageToken":"x","has_more":true}`)}, 1},
		"a link under another name":   {aplomb.ByURL{}, []http.HandlerFunc{body(`{"data":[{"id":"1"}],"nextLink":"/x","hasMore":true}`)}, 1},
		"empty page before total":     {aplomb.ByPage{Total: "total"}, []http.HandlerFunc{body(`{"data":[{"id":"1"}],"total":9}`), body(`{"data":[],"total":9}`)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				got, err := collect(t, newClient(t, aplombtest.NewServer(t, script(tt.pages...))), tt.by)
				assert.Equal(t, len(got), tt.want)
				assert.ErrorIs(t, err, aplomb.ErrTruncated)
			})
		})
	}
	// A list that grows while it is read is not truncated either.
	bubbleCase(t, "growing", func(t *testing.T) {
		h := script(body(`{"data":[{"id":"1"}],"total":2,"next_cursor":"a"}`), body(`{"data":[{"id":"2"}],"total":5}`))
		_, err := collect(t, newClient(t, aplombtest.NewServer(t, h)), aplomb.ByCursor{Total: "total"})
		assert.NoError(t, err)
	})
	// A list that shrinks while it is read is not truncated.
	bubble(t, func(t *testing.T) {
		h := script(body(`{"data":[{"id":"1"},{"id":"2"}],"total":3}`), body(`{"data":[],"total":2}`))
		_, err := collect(t, newClient(t, aplombtest.NewServer(t, h)), aplomb.ByPage{Total: "total"})
		assert.NoError(t, err)
	})
}

// Law 13: a repeated cursor is an error, however long the loop.
func TestLaw13_RepeatedCursorIsAnError(t *testing.T) {
	loop := func(n int64) http.HandlerFunc {
		var i atomic.Int64
		return func(w http.ResponseWriter, r *http.Request) {
			body(fmt.Sprintf(`{"data":[{"id":"x"}],"next_cursor":"c%d"}`, i.Add(1)%n))(w, r)
		}
	}
	for name, tt := range map[string]struct {
		step http.HandlerFunc
		by   aplomb.Pager
		most int
	}{
		"the same":             {loop(1), aplomb.ByCursor{}, 3},
		"two in turn":          {loop(2), aplomb.ByCursor{}, 3},
		"a loop of 5000":       {loop(5000), aplomb.ByCursor{}, 12000},
		"a loop of 50":         {loop(50), aplomb.ByCursor{}, 51},
		"page number ignored":  {body(`{"data":[{"id":"1"}]}`), aplomb.ByPage{}, 2},
		"offset ignored":       {body(`[{"id":"1"}]`), aplomb.ByOffset{}, 2},
		"next link to oneself": {body(`[{"id":"1"}]`, "Link", `</v1/orders?p=2>; rel="next"`), aplomb.ByLink{}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := script(tt.step)
				_, err := collect(t, newClient(t, aplombtest.NewServer(t, h)), tt.by)
				assert.ErrorIs(t, err, aplomb.ErrCursorStuck)
				assert.True(t, h.count() <= tt.most, h.count())
			})
		})
	}
}

func TestItemsAreFound(t *testing.T) {
	for name, tt := range map[string]struct {
		body, items, want string
	}{
		"the body itself":     {`[{"amount":1}]`, "", "[1]"},
		"the only array":      {`{"object":"list","data":[{"amount":1}],"url":"/x"}`, "", "[1]"},
		"dotted":              {`{"a":{"b":[{"amount":1}]}}`, "a.b", "[1]"},
		"a name with a dot":   {`{"a.b":[{"amount":1}]}`, "a.b", "[1]"},
		"null":                {`{"data":null}`, "data", "[]"},
		"null, found":         {`{"items":null,"next_cursor":null}`, "", "[]"},
		"null alone":          {`null`, "", "[]"},
		"null elsewhere":      {`{"error":null,"user":{}}`, "", "no array; it has error, user"},
		"several arrays":      {`{"a":[],"b":[]}`, "", "several arrays, a, b: say which with Items"},
		"no array":            {`{"a":1,"b":{}}`, "", "no array; it has a, b: say where the items are with Items"},
		"a wrong path":        {`{"a":1,"b":{}}`, "c", "the body has no c; it has a, b"},
		"items of wrong type": {`{"data":[{"amount":"x"}]}`, "", "field amount is a JSON string, not a Go int"},
		"not JSON":            {`<h1>login</h1>`, "", "expected JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				got, err := collect(t, newClient(t, aplombtest.NewServer(t, script(body(tt.body)))), aplomb.ByLink{Items: tt.items})
				if err != nil {
					assert.Contains(t, err.Error(), tt.want)
					return
				}
				assert.Equal(t, strings.ReplaceAll(fmt.Sprint(got), "<nil>", ""), tt.want)
			})
		})
	}
}

// A field that was named and is not there is an error that says what is.
func TestPagerFieldsMustExist(t *testing.T) {
	for want, by := range map[string]aplomb.Pager{
		"the body has no hasmore; it has data, has_more": aplomb.ByCursor{Last: "id", More: "hasmore"},
		"the body has no number totl; it has data":       aplomb.ByPage{Total: "totl"},
	} {
		bubbleCase(t, want, func(t *testing.T) {
			_, err := collect(t, newClient(t, aplombtest.NewServer(t, script(body(`{"data":[{"id":"1"}],"has_more":true}`)))), by)
			assert.Contains(t, fmt.Sprint(err), want)
		})
	}
}

func TestFollow(t *testing.T) {
	type found struct {
		Hits  []int
		After int
	}
	search := func(w http.ResponseWriter, r *http.Request) {
		var in struct{ After int }
		_ = json.NewDecoder(r.Body).Decode(&in)
		out := found{Hits: []int{in.After + 1, in.After + 2}}
		if in.After < 4 {
			out.After = in.After + 2
		}
		body(out)(w, r)
	}
	next := func(p found, _ aplomb.Response) ([]aplomb.CallOption, error) {
		if p.After == 0 {
			return nil, nil
		}
		return []aplomb.CallOption{aplomb.JSON(map[string]int{"After": p.After})}, nil
	}
	for _, opts := range [][]aplomb.CallOption{nil, {aplomb.Prefetch()}} {
		t.Run("", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newClient(t, aplombtest.NewServer(t, script(search)))
				var hits []int
				opts := append(slices.Clone(opts), aplomb.JSON(map[string]int{"After": 0}), aplomb.Safe())
				for page, err := range aplomb.Follow(context.Background(), c, "POST", "/search", next, opts...) {
					assert.NoError(t, err)
					hits = append(hits, page.Hits...)
				}
				assert.Equal(t, hits, upTo(6))
			})
		})
	}
	t.Run("stuck", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := script(body(found{Hits: []int{1}, After: 2}))
			var last error
			for _, err := range aplomb.Follow(context.Background(), newClient(t, aplombtest.NewServer(t, h)), "POST", "/search", next) {
				last = err
			}
			assert.ErrorIs(t, last, aplomb.ErrCursorStuck)
			assert.Equal(t, h.count(), 2)
		})
	})
}

// A key belongs to one call; an iterator makes several.
func TestIteratorsRefuseAKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h))
		next := func(order, aplomb.Response) ([]aplomb.CallOption, error) { return nil, nil }
		ctx := aplomb.NewContext(context.Background(), aplomb.IdempotencyKey("k"))
		for _, err := range aplomb.Follow(ctx, c, "POST", "/x", next) {
			assert.Contains(t, fmt.Sprint(err), "an iterator makes several")
		}
		for _, err := range aplomb.Items[order](ctx, c, "/x", aplomb.ByLink{}) {
			assert.Contains(t, fmt.Sprint(err), "an iterator makes several")
		}
		assert.Equal(t, h.count(), 0)
		_, err := aplomb.Post[order](ctx, c, "/x") // it was not used up
		assert.NoError(t, err)
	})
}

func TestIteratorsReportBadInput(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(ok)))
		for want, seq := range map[string]func(func(order, error) bool){
			"no Client":       aplomb.Items[order](context.Background(), nil, "/x", aplomb.ByLink{}),
			"no Pager":        aplomb.Items[order](context.Background(), c, "/x", nil),
			"option 1 is nil": aplomb.Items[order](context.Background(), c, "/x", aplomb.ByLink{}, nil),
			"not a cursor":    aplomb.Items[order](context.Background(), c, "/x", aplomb.ByPage{}, aplomb.Resume("x")),
		} {
			n := 0
			for _, err := range seq {
				n++
				assert.Contains(t, fmt.Sprint(err), want)
			}
			assert.Equal(t, n, 1)
		}
		_, err := get(t, c, aplomb.Prefetch())
		assert.Contains(t, fmt.Sprint(err), "for Items, Pages and Follow")
	})
}

// A list asked for on conditions may say that nothing has changed, whatever else
// its pages have to have.
func TestListNotModified(t *testing.T) {
	t.Parallel()
	for name, tt := range pagers {
		bubbleCase(t, name, func(t *testing.T) {
			c := newClient(t, aplombtest.NewServer(t, status(http.StatusNotModified, "X-Total-Count", "7", "Link", `</v1/orders?after=3>; rel="next"`)))
			pages := 0
			for page, err := range aplomb.Pages[order](t.Context(), c, "/v1/orders", tt.by, aplomb.Header("If-None-Match", `"1"`), aplomb.Expect(200, 304)) {
				pages++
				assert.NoError(t, err)
				assert.Equal(t, [3]any{len(page.Items), page.Next, page.Response.StatusCode}, [3]any{0, "", 304})
			}
			assert.Equal(t, pages, 1)
		})
	}
}
