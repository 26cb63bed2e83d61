package poll_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/poll"
)

// hub is an API like GitHub's: a list of events, the newest first, in pages with
// Link headers and entity tags, X-Poll-Interval, and a quota that a 304 does not
// take from. What is not set says nothing.
type hub struct {
	size     int           // of a page
	keep     int           // events that the list shows at most
	interval string        // X-Poll-Interval
	refresh  time.Duration // the list is made anew so often
	oldest   bool          // the oldest first
	noTags   bool
	header   http.Header
	fail     func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	events   []change // as they occurred
	seen     []asked
	counted  int // what the quota was taken from
	shownAt  time.Time
	snapshot []change
	items    []change // of body
	body     []byte
}

// change is an event.
type change struct {
	ID   string    `json:"id"`
	At   time.Time `json:"created_at"`
	Word string    `json:"word,omitempty"`
	// shown is from when on the list has it.
	shown time.Time
}

// asked is a request and how it was answered.
type asked struct {
	at     time.Time
	query  string
	tag    string // If-None-Match
	status int
}

func newHub() *hub { return &hub{size: 30, keep: 300} }

// add makes an event of now, which the list shows after late.
func (h *hub) add(id string, late time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, change{ID: id, At: time.Now(), shown: time.Now().Add(late)})
}

func (h *hub) addMany(from, to int) {
	for i := from; i <= to; i++ {
		h.add(strconv.Itoa(i), 0)
	}
}

func (h *hub) remove(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = slices.DeleteFunc(h.events, func(c change) bool { return c.ID == id })
}

func (h *hub) requests() []asked {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

// list is what is shown now, in the list's order. h.mu is held.
func (h *hub) list() []change {
	now := time.Now()
	if h.refresh > 0 {
		if at := now.Truncate(h.refresh); at.After(h.shownAt) {
			h.shownAt, h.snapshot = at, h.at(at)
		}
		return h.snapshot
	}
	return h.at(now)
}

func (h *hub) at(now time.Time) []change {
	var all []change
	for _, c := range slices.Backward(h.events) {
		if !c.shown.After(now) && !c.At.After(now) {
			all = append(all, c)
		}
		if !h.oldest && len(all) == h.keep {
			break
		}
	}
	if h.oldest {
		slices.Reverse(all)
	}
	return all
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := asked{at: time.Now(), query: r.URL.RawQuery, tag: r.Header.Get("If-None-Match")}
	maps.Copy(w.Header(), h.header)
	if h.fail != nil && h.fail(w, r) {
		h.seen, h.counted = append(h.seen, a), h.counted+1
		return
	}
	if h.interval != "" {
		w.Header().Set("X-Poll-Interval", h.interval)
	}
	all, expired := narrowed(h.list(), r, h.oldest)
	if expired {
		a.status = http.StatusGone
		h.seen = append(h.seen, a)
		w.WriteHeader(a.status)
		return
	}
	number, _ := strconv.Atoi(r.URL.Query().Get("page"))
	number = max(number, 1)
	from := min((number-1)*h.size, len(all))
	to := min(from+h.size, len(all))
	body := h.page(all[from:to])
	tag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(body))
	if !h.noTags {
		w.Header().Set("ETag", tag)
	}
	if a.tag == tag && !h.noTags {
		a.status = http.StatusNotModified
		h.seen = append(h.seen, a)
		w.WriteHeader(a.status)
		return
	}
	if to < len(all) {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(number+1))
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, query.Encode()))
	}
	a.status = http.StatusOK
	h.seen, h.counted = append(h.seen, a), h.counted+1
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// page is the body of a page; the latest is kept, since most are asked for often.
// h.mu is held.
func (h *hub) page(items []change) []byte {
	if h.body == nil || !slices.Equal(items, h.items) {
		h.items = slices.Clone(items)
		h.body, _ = json.Marshal(slices.Concat([]change{}, items)) // [] if there are none
	}
	return h.body
}

// narrowed is what the parameters since and after leave of a list.
func narrowed(all []change, r *http.Request, oldest bool) (left []change, expired bool) {
	if since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since")); err == nil {
		all = slices.DeleteFunc(slices.Clone(all), func(c change) bool { return c.At.Before(since) })
	}
	if id := r.URL.Query().Get("after"); id != "" {
		at := slices.IndexFunc(all, func(c change) bool { return c.ID == id })
		switch {
		case at < 0:
			return nil, true
		case oldest:
			all = all[at+1:]
		default:
			all = all[:at]
		}
	}
	return all, false
}

// bubble runs f under virtual time, in parallel with other tests.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { t.Parallel(); synctest.Test(t, f) })
}

// client makes a client of a server for h.
func client(t *testing.T, h http.Handler, opts ...aplomb.Option) *aplomb.Client {
	t.Helper()
	s := aplombtest.NewServer(t, h)
	c, err := aplomb.New(s.URL, append([]aplomb.Option{aplomb.Name("test"), aplomb.Transport(s.Transport()), aplomb.NoRetry()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// feed is one of the hub's events.
func feed(c *aplomb.Client) *poll.Feed[change] {
	return &poll.Feed[change]{
		Client: c, Path: "/events",
		Key:      func(e change) string { return e.ID },
		Occurred: func(e change) time.Time { return e.At },
	}
}

// read takes n events off the feed, or as many as come within d.
func read(t *testing.T, f *poll.Feed[change], n int, d time.Duration) (ids []string, resume string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	for e, err := range f.Events(ctx) {
		if err != nil {
			return ids, resume, err
		}
		resume = e.Resume()
		if ids = append(ids, e.Key); len(ids) == n {
			break
		}
	}
	return ids, resume, nil
}

// numbers are the texts from a number to another.
func numbers(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

// synctestRun is bubble for a test that must not run in parallel.
func synctestRun(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// sleep lets a bubble's time pass.
func sleep(d time.Duration) { time.Sleep(d) }

// pass does, and has all that is to happen until then have happened. It is for
// the test's own goroutine.
func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }
