package aplombtest_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// brokenStore is a store in memory between whose methods and their caller a defect
// stands. Fields that are nil change nothing.
type brokenStore struct {
	aplomb.Store
	take   func(context.Context, string, aplomb.Claim) (time.Duration, error)
	shut   func(context.Context, string, time.Duration) error
	closed func(context.Context, string) (time.Duration, error)
}

func (b *brokenStore) Take(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
	if b.take != nil {
		return b.take(ctx, key, c)
	}
	return b.Store.Take(ctx, key, c)
}

func (b *brokenStore) Close(ctx context.Context, key string, d time.Duration) error {
	if b.shut != nil {
		return b.shut(ctx, key, d)
	}
	return b.Store.Close(ctx, key, d)
}

func (b *brokenStore) Closed(ctx context.Context, key string) (time.Duration, error) {
	if b.closed != nil {
		return b.closed(ctx, key)
	}
	return b.Store.Closed(ctx, key)
}

// claims has each Take be of another claim.
func (b *brokenStore) claims(change func(key string, c *aplomb.Claim)) {
	b.take = func(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
		change(key, &c)
		return b.Store.Take(ctx, key, c)
	}
}

// waits has each wait be told otherwise.
func (b *brokenStore) waits(change func(time.Duration, aplomb.Claim) time.Duration) {
	b.take = func(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
		wait, err := b.Store.Take(ctx, key, c)
		return change(wait, c), err
	}
}

// keys has each key be another.
func (b *brokenStore) keys(change func(string) string) {
	b.take = func(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
		return b.Store.Take(ctx, change(key), c)
	}
	b.shut = func(ctx context.Context, key string, d time.Duration) error {
		return b.Store.Close(ctx, change(key), d)
	}
	b.closed = func(ctx context.Context, key string) (time.Duration, error) {
		return b.Store.Closed(ctx, change(key))
	}
}

