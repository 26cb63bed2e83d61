package aplomb

import (
	"fmt"
	"time"
)

// orDefault is v, or def where v is zero.
func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// named is a duration setting and its field's name.
type named struct {
	name string
	d    time.Duration
}

// plausible refuses negative durations, and those of a few nanoseconds, which
// are numbers written without a unit.
func plausible(of string, durations ...named) error {
	for _, n := range durations {
		switch {
		case n.d < 0:
			return fmt.Errorf("aplomb: %s.%s: %v is negative; zero means the default", of, n.name, n.d)
		case n.d > 0 && n.d < time.Microsecond:
			return fmt.Errorf("aplomb: %s.%s: %v: did you mean %d*time.Second?", of, n.name, n.d, n.d)
		}
	}
	return nil
}
