package signature

import (
	"strings"
	"testing"
)

// splits says without joining the two what it would say of both joined.
func TestSplitsIsAsIfJoined(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, a := range []string{"", "a", "b", "ab", "ba", "aa", "aab", "aba", "abab", "bab"} {
		for _, b := range []string{"", "a", "b", "ab", "aba"} {
			texts = append(texts, a+b)
		}
	}
	for _, value := range texts {
		for _, tail := range texts {
			want := strings.Index(value+tail, tail) == len(value)
			if got := (part{tail: tail}).splits(value); got != want {
				t.Errorf("%q before %q: %v, want %v", value, tail, got, want)
			}
		}
	}
}
