package aplombtest_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// report is a testing.TB that keeps what a suite has to say of a broken thing.
type report struct {
	testing.TB

	mu    sync.Mutex
	lines []string
}

func (r *report) Helper() {}

func (r *report) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// Fatalf ends the goroutine, as the real one does: see reported.
func (r *report) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// reported is what a suite has to say that may end its test.
func reported(t *testing.T, suite func(testing.TB)) *report {
	t.Helper()
	r, ended := &report{TB: t}, make(chan struct{})
	go func() {
		defer close(ended)
		suite(r)
	}()
	<-ended
	return r
}

// parts are the names of the rules that were reported, each once.
func (r *report) parts() []string { return slices.Compact(r.rules()) }

// of are the lines that one rule has to say.
func (r *report) of(rule string) string {
	var lines []string
	for _, line := range r.lines {
		if strings.HasPrefix(line, rule+": ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// rules are the names of the rules that were reported, in order.
func (r *report) rules() []string {
	names := []string{}
	for _, line := range r.lines {
		rule, _, _ := strings.Cut(line, ": ")
		names = append(names, rule)
	}
	slices.Sort(names)
	return names
}