// closings are kept beside the schedules: none of the places knows of them. until
// says which end holds.
func (b *brokenStore) closings(until func(was, end time.Time) time.Time) {
	var ends notes[string, time.Time]
	b.shut = func(ctx context.Context, key string, d time.Duration) error {
		if ctx.Err() == nil && d > 0 {
			was, _ := ends.get(key)
			ends.set(key, until(was, time.Now().Add(min(d, aplomb.MaxClosing))))
		}
		return ctx.Err()
	}
	b.closed = func(ctx context.Context, key string) (time.Duration, error) {
		end, _ := ends.get(key)
		return max(0, time.Until(end)), ctx.Err()
	}
	b.take = func(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
		end, _ := ends.get(key)
		if time.Until(end) > c.MaxWait {
			return time.Until(end), ctx.Err()
		}
		wait, err := b.Store.Take(ctx, key, c)
		return max(wait, time.Until(end)), err
	}
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// together has all who ask at one moment be given the same place.
func (b *brokenStore) together() {
	type moment struct {
		key string
		at  time.Time
	}
	var mu sync.Mutex
	given := map[moment]time.Duration{}
	b.take = func(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
		pause(time.Nanosecond)
		mu.Lock()
		defer mu.Unlock()
		now := moment{key, time.Now()}
		if wait, there := given[now]; there {
			return wait, ctx.Err()
		}
		wait, err := b.Store.Take(ctx, key, c)
		given[now] = wait
		return wait, err
	}
}

// arrivals counts credit in time, by a theoretical arrival time, and not in places.
func (b *brokenStore) arrivals() {
	var mu sync.Mutex
	due := map[string]time.Time{}
	inner := b.Store
	b.take = func(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
		shut, err := inner.Closed(ctx, key)
		if err != nil || shut > 0 || c.Learned || c.Interval() == 0 || c.Burst > 1<<30 {
			return inner.Take(ctx, key, c)
		}
		mu.Lock()
		defer mu.Unlock()
		now, saved := time.Now(), c.Interval()*time.Duration(max(1, c.Burst)-1)
		at := laterOf(due[key], now)
		wait := max(0, at.Add(-saved).Sub(now))
		if wait <= max(0, c.MaxWait) {
			due[key] = at.Add(c.Interval())
		}
		return wait, nil
	}
}

// brokenStores break one rule each, and come with the parts of TestStore that must
// say so, these and no others.
var brokenStores = map[string]struct {
	parts  string
	defect func(*brokenStore)
}{
	"nothing": {"", func(*brokenStore) {}},

	// Waits.

	"rounds to milliseconds": {"fast schedule, odd claims", func(b *brokenStore) {
		b.waits(func(d time.Duration, _ aplomb.Claim) time.Duration { return d.Round(time.Millisecond) })
	}},
	"cuts to milliseconds": {"fast schedule, odd claims", func(b *brokenStore) {
		b.waits(func(d time.Duration, _ aplomb.Claim) time.Duration { return d.Truncate(time.Millisecond) })
	}},
	"intervals in milliseconds": {"fast schedule", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) {
			if c.Interval() > time.Microsecond { // else the odd ones are other claims
				c.PerSecond = 1000 / float64(1+(c.Interval()-1)/time.Millisecond)
			}
		})
	}},
	"waits a second too long": {"closing, concurrency, keys apart, odd claims", func(b *brokenStore) {
		b.waits(func(d time.Duration, _ aplomb.Claim) time.Duration {
			if d > 10*time.Minute {
				return d + time.Second
			}
			return d
		})
	}},
	"waits a second too little": {"closing, concurrency, keys apart, odd claims", func(b *brokenStore) {
		b.waits(func(d time.Duration, _ aplomb.Claim) time.Duration {
			if d > 10*time.Minute {
				return d - time.Second
			}
			return d
		})
	}},
	"MaxWait ignored": {"MaxWait, closing, lowest learned rate", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) { c.MaxWait = 1e6 * time.Hour })
	}},
	"a negative MaxWait is none": {"MaxWait", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) {
			if c.MaxWait < 0 {
				c.MaxWait = 1e6 * time.Hour
			}
		})
	}},
	"a wait of MaxWait is too long": {"MaxWait", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) {
			if c.MaxWait > 0 {
				c.MaxWait--
			}
		})
	}},
	"a refusal tells of MaxWait": {"MaxWait, closing", func(b *brokenStore) {
		b.waits(func(d time.Duration, c aplomb.Claim) time.Duration { return min(d, max(0, c.MaxWait)) })
	}},
	"Burst ignored": {"burst, concurrency, odd claims, paced after a closing, rate that changes", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) { c.Burst = 1 })
	}},
	"one more than Burst": {"MaxWait, burst, concurrency, fast schedule, keys apart, lowest learned rate, odd claims, odd keys, rate that changes, schedule", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) { c.Burst++ })
	}},
	"tokens above capacity": {"schedule", func(b *brokenStore) {
		var seen notes[string, bool]
		b.claims(func(key string, c *aplomb.Claim) {
			if was, _ := seen.get(key); was { // so that only what is saved up later is more
				c.Burst *= 2
			}
			seen.set(key, true)
		})
	}},
	"no rate is a slow one": {"no rate, odd claims", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) {
			if c.PerSecond == 0 && !c.Learned {
				c.PerSecond, c.Burst = 1, 1
			}
		})
	}},
	"a burst in 32 bits": {"odd claims", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) { c.Burst = int(int32(c.Burst)) })
	}},
	"many are given one place": {"concurrency", (*brokenStore).together},
	"credit counted in time":   {"lowest learned rate, paced after a closing, rate that changes", (*brokenStore).arrivals},

	// Learned rates.

	"learned rates are one's own": {"lowest learned rate", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) { c.Learned = false })
	}},
	"told rates are everybody's": {"lowest learned rate, rate that changes", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) { c.Learned = true })
	}},
	"a learned rate never ends": {"lowest learned rate", func(b *brokenStore) {
		var lowest notes[string, float64]
		b.claims(func(key string, c *aplomb.Claim) {
			was, there := lowest.get(key)
			if !c.Learned || c.PerSecond == 0 && !there {
				return
			}
			if there && (c.PerSecond == 0 || c.PerSecond > was) {
				c.PerSecond = was
			}
			lowest.set(key, c.PerSecond)
		})
	}},
	"claims in vain teach nothing": {"lowest learned rate", func(b *brokenStore) {
		b.claims(func(_ string, c *aplomb.Claim) {
			if c.Learned && c.MaxWait == 0 {
				c.PerSecond = 0
			}
		})
	}},

	// Closings.

	"a closing's end lets a burst go": {"closing, paced after a closing", func(b *brokenStore) { b.closings(laterOf) }},
	"a closing shortens another": {"closing, later end holds, paced after a closing", func(b *brokenStore) {
		b.closings(func(_, end time.Time) time.Time { return end })
	}},
	"closings add up": {"closing, later end holds, paced after a closing", func(b *brokenStore) {
		b.closings(func(was, end time.Time) time.Time { return end.Add(max(0, time.Until(was))) })
	}},
	"the first closing holds": {"closing, later end holds, paced after a closing", func(b *brokenStore) {
		b.closings(func(was, end time.Time) time.Time {
			if was.After(time.Now()) {
				return was
			}
			return end
		})
	}},
	"a closing of no time opens": {"later end holds", func(b *brokenStore) {
		var opened notes[string, bool]
		b.shut = func(ctx context.Context, key string, d time.Duration) error {
			opened.set(key, d <= 0)
			return b.Store.Close(ctx, key, d)
		}
		b.closed = func(ctx context.Context, key string) (time.Duration, error) {
			d, err := b.Store.Closed(ctx, key)
			if is, _ := opened.get(key); is {
				d = 0
			}
			return d, err
		}
	}},
	"closes a second too long": {"closing, keys apart, later end holds, no rate, odd durations, odd keys, paced after a closing", func(b *brokenStore) {
		b.shut = func(ctx context.Context, key string, d time.Duration) error {
			return b.Store.Close(ctx, key, d+time.Second)
		}
	}},
	"closes for an hour at most": {"odd durations, odd keys", func(b *brokenStore) {
		b.shut = func(ctx context.Context, key string, d time.Duration) error {
			return b.Store.Close(ctx, key, min(d, time.Hour))
		}
	}},
	"closes beyond MaxClosing": {"odd durations", func(b *brokenStore) {
		var beyond notes[string, time.Duration]
		b.shut = func(ctx context.Context, key string, d time.Duration) error {
			beyond.set(key, max(0, d-aplomb.MaxClosing))
			return b.Store.Close(ctx, key, d)
		}
		b.closed = func(ctx context.Context, key string) (time.Duration, error) {
			d, err := b.Store.Closed(ctx, key)
			more, _ := beyond.get(key)
			return d + more, err
		}
	}},
	"closed for less than nothing": {"later end holds, odd durations", func(b *brokenStore) {
		var ends notes[string, time.Time]
		b.shut = func(ctx context.Context, key string, d time.Duration) error {
			ends.set(key, time.Now().Add(d))
			return b.Store.Close(ctx, key, d)
		}
		b.closed = func(ctx context.Context, key string) (time.Duration, error) {
			d, err := b.Store.Closed(ctx, key)
			if end, there := ends.get(key); there && d == 0 {
				d = time.Until(end) - 1
			}
			return d, err
		}
	}},

	// Keys.

	"one key for all": {"keys apart, odd claims, odd durations, odd keys", func(b *brokenStore) { b.keys(func(key string) string { return key[:min(10, len(key))] }) }},
	"keys cut short":  {"odd keys", func(b *brokenStore) { b.keys(func(key string) string { return key[:min(1<<10, len(key))] }) }},
	"keys trimmed":    {"odd keys", func(b *brokenStore) { b.keys(strings.TrimSpace) }},
	"keys of UTF-8":   {"odd keys", func(b *brokenStore) { b.keys(func(key string) string { return strings.ToValidUTF8(key, "") }) }},
	"keys to the NUL": {"odd keys", func(b *brokenStore) {
		b.keys(func(key string) string { before, _, _ := strings.Cut(key, "\x00"); return before })
	}},
	"keys without case": {"odd keys", func(b *brokenStore) { b.keys(strings.ToLower) }},

	// Contexts.

	"Take without a context": {"context", func(b *brokenStore) {
		b.take = func(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
			return b.Store.Take(context.WithoutCancel(ctx), key, c)
		}
	}},
	"Close without a context": {"context", func(b *brokenStore) {
		b.shut = func(ctx context.Context, key string, d time.Duration) error {
			return b.Store.Close(context.WithoutCancel(ctx), key, d)
		}
	}},
	"Closed without a context": {"context", func(b *brokenStore) {
		b.closed = func(ctx context.Context, key string) (time.Duration, error) {
			return b.Store.Closed(context.WithoutCancel(ctx), key)
		}
	}},
}

