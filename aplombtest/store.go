package aplombtest

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
)

// TestStore reports each way in which s is not what [aplomb.Store] asks for. It
// is for the tests of a store of your own:
//
//	func TestConformance(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			aplombtest.TestStore(t, mystore.New(), time.Sleep, 0)
//		})
//	}
//
// It compares the waits that s names with the schedule they must follow and
// sleeps for none of them. Only what ends by itself, such as a closing, needs
// time to pass, two hours of it in all. That is what pass does: [time.Sleep] in
// a bubble, elsewhere what makes the records of s older; nil leaves those parts
// out. A wait may be longer than it should by tolerance, and shorter by
// tolerance and the time that the test itself took: zero is for a store in a
// bubble, 1 ms for one elsewhere.
//
// The keys are new ones each time, so s need not be empty.
func TestStore(tb testing.TB, s aplomb.Store, pass func(time.Duration), tolerance time.Duration) {
	tb.Helper()
	for _, part := range storeParts() {
		t := &storeTest{TB: tb, name: part.name, store: s, letPass: pass, tolerance: tolerance, run: rand.Text()}
		t.restart()
		part.test(t)
	}
}

type storePart struct {
	name string
	test func(*storeTest)
}

func storeParts() []storePart {
	return []storePart{
		{"schedule", (*storeTest).schedule},
		{"fast schedule", (*storeTest).fastSchedule},
		{"burst", (*storeTest).burst},
		{"MaxWait", (*storeTest).maxWait},
		{"no rate", (*storeTest).noRate},
		{"closing", (*storeTest).closing},
		{"later end holds", (*storeTest).laterEnd},
		{"paced after a closing", (*storeTest).pacedAfter},
		{"lowest learned rate", (*storeTest).lowestLearned},
		{"rate that changes", (*storeTest).changingRate},
		{"keys apart", (*storeTest).keysApart},
		{"odd keys", (*storeTest).oddKeys},
		{"odd claims", (*storeTest).oddClaims},
		{"odd durations", (*storeTest).oddDurations},
		{"concurrency", (*storeTest).concurrency},
		{"context", (*storeTest).context},
	}
}

// storeTest is one part of TestStore.
type storeTest struct {
	testing.TB
	name      string
	store     aplomb.Store
	letPass   func(time.Duration)
	tolerance time.Duration
	run       string

	mark  time.Time
	spent time.Duration // before mark, by the test itself
}

// Each place is a minute from the next, so that the test's own time is small
// beside it.
const (
	perMinute = 1.0 / 60
	anyWait   = 1000 * time.Hour
)

func (t *storeTest) key(name string) string { return t.run + " " + name }

// restart begins a schedule: its first answer is taken for the moment 0.
func (t *storeTest) restart() { t.mark, t.spent = time.Now(), 0 }

// pass lets time pass without counting it as the test's own; false says that
// it cannot.
func (t *storeTest) pass(d time.Duration) bool {
	if t.letPass == nil {
		return false
	}
	t.spent += time.Since(t.mark)
	before := time.Now()
	t.letPass(d)
	took := time.Since(before)
	if took >= d { // it slept; else it made the records older, which takes time of its own
		took -= d
	}
	t.spent += took
	t.mark = time.Now()
	return true
}

func (t *storeTest) failf(format string, args ...any) {
	t.Helper()
	t.Errorf("%s: "+format, append([]any{t.name}, args...)...)
}

// take is a Take that must succeed.
func (t *storeTest) take(key string, c aplomb.Claim) time.Duration {
	t.Helper()
	wait, err := t.store.Take(context.Background(), key, c)
	if err != nil {
		t.failf("Take(%.40q, %+v): %v", key, c, err)
	}
	if wait < 0 {
		t.failf("Take(%.40q, %+v) = %v, which is negative", key, c, wait)
	}
	return wait
}

// near says that got is want, which is counted from the last restart.
func (t *storeTest) near(got, want time.Duration, what string) {
	t.Helper()
	spent := t.spent + time.Since(t.mark)
	if got > want+t.tolerance || got < max(0, want-spent-t.tolerance) {
		t.failf("%s: got a wait of %v, want %v (the test itself took %v)", what, got, want, spent)
	}
}

