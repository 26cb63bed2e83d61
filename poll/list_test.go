package poll_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/poll"
)

// trickle adds events one by one.
func trickle(h *hub, from, to int, every time.Duration) {
	for i := from; i <= to; i++ {
		sleep(every)
		h.add(strconv.Itoa(i), 0)
	}
}

// sinceTime and afterKey ask for what is newer.
func sinceTime(m poll.Mark) []aplomb.CallOption {
	if m.Time.IsZero() {
		return nil
	}
	return []aplomb.CallOption{aplomb.Query("since", m.Time.Format(time.RFC3339Nano))}
}

func afterKey(m poll.Mark) []aplomb.CallOption {
	if m.Key == "" {
		return nil
	}
	return []aplomb.CallOption{aplomb.Query("after", m.Key)}
}

// TestShapes: every event comes once, and in order, from lists of every shape.
func TestShapes(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*hub, *poll.Feed[change]){
		"newest first":                   func(*hub, *poll.Feed[change]) {},
		"newest first, no tags":          func(h *hub, _ *poll.Feed[change]) { h.noTags = true },
		"newest first, no times":         func(_ *hub, f *poll.Feed[change]) { f.Occurred = nil },
		"newest first, since a time":     func(_ *hub, f *poll.Feed[change]) { f.Since = sinceTime },
		"newest first, after a key":      func(_ *hub, f *poll.Feed[change]) { f.Since = afterKey },
		"newest first, by the key alone": func(_ *hub, f *poll.Feed[change]) { f.Since, f.Occurred = afterKey, nil },
		"oldest first":                   func(h *hub, f *poll.Feed[change]) { h.oldest, f.OldestFirst = true, true },
		"oldest first, since a time":     func(h *hub, f *poll.Feed[change]) { h.oldest, f.OldestFirst, f.Since = true, true, sinceTime },
		"oldest first, after a key":      func(h *hub, f *poll.Feed[change]) { h.oldest, f.OldestFirst, f.Since = true, true, afterKey },
		"oldest first, by the key alone": func(h *hub, f *poll.Feed[change]) {
			h.oldest, f.OldestFirst, f.Since, f.Occurred = true, true, afterKey, nil
		},
		"oldest first, a page a round": func(h *hub, f *poll.Feed[change]) { h.oldest, f.OldestFirst, f.MaxPages = true, true, 1 },
		"oldest first, numbered pages": func(h *hub, f *poll.Feed[change]) { h.oldest, f.OldestFirst, f.By = true, true, aplomb.ByPage{} },
		"a whole list":                 func(_ *hub, f *poll.Feed[change]) { f.Whole, f.MaxPages = true, 50 },
		"a whole list, the oldest first": func(h *hub, f *poll.Feed[change]) {
			h.oldest, f.OldestFirst, f.Whole, f.MaxPages = true, true, true, 50
		},
		"newest first, options and all": func(_ *hub, f *poll.Feed[change]) {
			f.Options = []aplomb.CallOption{aplomb.Expect(200), aplomb.Query("x", "y")}
		},
		"newest first, without look-back": func(_ *hub, f *poll.Feed[change]) { f.LookBack = 1 },
	} {
		bubble(t, name, func(t *testing.T) {
			h := newHub()
			h.size = 7
			h.addMany(1, 20)
			f := feed(client(t, h))
			set(h, f)
			f.Pace.Every = 20 * time.Second
			go trickle(h, 21, 90, 9*time.Second)
			ids, resume, err := read(t, f, 50, 3*time.Hour)
			assert.NoError(t, err)
			g := feed(f.Client)
			set(h, g)
			g.Pace.Every, g.Resume = 20*time.Second, resume
			more, _, err := read(t, g, 40, 3*time.Hour)
			assert.NoError(t, err)
			ids = append(ids, more...)
			if f.Whole && !h.oldest { // the order of a state says nothing
				slices.SortFunc(ids, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y })
			}
			assert.Equal(t, ids, numbers(1, 90))
		})
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	bubble(t, "is asked for what is newer, and a minute more", func(t *testing.T) {
		h := newHub()
		h.addMany(1, 3)
		newest := time.Now()
		f := feed(client(t, h))
		f.Since = sinceTime
		_, _, err := read(t, f, 9, 5*time.Minute)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		seen := h.requests()
		assert.Equal(t, seen[0].query, "")
		assert.Equal(t, seen[1].query, "since="+strings.ReplaceAll(newest.Add(-time.Minute).UTC().Format(time.RFC3339Nano), ":", "%3A"))
		assert.Equal(t, seen[1].tag, "", "it is another request")
		assert.Equal(t, seen[2].status, http.StatusNotModified)
	})
	bubble(t, "is not led astray by a clock that is wrong", func(t *testing.T) {
		h := newHub()
		h.addMany(1, 3)
		f := feed(client(t, h))
		f.Since = sinceTime
		f.Occurred = func(c change) time.Time {
			if c.ID == "3" {
				return c.At.AddDate(100, 0, 0)
			}
			return c.At
		}
		go trickle(h, 4, 9, time.Minute)
		ids, _, err := read(t, f, 9, time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(1, 9))
	})
	bubble(t, "is answered in full, though nothing known is left", func(t *testing.T) {
		h := newHub()
		trickle(h, 1, 3, 2*time.Minute)
		f := feed(client(t, h))
		f.Since = afterKey
		go func() {
			sleep(2 * time.Minute)
			h.remove("3")
			h.add("4", 0)
		}()
		ids, _, err := read(t, f, 4, time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(1, 4))
		assert.Equal(t, h.requests()[1].query, "after=2")
	})
	for name, oldest := range map[string]bool{"newest first": false, "oldest first": true} {
		bubble(t, "a cursor that has expired ends the feed, or has it begin again: "+name, func(t *testing.T) {
			for _, goOn := range []bool{false, true} {
				h := newHub()
				h.oldest = oldest
				h.addMany(1, 3)
				f := feed(client(t, h))
				f.OldestFirst, f.Since = oldest, afterKey
				var gap *poll.GapError
				if goOn {
					f.Gap = func(_ context.Context, e *poll.GapError) error { gap = e; return nil }
				}
				go func() {
					trickle(h, 4, 6, 2*time.Minute)
					for _, id := range numbers(1, 5) {
						h.remove(id)
					}
					trickle(h, 7, 7, time.Second)
				}()
				ids, _, err := read(t, f, 8, 20*time.Minute)
				if goOn {
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					assert.Equal(t, ids[len(ids)-2:], []string{"6", "7"})
				} else {
					assert.True(t, errors.As(err, &gap))
					assert.Contains(t, err.Error(), "poll: /events: the server does not know the cursor any more: ")
				}
				assert.Equal(t, aplomb.StatusCode(gap), http.StatusGone)
			}
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	bubble(t, "that move on while they are read bring nothing twice", func(t *testing.T) {
		h := newHub()
		h.size = 4
		h.addMany(1, 12)
		h.fail = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("page") == "2" {
				h.events = append(h.events, change{ID: "13", At: time.Now()})
				h.fail = nil
			}
			return false
		}
		ids, _, err := read(t, feed(client(t, h)), 14, time.Hour)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, ids, numbers(1, 13))
	})
	bubble(t, "that are too many for a round are read in several, without a pause to speak of", func(t *testing.T) {
		h := newHub()
		h.size, h.oldest = 5, true
		h.addMany(1, 52)
		f := feed(client(t, h))
		f.OldestFirst, f.MaxPages = true, 2
		ids, _, err := read(t, f, 52, 12*time.Second) // 6 s of phase, 5 times 1 s
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(1, 52))
	})
}