// TestStoreFindsEach: what breaks a rule is reported by the parts that are about it,
// and what breaks none by none.
func TestStoreFindsEach(t *testing.T) {
	t.Parallel()
	for name, broken := range brokenStores {
		bubbled(t, name, func(t *testing.T) {
			s := &brokenStore{Store: aplomb.NewMemoryStore()}
			broken.defect(s)
			r := reported(t, func(tb testing.TB) { aplombtest.TestStore(tb, s, time.Sleep, 0) })
			assert.Equal(t, strings.Join(r.parts(), ", "), broken.parts, strings.Join(r.lines, "\n"))
		})
	}
}

// TestStoreFindsWithEach: each part finds something, or it need not be there.
func TestStoreFindsWithEach(t *testing.T) {
	t.Parallel()
	finds := map[string]bool{}
	for _, broken := range brokenStores {
		for part := range strings.SplitSeq(broken.parts, ", ") {
			finds[part] = true
		}
	}
	for _, part := range aplombtest.StoreParts() {
		assert.True(t, finds[part], "nothing broken is found by the part: "+part)
	}
}

// Without a way to let time pass, and on a store that is in use.
func TestStoreWithoutTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := aplomb.NewMemoryStore()
		for range 2 {
			aplombtest.TestStore(t, s, nil, 0)
		}
	})
}