func (t *storeTest) shut(key string, d time.Duration) {
	t.Helper()
	if err := t.store.Close(context.Background(), key, d); err != nil {
		t.failf("Close(%.40q, %v): %v", key, d, err)
	}
}

func (t *storeTest) closed(key string) time.Duration {
	t.Helper()
	d, err := t.store.Closed(context.Background(), key)
	if err != nil {
		t.failf("Closed(%.40q): %v", key, err)
	}
	return d
}

func (t *storeTest) schedule() {
	key, claim := t.key("a"), aplomb.Claim{PerSecond: perMinute, Burst: 1, MaxWait: anyWait}
	for i := range 5 {
		t.near(t.take(key, claim), time.Duration(i)*time.Minute, "one place after another")
	}
	if !t.pass(2 * time.Minute) {
		return
	}
	t.near(t.take(key, claim), 3*time.Minute, "two minutes later")
	if !t.pass(30 * time.Minute) {
		return
	}
	t.restart()
	t.near(t.take(key, claim), 0, "after a pause")
	t.near(t.take(key, claim), time.Minute, "after a pause there is no more than the burst")
}

// fastSchedule: a store that rounds to milliseconds, or counts in text with too
// few digits, is off by then.
func (t *storeTest) fastSchedule() {
	key, claim := t.key("a"), aplomb.Claim{PerSecond: 3000, Burst: 1, MaxWait: anyWait}
	last := time.Duration(0)
	for range 3000 {
		last = t.take(key, claim)
	}
	t.near(last, 2999*claim.Interval(), "the 3000th place at 3000 per second")
}

func (t *storeTest) burst() {
	key, claim := t.key("a"), aplomb.Claim{PerSecond: perMinute, Burst: 3, MaxWait: anyWait}
	for _, want := range []time.Duration{0, 0, 0, time.Minute, 2 * time.Minute} {
		t.near(t.take(key, claim), want, "a burst of 3")
	}
	if !t.pass(4 * time.Minute) { // 2 to catch up, 2 to save
		return
	}
	for _, want := range []time.Duration{0, 0, time.Minute} {
		t.near(t.take(key, claim), want, "two minutes save up two")
	}
}

func (t *storeTest) maxWait() {
	key, claim := t.key("a"), aplomb.Claim{PerSecond: perMinute, Burst: 1, MaxWait: anyWait}
	t.near(t.take(key, claim), 0, "the first")
	impatient := claim
	impatient.MaxWait = 50 * time.Second
	for range 3 {
		t.near(t.take(key, impatient), time.Minute, "a wait above MaxWait takes nothing")
	}
	impatient.MaxWait = 0
	t.near(t.take(key, impatient), time.Minute, "a MaxWait of 0 takes what is free now")
	impatient.MaxWait = -time.Hour
	t.near(t.take(key, impatient), time.Minute, "a negative MaxWait is 0")
	t.near(t.take(key, claim), time.Minute, "the place refused is still there")
	claim.MaxWait = 2*time.Minute + t.tolerance
	t.near(t.take(key, claim), 2*time.Minute, "a wait of MaxWait takes the place")
	t.near(t.take(key, claim), 3*time.Minute, "a wait of MaxWait has taken the place")
}

func (t *storeTest) noRate() {
	key, none := t.key("a"), aplomb.Claim{MaxWait: anyWait}
	for range 3 {
		t.near(t.take(key, none), 0, "without a rate")
	}
	t.shut(key, time.Minute)
	for range 3 {
		t.near(t.take(key, none), time.Minute, "without a rate only closings hold")
	}
	if !t.pass(time.Minute) {
		return
	}
	t.near(t.take(key, none), 0, "after the closing")
}

func (t *storeTest) closing() {
	key, claim := t.key("a"), aplomb.Claim{PerSecond: perMinute, Burst: 3, MaxWait: anyWait}
	t.near(t.closed(key), 0, "a key nobody has closed")
	t.near(t.take(key, claim), 0, "before the closing")
	t.shut(key, time.Hour)
	t.near(t.closed(key), time.Hour, "Closed after Close")
	impatient := claim
	impatient.MaxWait = 30 * time.Minute
	t.near(t.take(key, impatient), time.Hour, "a closing beyond MaxWait takes nothing")
	for i := range 3 {
		t.near(t.take(key, claim), time.Hour+time.Duration(i)*time.Minute, "from the end of a closing, one interval apart")
	}
}

