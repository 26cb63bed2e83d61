package poll

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestScheduleExactly: what is waited, to the nanosecond, where chance adds
// nothing, half and nearly all it may.
func TestScheduleExactly(t *testing.T) {
	t.Parallel()
	pace := Pace{Every: 10 * time.Second, Max: 60 * time.Second, Floor: 2 * time.Second, MaxHint: 100 * time.Second}
	for name, tt := range map[string]struct {
		h              hint
		idle           int
		relaxed        bool
		wait, earliest int // seconds
		why            Why
	}{
		"fresh":             {hint{}, 0, false, 10, 2, Changed},
		"idle":              {hint{}, 4, false, 20, 2, Idle},
		"idle for long":     {hint{}, 99, false, 60, 2, Idle},
		"hinted":            {hint{pace: 30 * time.Second}, 0, false, 30, 30, Hinted},
		"hinted, idle":      {hint{pace: 30 * time.Second}, 99, false, 30, 30, Hinted},
		"hinted, relaxed":   {hint{pace: 30 * time.Second}, 99, true, 60, 30, Webhooks},
		"relaxed":           {hint{}, 99, true, 60, 2, Idle},
		"hinted below":      {hint{pace: time.Second}, 0, false, 2, 2, Floored},
		"hinted above":      {hint{pace: time.Hour}, 0, false, 100, 100, Capped},
		"cached":            {hint{fresh: 30 * time.Second}, 0, false, 30, 30, Hinted},
		"cached, ours":      {hint{fresh: 5 * time.Second}, 0, false, 10, 5, Changed},
		"cached and hinted": {hint{pace: 4 * time.Second, fresh: 5 * time.Second}, 0, false, 5, 5, Hinted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, random := range []float64{0, 0.5, 0.999999} {
				s := newSchedule(pace.or(0, 0))
				s.random = func() float64 { return random }
				for range tt.idle {
					s.unchanged()
				}
				wait, earliest, why := s.next(tt.h, tt.relaxed)
				exact := seconds(strconv.Itoa(tt.wait))
				assert.Equal(t, wait, exact+time.Duration(random*float64(exact)/10))
				assert.Equal(t, earliest, seconds(strconv.Itoa(tt.earliest)))
				assert.Equal(t, why, tt.why)
			}
		})
	}
}

func TestScheduleOfFailures(t *testing.T) {
	t.Parallel()
	s := newSchedule(Pace{Every: 10 * time.Second, Max: time.Minute, Floor: 2 * time.Second}.or(0, 0))
	s.random = func() float64 { return 0.5 }
	for i, want := range []string{"5", "10", "20", "30", "30"} { // half of 10, 20, 40, 60, 60
		assert.Equal(t, s.failed(0), seconds(want), i)
	}
	assert.Equal(t, s.failed(200*time.Second), 210*time.Second)
	assert.Equal(t, s.failed(24*time.Hour), 15*time.Minute+45*time.Second, "no longer than MaxHint")
	s.unchanged()
	assert.Equal(t, s.failed(0), 5*time.Second, "an answer begins the backoff anew")
	s.random = func() float64 { return 0 }
	assert.Equal(t, s.failed(0), 2*time.Second, "the floor")
}

func FuzzHint(f *testing.F) {
	for _, seed := range [][4]string{
		{"", "", "", ""}, {"60", "5", "max-age=60", "10"}, {"-1", "x", "no-cache", "1"}, {"99999999999999999999", "1e9", `private, max-age="60"`, "99"},
		{"+5", "0x10", "max-age=,max-age=3,=", "-1"}, {"٣", "1.5", "MAX-AGE=7 , no-STORE", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, interval, after, cache, age string) {
		h := http.Header{"X-Poll-Interval": {interval}, "Retry-After": {after}, "Cache-Control": {cache}, "Age": {age}}
		got := hintOf(aplomb.Response{Header: h})
		if got.pace < 0 || got.fresh < 0 || got.fresh > longest {
			t.Errorf("%v of %v", got, h)
		}
		if strings.Contains(strings.ToLower(cache), "no-store") && got.fresh > 0 && !strings.Contains(cache, "no-store=") {
			for directive := range strings.SplitSeq(cache, ",") {
				if strings.EqualFold(strings.TrimSpace(directive), "no-store") {
					t.Errorf("%v of what is not to be stored: %q", got.fresh, cache)
				}
			}
		}
		wait, earliest, _ := newSchedule(Pace{}.or(time.Minute, time.Hour)).next(got, false)
		if wait < earliest || earliest < time.Second || wait > time.Hour+6*time.Minute {
			t.Errorf("%v, %v after %v", wait, earliest, h)
		}
	})
}

func FuzzState(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"v":1}`, `{"v":1,"seen":"abcdefghijkl","newest":5,"page":"x","etag":"W/\"1\"","for":"y"}`, `{"v":1,"seen":"abc"}`, `[]`, `{"v":2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		s, started, err := parseState(value)
		if err != nil || !started {
			return
		}
		again, _, err := parseState(s.String())
		if err != nil || again.String() != s.String() || len(again.seen()) > len(again.Seen)/markLength {
			t.Errorf("%q: %v, %v", value, again, err)
		}
	})
}
