package poll_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// spending is what reading a list for some time came to.
type spending struct {
	quota  int           // requests that counted: a 304 does not
	lag    time.Duration // the median, from when an event occurred until it was read
	events int
}

func (s spending) String() string {
	return fmt.Sprintf("%4d requests of the quota, median lag %v, %d events", s.quota, s.lag.Round(time.Millisecond), s.events)
}

// lags collects how late each event was.
type lags struct {
	known map[string]bool
	all   []time.Duration
}

func (l *lags) saw(c change) (fresh bool) {
	if l.known[c.ID] {
		return false
	}
	if l.known == nil {
		l.known = map[string]bool{}
	}
	l.known[c.ID] = true
	l.all = append(l.all, time.Since(c.At))
	return true
}

func (l *lags) spent(h *hub) spending {
	slices.Sort(l.all)
	return spending{quota: h.counted, lag: l.all[len(l.all)/2], events: len(l.all)}
}

// fixed is a poller as it is commonly written: every so often it reads the list
// until it meets an event that it has, without conditions. It does not look back.
func fixed(t *testing.T, long, every time.Duration, set func(*hub), occur func(*hub)) spending {
	h := newHub()
	set(h)
	c := client(t, h, aplomb.NoRateLimit())
	go occur(h)
	var l lags
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	sleep(every / 2) // the mean of all phases that it may have
	for ticker := time.NewTicker(every); ctx.Err() == nil; {
		for item, err := range aplomb.Items[change](ctx, c, "/events", aplomb.ByLink{}) {
			if err != nil || !l.saw(item) {
				break
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	return l.spent(h)
}

// polled is a Feed; since chance adds to its waits, three of them taken together.
func polled(t *testing.T, long time.Duration, set func(*hub), occur func(*hub)) spending {
	var quota int
	var late []time.Duration
	const feeds = 3
	for seed := range uint64(feeds) {
		h := newHub()
		set(h)
		f := feed(client(t, h))
		f.SetRandom(rand.New(rand.NewPCG(seed, 2)).Float64) // the same each time
		go occur(h)
		var l lags
		ctx, cancel := context.WithTimeout(t.Context(), long)
		for e, err := range f.Events(ctx) {
			if err != nil {
				break
			}
			assert.True(t, l.saw(e.Item), "twice:", e.Key)
		}
		cancel()
		late, quota = append(late, l.all...), quota+h.counted
	}
	slices.Sort(late)
	return spending{quota: quota / feeds, lag: late[len(late)/2], events: len(late) / feeds}
}

// occurEvery has an event occur in each d, at a moment of chance that is the same
// each time.
func occurEvery(d, long time.Duration) func(*hub) {
	return func(h *hub) {
		random := rand.New(rand.NewPCG(3, 4))
		for i := range int(long / d) {
			moment := time.Duration(random.Int64N(int64(d)))
			sleep(moment)
			h.add(strconv.Itoa(i), 0)
			sleep(d - moment)
		}
	}
}

// TestQuota compares a Feed with a poller of a fixed interval at an API like
// GitHub's: entity tags, 304 for free, X-Poll-Interval, pages of a hundred. Each
// must see every event; a tenth of the quota at the same median lag or better is
// the promise. The fixed poller is given the longest interval that the Feed may
// come to, a tenth more than the server's: it spends less so than at the server's.
func TestQuota(t *testing.T) {
	t.Parallel()
	const longest = 1100 * time.Millisecond
	for name, tt := range map[string]struct {
		set         func(*hub)
		every, long time.Duration
		events      int
	}{
		// GitHub's events are not shown as they occur: the list is made anew once a
		// minute, and in between each request has the same answer.
		"an event a second, in a list made anew each minute": {
			set:   func(h *hub) { h.size, h.interval, h.refresh = 100, "1", time.Minute },
			every: time.Second, long: 30 * time.Minute, events: 1740,
		},
		// The list shows what occurs at once, so that an event is worth a request.
		"four events a minute, in a list that shows them at once": {
			set:   func(h *hub) { h.size, h.interval = 10, "1" },
			every: 15 * time.Second, long: 2 * time.Hour, events: 479,
		},
	} {
		bubble(t, name, func(t *testing.T) {
			occur := occurEvery(tt.every, tt.long)
			ours, theirs := polled(t, tt.long, tt.set, occur), fixed(t, tt.long, longest, tt.set, occur)
			t.Logf("Feed:             %v", ours)
			t.Logf("fixed, 1.1 s:     %v", theirs)
			if testing.Verbose() {
				t.Logf("fixed, every 1 s: %v", fixed(t, tt.long, time.Second, tt.set, occur))
			}
			assert.True(t, ours.quota*10 <= theirs.quota, ours, theirs)
			assert.True(t, ours.lag <= theirs.lag, ours, theirs)
			assert.True(t, ours.events >= tt.events && theirs.events >= tt.events, ours, theirs)
		})
	}
	// What cannot be had: an event a second, shown at once. Each request then has
	// news, and nobody can read them sooner with fewer requests. The server's hint
	// of a minute decides, and the quota it spares is paid with lag.
	bubble(t, "an event a second, shown at once, by the server's minute", func(t *testing.T) {
		set := func(h *hub) { h.size, h.interval = 100, "60" }
		const long = 20 * time.Minute
		occur := occurEvery(time.Second, long)
		ours, same, fast := polled(t, long, set, occur), fixed(t, long, 66*time.Second, set, occur), fixed(t, long, time.Second, set, occur)
		t.Logf("Feed:             %v", ours)
		t.Logf("fixed, 66 s:      %v", same)
		t.Logf("fixed, every 1 s: %v", fast)
		assert.True(t, ours.lag <= same.lag, ours, same)
		assert.True(t, ours.quota*10 <= fast.quota, ours, fast)
		assert.True(t, ours.quota <= 2*same.quota+2, "the look-back is a page more", ours, same)
	})
}

// TestNoRequestWithoutNeed: a quiet day at a server without a hint costs 304s
// alone, and few.
func TestNoRequestWithoutNeed(t *testing.T) {
	t.Parallel()
	bubble(t, "a quiet day", func(t *testing.T) {
		h := newHub()
		h.add("1", 0)
		ids, _, _ := read(t, feed(client(t, h)), 2, 24*time.Hour)
		assert.Equal(t, ids, []string{"1"})
		assert.Equal(t, h.counted, 1)
		n := len(h.requests())
		assert.True(t, n > 90 && n < 110, n)
		for _, a := range h.requests()[1:] {
			assert.Equal(t, a.status, http.StatusNotModified)
		}
	})
	t.Run("a cursor is small", func(t *testing.T) {
		t.Parallel()
		var list []change
		for i := range 1000 {
			list = append(list, change{ID: fmt.Sprintf("%0100d", i)})
		}
		api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list)
		})
		synctestRun(t, func(t *testing.T) {
			ids, resume, err := read(t, feed(client(t, api)), 1000, time.Hour)
			assert.NoError(t, err)
			assert.Equal(t, len(ids), 1000)
			assert.True(t, len(resume) < 13_000, len(resume))
		})
	})
}
