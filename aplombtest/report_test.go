package aplombtest_test

import (
	"fmt"
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