// TestPageCursors reads a list whose pages say themselves that another follows,
// and which may thus be asked for on conditions from its end.
func TestPageCursors(t *testing.T) {
	t.Parallel()
	bubble(t, "oldest first", func(t *testing.T) {
		var mu sync.Mutex
		n, free := 5, 0
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
			page := map[string]any{"next_cursor": nil}
			items := []change{}
			for i := from + 1; i <= min(from+4, n); i++ {
				items = append(items, change{ID: strconv.Itoa(i)})
			}
			if page["data"] = items; from+4 < n {
				page["next_cursor"] = strconv.Itoa(from + 4)
			}
			body, _ := json.Marshal(page)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Last-Modified", fmt.Sprint("state ", n, " of ", from)) // opaque to us
			if r.Header.Get("If-Modified-Since") == w.Header().Get("Last-Modified") {
				free++
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(body)
		})
		f := feed(client(t, api))
		f.OldestFirst, f.Occurred, f.By = true, nil, aplomb.ByCursor{Items: "data"}
		go func() {
			for range 20 {
				sleep(100 * time.Second)
				mu.Lock()
				n++
				mu.Unlock()
			}
		}()
		ids, _, err := read(t, f, 25, 3*time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(1, 25))
		assert.True(t, free > 5, free)
	})
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	type machine struct {
		ID, State string
	}
	bubble(t, "tells of changes alone", func(t *testing.T) {
		var mu sync.Mutex
		fleet := []map[string]any{{"ID": "a", "State": "up", "load": 1}, {"ID": "b", "State": "up", "load": 1}}
		api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(fleet)
		})
		f := &poll.Feed[machine]{Client: client(t, api), Path: "/machines", Whole: true, FromNow: true, Key: poll.Snapshot(func(m machine) string { return m.ID })}
		go func() {
			for _, to := range []string{"up", "down", "down", "up"} {
				sleep(70 * time.Second)
				mu.Lock()
				fleet[1] = map[string]any{"ID": "b", "State": to, "load": time.Now().Unix()}
				mu.Unlock()
			}
			mu.Lock()
			fleet = append(fleet, map[string]any{"ID": "c", "State": "new"})
			mu.Unlock()
		}()
		var got []machine
		for e, err := range f.Events(t.Context()) {
			assert.NoError(t, err)
			if got = append(got, e.Item); len(got) == 3 {
				break
			}
			assert.True(t, strings.HasPrefix(e.Key, e.Item.ID+":") && len(e.Key) == 34, e.Key)
		}
		slices.SortFunc(got, func(a, b machine) int { return strings.Compare(a.ID+a.State, b.ID+b.State) })
		assert.Equal(t, got, []machine{{"b", "down"}, {"b", "up"}, {"c", "new"}})
	})
	bubble(t, "says when a list is too long for it", func(t *testing.T) {
		h := newHub()
		h.size = 3
		h.addMany(1, 10)
		f := feed(client(t, h))
		f.Whole, f.MaxPages = true, 3
		_, _, err := read(t, f, 99, time.Hour)
		assert.Equal(t, fmt.Sprint(err), "poll: /events: the list has more than 3 pages: raise MaxPages")
	})
	t.Run("has no key for what has no id", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, poll.Snapshot(func(machine) string { return "" })(machine{}), "")
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c, err := aplomb.New("http://api.test")
	assert.NoError(t, err)
	for want, f := range map[string]*poll.Feed[change]{
		"poll: Feed.Client is nil":                 {},
		"poll: Feed.Path is empty":                 {Client: c},
		"poll: Feed.Key is nil: say what an item":  {Client: c, Path: "/x"},
		"cannot be negative":                       func() *poll.Feed[change] { f := feed(c); f.MaxPages = -1; return f }(),
		"poll: Pace.Every: 5ns is no time to wait": func() *poll.Feed[change] { f := feed(c); f.Pace.Every = 5; return f }(),
		"poll: Pace.Max is shorter than Every": func() *poll.Feed[change] {
			f := feed(c)
			f.Pace = poll.Pace{Every: time.Hour, Max: time.Minute}
			return f
		}(),
		"poll: Feed.Store and Webhook are for Run":            func() *poll.Feed[change] { f := feed(c); f.Webhook = true; return f }(),
		"poll: Feed.Whole reads all there is":                 func() *poll.Feed[change] { f := feed(c); f.Whole, f.Since = true, sinceTime; return f }(),
		"poll: the cursor is not one of a feed's":             func() *poll.Feed[change] { f := feed(c); f.Resume = "x"; return f }(),
		"poll: the cursor has version 7, and this package re": func() *poll.Feed[change] { f := feed(c); f.Resume = `{"v":7}`; return f }(),
	} {
		n := 0
		for _, err := range f.Events(t.Context()) {
			n++
			assert.Contains(t, fmt.Sprint(err), want)
		}
		assert.Equal(t, n, 1)
	}
	assert.Contains(t, feed(c).Run(t.Context()).Error(), "poll: Feed.Store is nil")
	assert.Equal(t, poll.Event[change]{}.Resume(), "")
}
