package aplombtest

import (
	"fmt"
	"sync"
	"testing"
)

// findings collects what is broken. Each rule is reported once, by the first thing
// found: a body that is swallowed would else show in fifty places.
type findings struct {
	testing.TB

	mu     sync.Mutex
	broken map[string]string
	times  map[string]int
	order  []string
	stuck  bool // something hangs, and so do its goroutines
}

// needBubble ends the test outside of a bubble: there the hours would be real.
func (f *findings) needBubble(name string) {
	f.Helper()
	if !inBubble() {
		f.Fatalf("aplombtest: call %s in a bubble: synctest.Test(t, func(t *testing.T) { ... })", name)
	}
}

// breaksf says how a rule is broken, and how to mend it.
func (f *findings) breaksf(rule, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.times == nil {
		f.broken, f.times = map[string]string{}, map[string]int{}
	}
	if f.times[rule]++; f.times[rule] == 1 {
		f.broken[rule] = fmt.Sprintf(format, args...)
		f.order = append(f.order, rule)
	}
}

// hangs notes that a RoundTrip does not return.
func (f *findings) hangs(rule, what string) {
	f.breaksf(rule, "%s: RoundTrip did not return", what)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stuck = true
}

// report tells the test.
func (f *findings) report() {
	f.Helper()
	for _, rule := range f.order {
		more := ""
		if n := f.times[rule]; n > 1 {
			more = fmt.Sprintf(" (and %d times more)", n-1)
		}
		f.Errorf("%s: %s%s", rule, f.broken[rule], more)
	}
}
