package poll_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/poll"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	bubble(t, "come once, the oldest first, over several pages", func(t *testing.T) {
		h := newHub()
		h.addMany(1, 70)
		f := feed(client(t, h))
		go func() {
			for i := 71; i <= 140; i++ {
				sleep(10 * time.Second)
				h.add(strconv.Itoa(i), 0)
			}
		}()
		ids, _, err := read(t, f, 140, time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(1, 140))
	})
	bubble(t, "begin with what comes next, if asked", func(t *testing.T) {
		h := newHub()
		h.addMany(1, 70)
		f := feed(client(t, h))
		f.FromNow = true
		go func() {
			sleep(time.Minute)
			h.addMany(71, 72)
		}()
		ids, _, err := read(t, f, 2, time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(71, 72))
		assert.Equal(t, h.requests()[3].query, "", "three pages of one moment, at first")
	})
	bubble(t, "are asked for on conditions, and 304 is no news", func(t *testing.T) {
		h := newHub()
		h.interval = "60"
		h.addMany(1, 3)
		f := feed(client(t, h))
		var events []poll.PollEvent
		f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) { events = append(events, e) }
		ids, _, err := read(t, f, 4, time.Hour)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, ids, numbers(1, 3))
		seen := h.requests()
		assert.Equal(t, seen[0].tag, "")
		for _, a := range seen[1:] {
			assert.Equal(t, a.status, http.StatusNotModified)
			assert.True(t, strings.HasPrefix(a.tag, `W/"`), "a weak tag stays as it is")
		}
		assert.Equal(t, h.counted, 1)
		assert.Equal(t, [3]int{events[0].Found, events[0].New, events[0].Pages}, [3]int{3, 3, 1})
		assert.True(t, events[1].NotModified && events[1].Found == 0 && events[1].Why == poll.Hinted)
		for i := 1; i < len(seen); i++ { // a hint is a minimum, and a tenth is all that is added
			gap := seen[i].at.Sub(seen[i-1].at)
			assert.True(t, gap >= time.Minute && gap <= 66*time.Second, gap)
		}
	})
	bubble(t, "go on another day where they were left", func(t *testing.T) {
		h := newHub()
		h.addMany(1, 40)
		c := client(t, h)
		ids, resume, err := read(t, feed(c), 17, time.Hour) // in the middle of a round
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(1, 17))
		h.addMany(41, 45)
		f := feed(c)
		f.Resume = resume
		ids, resume, err = read(t, f, 28, time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(18, 45))
		f = feed(c)
		f.Resume = resume // at the end of a round: with its conditions
		before := h.counted
		ids, _, err = read(t, f, 1, time.Hour)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, len(ids), 0)
		assert.Equal(t, h.counted, before)
	})
	bubble(t, "that the list shows late are not lost", func(t *testing.T) {
		h := newHub()
		h.size = 10
		h.addMany(1, 20)
		f := feed(client(t, h))
		f.Pace.Every = 10 * time.Second
		go func() {
			sleep(20 * time.Second)
			h.add("late", 45*time.Second)
			for i := 21; i <= 60; i++ {
				sleep(3 * time.Second)
				h.add(strconv.Itoa(i), 0)
			}
		}()
		ids, _, err := read(t, f, 61, time.Hour)
		assert.NoError(t, err)
		assert.True(t, slices.Contains(ids, "late"), ids)
		slices.Sort(ids)
		assert.Equal(t, len(slices.Compact(ids)), 61)
	})
	bubble(t, "without a time are read a page further", func(t *testing.T) {
		h := newHub()
		h.size = 5
		h.addMany(1, 50)
		f := feed(client(t, h))
		f.Occurred = nil
		go func() {
			sleep(90 * time.Second)
			h.mu.Lock() // one that should have been on the second page
			late := change{ID: "late", At: h.events[44].At, shown: time.Now()}
			h.events = slices.Insert(h.events, 44, late)
			h.mu.Unlock()
			h.add("51", 0)
		}()
		ids, _, err := read(t, f, 52, time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, slices.Concat(ids, numbers(0, 99))[50:52], []string{"late", "51"})
	})
	for _, timed := range []bool{true, false} {
		bubble(t, fmt.Sprint("that come to light behind the others are old, with times: ", timed), func(t *testing.T) {
			h := newHub()
			h.size = 5
			trickle(h, 1, 50, 2*time.Minute)
			f := feed(client(t, h))
			f.FromNow = true
			if !timed {
				f.Occurred = nil
			}
			time.AfterFunc(3*time.Minute, func() { h.remove("49"); h.remove("47"); h.remove("46") })
			ids, _, err := read(t, f, 1, time.Hour)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, len(ids), 0, ids)
			assert.True(t, len(h.requests()) > 5)
		})
	}
}

func TestPaceOfEvents(t *testing.T) {
	t.Parallel()
	// gaps are the times between rounds, less what jitter may add.
	gaps := func(h *hub) (all []time.Duration) {
		seen := h.requests()
		for i := 1; i < len(seen); i++ {
			all = append(all, seen[i].at.Sub(seen[i-1].at))
		}
		return all
	}
	within := func(t *testing.T, got, want []time.Duration) {
		t.Helper()
		assert.True(t, len(got) >= len(want), got)
		for i := range want {
			assert.True(t, got[i] >= want[i] && got[i] <= want[i]+want[i]/10, i, got[i], want[i])
		}
	}
	bubble(t, "slows down without news, and is fast again after it", func(t *testing.T) {
		h := newHub()
		f := feed(client(t, h))
		f.Pace = poll.Pace{Every: time.Minute, Max: 5 * time.Minute}
		_, _, err := read(t, f, 1, 40*time.Minute)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		m := time.Minute
		within(t, gaps(h), []time.Duration{m, m, m, 2 * m, 4 * m, 5 * m, 5 * m})
	})
	bubble(t, "is fast again after news", func(t *testing.T) {
		h := newHub()
		f := feed(client(t, h))
		f.Pace = poll.Pace{Every: time.Minute, Max: 5 * time.Minute}
		var events []poll.PollEvent
		f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) {
			if events = append(events, e); len(events) == 8 {
				h.add("1", 0)
			}
		}
		_, _, err := read(t, f, 2, time.Hour)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, []poll.Why{events[2].Why, events[3].Why, events[7].Why, events[8].Why}, []poll.Why{poll.Changed, poll.Idle, poll.Idle, poll.Changed})
		m := time.Minute
		within(t, gaps(h)[7:], []time.Duration{5 * m, m, m, m, m, 2 * m})
	})
	bubble(t, "follows a nudge, but not before the server's time", func(t *testing.T) {
		h := newHub()
		h.interval = "300"
		f := feed(client(t, h))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range f.Events(ctx) {
				continue
			}
		}()
		sleep(7 * time.Second) // after the first round
		first := h.requests()[0].at
		f.Nudge()
		f.Nudge()
		sleep(5 * time.Minute)
		assert.Equal(t, h.requests()[1].at.Sub(first), 5*time.Minute, "to the nanosecond: a nudge has no jitter")
		h.mu.Lock()
		h.interval = ""
		h.mu.Unlock()
		sleep(5*time.Minute + 31*time.Second)
		assert.Equal(t, len(h.requests()), 3)
		f.Nudge()
		sleep(time.Second)
		assert.Equal(t, len(h.requests()), 4)
		cancel()
		<-done
	})
	for name, tt := range map[string]struct {
		header http.Header
		want   time.Duration
		why    poll.Why
	}{
		"Retry-After":       {http.Header{"Retry-After": {"90"}}, 90 * time.Second, poll.Hinted},
		"milliseconds":      {http.Header{"Retry-After-Ms": {"2500"}}, 2500 * time.Millisecond, poll.Hinted},
		"the longest":       {http.Header{"Retry-After": {"90"}, "Cache-Control": {"private, max-age=120"}}, 2 * time.Minute, poll.Hinted},
		"a cache's time":    {http.Header{"Cache-Control": {"max-age=300"}}, 5 * time.Minute, poll.Hinted},
		"what is left":      {http.Header{"Cache-Control": {"max-age=300"}, "Age": {"100"}}, 200 * time.Second, poll.Hinted},
		"no pace":           {http.Header{"Cache-Control": {"max-age=1"}}, time.Minute, poll.Changed},
		"never stored":      {http.Header{"Cache-Control": {"no-store, max-age=600"}}, time.Minute, poll.Changed},
		"faster than ours":  {http.Header{"X-Poll-Interval": {"10"}}, 10 * time.Second, poll.Hinted},
		"too fast":          {http.Header{"X-Poll-Interval": {"0"}, "Retry-After-Ms": {"5"}}, time.Second, poll.Floored},
		"too slow":          {http.Header{"Retry-After": {"2700"}}, 15 * time.Minute, poll.Capped},
		"out of all bounds": {http.Header{"X-Poll-Interval": {"99999999999999999999999999"}}, 15 * time.Minute, poll.Capped},
		"nonsense":          {http.Header{"X-Poll-Interval": {"-5"}, "Cache-Control": {"max-age=x, ,="}}, time.Minute, poll.Changed},
	} {
		bubble(t, name, func(t *testing.T) {
			h := newHub()
			h.header = tt.header
			h.add("1", 0)
			f := feed(client(t, h))
			var events []poll.PollEvent
			f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) { events = append(events, e) }
			_, _, err := read(t, f, 2, 20*time.Minute)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			within(t, gaps(h), []time.Duration{tt.want})
			assert.Equal(t, events[0].Delay, gaps(h)[0])
			assert.Equal(t, events[0].Why, tt.why)
		})
	}
	bubble(t, "begins at different times", func(t *testing.T) {
		at := map[time.Time]bool{}
		for range 20 {
			h := newHub()
			f := feed(client(t, h))
			start := time.Now()
			_, _, _ = read(t, f, 1, 6*time.Second)
			assert.True(t, len(h.requests()) == 1)
			at[h.requests()[0].at.Add(-start.Sub(time.Time{}))] = true
		}
		assert.True(t, len(at) > 15, len(at))
	})
}

func TestGap(t *testing.T) {
	t.Parallel()
	flood := func(h *hub) {
		sleep(90 * time.Second)
		h.addMany(11, 60)
	}
	bubble(t, "ends a feed", func(t *testing.T) {
		h := newHub()
		h.size, h.keep = 10, 40
		h.addMany(1, 10)
		f := feed(client(t, h))
		go flood(h)
		ids, _, err := read(t, f, 99, time.Hour)
		assert.Equal(t, ids, numbers(1, 10))
		var gap *poll.GapError
		assert.True(t, errors.As(err, &gap))
		assert.Equal(t, gap.Pages, 4)
		assert.Contains(t, err.Error(), "poll: /events: no item of the round before is among 4 pages")
	})
	bubble(t, "ends a feed whose pages are too few", func(t *testing.T) {
		h := newHub()
		h.size = 10
		h.addMany(1, 10)
		f := feed(client(t, h))
		f.MaxPages = 3
		go flood(h)
		_, _, err := read(t, f, 99, time.Hour)
		var gap *poll.GapError
		assert.True(t, errors.As(err, &gap) && gap.Pages == 3, err)
	})
	bubble(t, "is the caller's to decide", func(t *testing.T) {
		h := newHub()
		h.size, h.keep = 10, 40
		h.addMany(1, 10)
		f := feed(client(t, h))
		gaps := 0
		f.Gap = func(context.Context, *poll.GapError) error { gaps++; return nil }
		go flood(h)
		ids, _, err := read(t, f, 50, time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids, slices.Concat(numbers(1, 10), numbers(21, 60)))
		assert.Equal(t, gaps, 1)
	})
	bubble(t, "is none where a list was emptied", func(t *testing.T) {
		h := newHub()
		h.addMany(1, 2)
		f := feed(client(t, h))
		go func() {
			sleep(time.Minute)
			h.remove("1")
			h.remove("2")
		}()
		_, _, err := read(t, f, 3, time.Hour)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
	bubble(t, "is none while one known item is left", func(t *testing.T) {
		h := newHub()
		h.addMany(1, 30)
		f := feed(client(t, h))
		go func() {
			sleep(70 * time.Second)
			for i := 2; i <= 30; i++ {
				h.remove(strconv.Itoa(i))
			}
			h.add("31", 0)
		}()
		ids, _, err := read(t, f, 31, time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids[30], "31")
	})
}

func TestPoison(t *testing.T) {
	t.Parallel()
	type strict struct {
		ID   string `json:"id"`
		Word int    `json:"word"`
	}
	rig := func(t *testing.T) (*hub, *poll.Feed[strict]) {
		h := newHub()
		h.addMany(1, 3)
		h.events[1].Word = "sk_live_" + "51H8xNotAWord"
		return h, &poll.Feed[strict]{Client: client(t, h), Path: "/events", Key: func(s strict) string { return s.ID }}
	}
	bubble(t, "ends a feed before it", func(t *testing.T) {
		_, f := rig(t)
		for e, err := range f.Events(t.Context()) {
			assert.Equal(t, e.Key, "")
			var item *poll.ItemError
			assert.True(t, errors.As(err, &item))
			assert.Equal(t, [2]int{item.Page, item.Index}, [2]int{1, 2})
			assert.Contains(t, err.Error(), `poll: /events: item 2 of page 1 (id "2"): json: cannot unmarshal string into Go struct field strict.word of type int`)
			for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s"} {
				assert.NotContains(t, fmt.Sprintf(verb, err), "NotAWord")
			}
		}
	})
	bubble(t, "is left out if asked", func(t *testing.T) {
		h, f := rig(t)
		h.add("", 0) // no key
		var out []string
		f.Poisoned = func(_ context.Context, e *poll.ItemError) error { out = append(out, e.ID); return nil }
		var ids []string
		for e, err := range f.Events(t.Context()) {
			assert.NoError(t, err)
			if ids = append(ids, e.Key); len(ids) == 2 {
				break
			}
		}
		assert.Equal(t, ids, []string{"1", "3"})
		assert.Equal(t, out, []string{`""`, `"2"`})
	})
	bubble(t, "is told of once", func(t *testing.T) {
		h, f := rig(t)
		var out []string
		f.Poisoned = func(_ context.Context, e *poll.ItemError) error { out = append(out, e.ID); return nil }
		go trickle(h, 4, 6, time.Minute)
		ids := []string{}
		for e, err := range f.Events(t.Context()) {
			assert.NoError(t, err)
			if ids = append(ids, e.Key); len(ids) == 5 {
				break
			}
		}
		assert.Equal(t, ids, []string{"1", "3", "4", "5", "6"})
		assert.Equal(t, out, []string{`"2"`})
	})
}

func TestFailures(t *testing.T) {
	t.Parallel()
	answer := func(status int, headers ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i+1 < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			return true
		}
	}
	for name, tt := range map[string]struct {
		fail  func(http.ResponseWriter, *http.Request) bool
		stops bool
	}{
		"a credential":      {answer(401), true},
		"a right":           {answer(403), true},
		"an address":        {answer(404), true},
		"a request":         {answer(422), true},
		"what is not there": {answer(501), true},
		"a server":          {answer(500), false},
		"a quota":           {answer(429), false},
		"a quota by 403":    {answer(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Limit", "5000"), false},
		"a quota by its name": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`))
			return true
		}, false},
		"a second quota":       {answer(403, "Retry-After", "7"), false},
		"a page that is none":  {func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte("<html>")); return true }, false},
		"half a page":          {func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte(`[{"id":`)); return true }, false},
		"an answer that stops": {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, false},
		"a list that is none": {func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(`{"a":[],"b":[]}`))
			return true
		}, false},
	} {
		bubble(t, name, func(t *testing.T) {
			h := newHub()
			h.add("1", 0)
			f := feed(client(t, h))
			var events []poll.PollEvent
			f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) {
				events = append(events, e)
				h.mu.Lock()
				defer h.mu.Unlock()
				h.fail = nil
				if len(events) == 1 {
					h.fail = tt.fail
					h.events = append(h.events, change{ID: "2", At: time.Now()})
				}
			}
			ids, _, err := read(t, f, 2, time.Hour)
			if tt.stops {
				assert.Equal(t, ids, []string{"1"})
				assert.True(t, aplomb.StatusCode(err) >= 400, err)
				assert.Contains(t, err.Error(), "poll: /events: test: GET /events: ")
				assert.Equal(t, events[len(events)-1].Delay, 0)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, ids, []string{"1", "2"})
			assert.True(t, events[1].Err != nil && events[1].Why == poll.Failed && events[1].Delay >= time.Second, events[1])
		})
	}
	bubble(t, "back off, up to the slowest pace", func(t *testing.T) {
		h := newHub()
		h.fail = answer(500)
		f := feed(client(t, h, aplomb.NoBreaker()))
		var longest time.Duration
		rounds := 0
		f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) {
			rounds++
			limit := min(time.Minute<<min(rounds-1, 10), 15*time.Minute)
			assert.True(t, e.Delay >= time.Second && e.Delay <= limit, rounds, e.Delay)
			longest = max(longest, e.Delay)
		}
		_, _, err := read(t, f, 1, 24*time.Hour)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, longest > 10*time.Minute, longest)
		assert.True(t, rounds > 100, rounds)
	})
	bubble(t, "that name a time are waited for, nudged or not", func(t *testing.T) {
		h := newHub()
		h.fail = answer(503, "Retry-After", "500")
		f := feed(client(t, h))
		f.Hooks.Polled = func(context.Context, poll.PollEvent) { f.Nudge() }
		_, _, err := read(t, f, 1, time.Hour)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		seen := h.requests()
		assert.True(t, len(seen) > 2, len(seen))
		for i := 1; i < len(seen); i++ {
			gap := seen[i].at.Sub(seen[i-1].at)
			assert.True(t, gap >= 500*time.Second, gap)
		}
	})
	bubble(t, "of a host that is away pass", func(t *testing.T) {
		n := aplombtest.NewNetwork(t)
		h := newHub()
		h.addMany(1, 2)
		n.Serve("http://a.test", h)
		n.Break("a.test", aplombtest.DialRefused)
		time.AfterFunc(10*time.Minute, func() { n.Heal("a.test") })
		c, err := aplomb.New("http://a.test", aplomb.Transport(n.Transport()))
		assert.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		f := feed(c)
		requests := 0
		f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) { requests += e.Requests }
		ids, _, err := read(t, f, 2, 3*time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ids, numbers(1, 2))
		assert.True(t, requests > 4, "failures are counted with their retries", requests)
	})
	bubble(t, "of a quota that is used up are waited for as long as that is", func(t *testing.T) {
		h := newHub()
		h.interval = "1"
		h.add("1", 0)
		reset := time.Now().Add(20 * time.Minute)
		h.header = http.Header{"X-Ratelimit-Limit": {"60"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(reset.Unix(), 10)}}
		f := feed(client(t, h))
		_, _, err := read(t, f, 2, 30*time.Minute)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		for _, a := range h.requests()[1:] {
			assert.True(t, !a.at.Before(reset), a.at, reset)
		}
		assert.True(t, len(h.requests()) > 1)
	})
	bubble(t, "of a circuit are waited for", func(t *testing.T) {
		h := newHub()
		h.fail = answer(500)
		f := feed(client(t, h))
		f.Pace = poll.Pace{Every: time.Second, Max: 4 * time.Second}
		open := 0
		f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) {
			var call *aplomb.CallError
			if errors.Is(e.Err, aplomb.ErrCircuitOpen) && errors.As(e.Err, &call) {
				open++
				assert.True(t, e.Delay >= time.Until(call.ReadyAt), e.Delay)
			}
		}
		_, _, _ = read(t, f, 1, 10*time.Minute)
		assert.True(t, open > 0)
	})
}