func (t *storeTest) laterEnd() {
	key := t.key("a")
	t.shut(key, 10*time.Minute)
	t.shut(key, time.Minute)
	t.near(t.closed(key), 10*time.Minute, "an earlier end changes nothing")
	t.shut(key, 20*time.Minute)
	t.near(t.closed(key), 20*time.Minute, "a later end holds")
	t.shut(key, 0)
	t.shut(key, -time.Hour)
	t.near(t.closed(key), 20*time.Minute, "a closing that is not positive opens nothing")
	if !t.pass(5 * time.Minute) {
		return
	}
	t.near(t.closed(key), 15*time.Minute, "five minutes later")
	if !t.pass(15 * time.Minute) {
		return
	}
	t.near(t.closed(key), 0, "at the end")
}

// pacedAfter: nobody asks during the closing, and still nothing is saved up.
func (t *storeTest) pacedAfter() {
	key, claim := t.key("a"), aplomb.Claim{PerSecond: perMinute, Burst: 5, MaxWait: anyWait}
	t.shut(key, 10*time.Minute)
	if !t.pass(10 * time.Minute) {
		return
	}
	for i := range 3 {
		t.near(t.take(key, claim), time.Duration(i)*time.Minute, "after a closing, one interval apart")
	}
	if !t.pass(30 * time.Minute) {
		return
	}
	t.restart()
	for range 5 {
		t.near(t.take(key, claim), 0, "in time the burst is back")
	}
}

func (t *storeTest) lowestLearned() {
	key := t.key("a")
	slow := aplomb.Claim{PerSecond: perMinute, Burst: 1, Learned: true, MaxWait: anyWait}
	fast, none, told := slow, slow, slow
	fast.PerSecond, none.PerSecond, told.PerSecond, told.Learned = 2*perMinute, 0, 4*perMinute, false
	t.near(t.take(t.key("b"), none), 0, "nobody has learned a rate")
	t.near(t.take(t.key("b"), none), 0, "nobody has learned a rate")

	t.near(t.take(key, slow), 0, "the first")
	t.near(t.take(key, fast), time.Minute, "a higher learned rate is not followed")
	t.near(t.take(key, none), 2*time.Minute, "who has learned none obeys the others")
	t.near(t.take(key, told), 2*time.Minute+15*time.Second, "a told rate is kept whatever was learned")

	if !t.pass(aplomb.LearnedFor / 2) {
		return
	}
	impatient := fast
	impatient.MaxWait = 0
	t.take(key, impatient) // claims, and takes nothing
	if !t.pass(aplomb.LearnedFor/2 + t.tolerance + t.spent) {
		return
	}
	gone := aplomb.LearnedFor + t.tolerance + t.spent
	t.near(t.take(key, none), 2*time.Minute+45*time.Second-gone, "the lowest ends, the next lowest holds, also claimed in vain")
	if !t.pass(2 * aplomb.LearnedFor) {
		return
	}
	t.restart()
	for range 2 {
		t.near(t.take(key, none), 0, "all learned rates have ended")
	}
}

// changingRate: credit is counted in places. What was spent at one rate does
// not come back because another holds.
func (t *storeTest) changingRate() {
	key, slow := t.key("a"), aplomb.Claim{PerSecond: perMinute, Burst: 10, MaxWait: anyWait}
	fast := slow
	fast.PerSecond = 60 * perMinute
	for _, c := range []aplomb.Claim{fast, fast, fast, fast, slow, slow, fast, fast, fast, fast} {
		t.near(t.take(key, c), 0, "a burst of 10 at two rates")
	}
	t.near(t.take(key, fast), time.Second, "after the burst")
	t.near(t.take(key, slow), time.Minute+time.Second, "at a lower rate")
	t.near(t.take(key, fast), time.Minute+2*time.Second, "at a higher rate again")
}

