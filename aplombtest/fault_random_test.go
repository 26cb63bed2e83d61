package aplombtest_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// ExampleRandom has a fifth of all requests fail, the same ones in each run.
func ExampleRandom() {
	script := aplombtest.NewScript(hello).Always(aplombtest.Random(42,
		aplombtest.Odds{P: 0.15, Fault: aplombtest.Status(503)},
		aplombtest.Odds{P: 0.05, Fault: aplombtest.Status(429)}))

	for range 20 {
		fmt.Print(code(script), " ")
	}
	// Output: 200 200 503 200 200 429 503 200 503 200 200 200 200 503 200 200 200 200 200 200
}

// codes asks n times.
func codes(n int, f aplombtest.Fault) []int {
	script, all := aplombtest.NewScript(hello).Always(f), make([]int, n)
	for i := range all {
		all[i] = code(script)
	}
	return all
}

func TestRandomIsTheSameForASeed(t *testing.T) {
	t.Parallel()
	mix := []aplombtest.Odds{{0.3, aplombtest.Status(503)}, {0.3, aplombtest.Status(429)}}
	first := codes(200, aplombtest.Random(7, mix...))
	assert.Equal(t, codes(200, aplombtest.Random(7, mix...)), first)
	assert.True(t, fmt.Sprint(codes(200, aplombtest.Random(8, mix...))) != fmt.Sprint(first), "another seed is another sequence")
}

// TestRandomShares: of 20000 requests, five standard deviations of a share of 0.2
// are 283.
func TestRandomShares(t *testing.T) {
	t.Parallel()
	got := map[int]int{}
	for _, code := range codes(20_000, aplombtest.Random(1,
		aplombtest.Odds{0.2, aplombtest.Status(503)}, aplombtest.Odds{0.3, aplombtest.Status(429)}, aplombtest.Odds{0, aplombtest.Status(500)})) {
		got[code]++
	}
	for code, want := range map[int]int{503: 4000, 429: 6000, 200: 10_000, 500: 0} {
		assert.True(t, got[code] >= want-350 && got[code] <= want+350, code, got[code])
	}
	assert.Equal(t, got[500], 0)

	got = map[int]int{}
	for _, code := range codes(1000, aplombtest.Random(1, aplombtest.Odds{0.7, aplombtest.Status(503)}, aplombtest.Odds{0.7, aplombtest.Status(429)})) {
		got[code]++
	}
	assert.Equal(t, got[200], 0, "cut off at 1")
	assert.True(t, got[503] > 600 && got[429] > 200, got)
}

func TestRandomName(t *testing.T) {
	t.Parallel()
	f := aplombtest.Random(7, aplombtest.Odds{0.2, aplombtest.Status(503)}, aplombtest.Odds{0.055, aplombtest.Reset()})
	assert.Equal(t, f.String(), "Random(7, 20% Status(503), 5.5% Reset)")
}

// TestSeed cannot be parallel: it sets the environment.
func TestSeed(t *testing.T) {
	spy := &seedSpy{TB: t}
	a, b := aplombtest.Seed(spy), aplombtest.Seed(spy)
	assert.True(t, a != b, "a new one each time")
	spy.end()
	assert.Equal(t, spy.text.String(), "", "a test that passes says nothing")
	spy.failed = true
	spy.end()
	assert.Equal(t, spy.text.String(), fmt.Sprintf("aplombtest: the seed was %d; APLOMBTEST_SEED=%[1]d gives it again\n"+
		"aplombtest: the seed was %d; APLOMBTEST_SEED=%[2]d gives it again\n", a, b))

	t.Setenv("APLOMBTEST_SEED", strconv.FormatUint(a, 10))
	assert.Equal(t, aplombtest.Seed(spy), a)
	t.Setenv("APLOMBTEST_SEED", "-1")
	assert.Contains(t, fatal(t, func(tb testing.TB) { aplombtest.Seed(tb) }), `APLOMBTEST_SEED="-1": want a number`)
}

// seedSpy is a test that may have failed, and ends when told to.
type seedSpy struct {
	testing.TB
	failed   bool
	text     strings.Builder
	cleanups []func()
}

func (s *seedSpy) Failed() bool      { return s.failed }
func (s *seedSpy) Cleanup(do func()) { s.cleanups = append(s.cleanups, do) }
func (s *seedSpy) Logf(format string, args ...any) {
	fmt.Fprintf(&s.text, format+"\n", args...)
}

func (s *seedSpy) end() {
	for _, do := range s.cleanups {
		do()
	}
}
