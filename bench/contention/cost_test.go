package contention_test

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/aplomb-go/aplomb/bench/internal/crowd"
	"github.com/aplomb-go/aplomb/bench/internal/spread"
)

// cpu is the processor time that so many calls by so many goroutines take.
func cpu(tb testing.TB, c *spread.Calls, goroutines, calls int) time.Duration {
	tb.Helper()
	runtime.GC() // each pays for its own garbage only
	got, err := crowd.Run(goroutines, calls, func(_, n int) error { return c.Do(n) })
	if err != nil {
		tb.Fatal(err)
	}
	return got.Processor
}

// mutex is what of the processor time was waited for locks, in percent. Many can
// wait at a time. Every wait is looked at, which takes time where there are many.
func mutex(tb testing.TB, c *spread.Calls, goroutines, calls int) float64 {
	tb.Helper()
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	before := waited(tb)
	used := cpu(tb, c, goroutines, calls)
	return 100 * float64(waited(tb)-before) / float64(used)
}

// library is how the functions begin that the library's locks are released in.
const library = "github.com/aplomb-go/aplomb."

// waited is how long it was so far for locks released by the library.
func waited(tb testing.TB) time.Duration {
	tb.Helper()
	var buf bytes.Buffer
	if err := pprof.Lookup("mutex").WriteTo(&buf, 0); err != nil {
		tb.Fatal(err)
	}
	p, err := profile.Parse(&buf)
	if err != nil {
		tb.Fatal(err)
	}
	delay, err := delayIndex(p)
	if err != nil {
		tb.Fatal(err)
	}
	var all time.Duration
	for _, s := range p.Sample {
		if released(s) {
			all += time.Duration(s.Value[delay])
		}
	}
	return all
}

func delayIndex(p *profile.Profile) (int, error) {
	for i, t := range p.SampleType {
		if t.Type == "delay" && t.Unit == "nanoseconds" {
			return i, nil
		}
	}
	return 0, fmt.Errorf("a mutex profile without a delay in nanoseconds: %v", p.SampleType)
}

// released reports a lock that code of the library, or what it calls, let go.
func released(s *profile.Sample) bool {
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function != nil && strings.HasPrefix(line.Function.Name, library) {
				return true
			}
		}
	}
	return false
}