func (t *storeTest) keysApart() {
	claim := aplomb.Claim{PerSecond: perMinute, Burst: 1, MaxWait: anyWait}
	t.near(t.take(t.key("a"), claim), 0, "key a")
	t.shut(t.key("b"), time.Hour)
	t.near(t.take(t.key("a"), claim), time.Minute, "key a, b being closed")
	t.near(t.take(t.key("c"), claim), 0, "key c")
	t.near(t.take(t.key("b"), claim), time.Hour, "key b")
}

func (t *storeTest) oddKeys() {
	keys := []string{
		"", " ", "a", "A", "a b", "a\nb", "a\r\nDEL a", "a\x00b", "\xff\xfe", "é", "e\u0301", "鍵", "{", "}", "{}", "{a}", "{a}b", "a{", "*", "a:b", "%s", `"`, `\`,
		"https://api.acme.example", strings.Repeat("k", 1<<10), strings.Repeat("k", 1<<10) + "l",
	}
	claim := aplomb.Claim{PerSecond: perMinute, Burst: 1, MaxWait: anyWait}
	for _, round := range []time.Duration{0, time.Minute} {
		for _, k := range keys {
			t.near(t.take(t.run+k, claim), round, "key "+shorten(k))
			t.near(t.take(k+" "+t.run, claim), round, "key "+shorten(k)+" in front")
		}
	}
	for i, k := range keys {
		d := time.Duration(i+2) * 10 * time.Minute
		t.shut(t.run+k, d)
		t.near(t.closed(t.run+k), d, "closing of key "+shorten(k))
	}
}

func shorten(k string) string {
	if len(k) > 40 {
		k = k[:40] + "..."
	}
	return strconv.Quote(k)
}

func (t *storeTest) oddClaims() {
	for i, c := range []aplomb.Claim{
		{PerSecond: perMinute}, {PerSecond: perMinute, Burst: -5}, {PerSecond: 1e-12, Burst: 1}, {PerSecond: 1e-300, Burst: 1 << 40},
		{PerSecond: 1e300, Burst: 1}, {PerSecond: 1e6, Burst: 1 << 50}, {PerSecond: -1}, {Burst: 7},
	} {
		key := t.key(string(rune('a' + i)))
		c.MaxWait = 1<<63 - 1
		t.near(t.take(key, c), 0, "an odd claim's first place")
		want := c.Interval()
		if c.Burst > 1 {
			want = 0
		}
		t.near(t.take(key, c), want, "an odd claim's second place")
	}
}

func (t *storeTest) oddDurations() {
	for _, d := range []time.Duration{0, -1, -time.Hour, -1 << 63} {
		t.shut(t.key("a"), d)
		t.near(t.closed(t.key("a")), 0, "a closing that is not positive")
	}
	t.shut(t.key("a"), 100*time.Hour)
	t.near(t.closed(t.key("a")), aplomb.MaxClosing, "a closing above MaxClosing")
	t.shut(t.key("b"), 1<<63-1)
	t.near(t.closed(t.key("b")), aplomb.MaxClosing, "the longest closing")
	t.shut(t.key("c"), 1500*time.Microsecond)
	t.near(t.closed(t.key("c")), 1500*time.Microsecond, "a short closing")
}

func (t *storeTest) concurrency() {
	const each, goroutines = 8, 16
	key, claim := t.key("a"), aplomb.Claim{PerSecond: perMinute, Burst: 4, MaxWait: anyWait}
	waits := make([]time.Duration, each*goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				waits[g*each+i] = t.take(key, claim)
			}
		})
	}
	wg.Wait()
	slices.Sort(waits)
	for i, w := range waits {
		t.near(w, time.Duration(max(0, i-3))*time.Minute, "many at once, every place taken once")
	}
}

func (t *storeTest) context() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	claim := aplomb.Claim{PerSecond: perMinute, Burst: 1, MaxWait: anyWait}
	if _, err := t.store.Take(ctx, t.key("a"), claim); err == nil {
		t.failf("Take with a context that is done: want an error")
	}
	if err := t.store.Close(ctx, t.key("a"), time.Hour); err == nil {
		t.failf("Close with a context that is done: want an error")
	}
	if _, err := t.store.Closed(ctx, t.key("a")); err == nil {
		t.failf("Closed with a context that is done: want an error")
	}
	t.near(t.take(t.key("a"), claim), 0, "what was cancelled before it began has changed nothing")
}
