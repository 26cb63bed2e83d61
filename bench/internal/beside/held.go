package beside

import (
	"slices"
	"testing"
)

// Held reports that a budget is held. One that is not met yet, which the list names,
// is said to be, and is not.
func Held(tb testing.TB, notYet []string, budget string) bool {
	tb.Helper()
	if slices.Contains(notYet, budget) {
		tb.Logf("not held yet: %s", budget)
		return false
	}
	return true
}
