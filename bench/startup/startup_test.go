package startup_test

import (
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/bench/internal/goals"
	"github.com/aplomb-go/aplomb/bench/internal/program"
)

// The programs.
const (
	plain = "./cost/base"
	ours  = "./cost/aplomb"
)

// BenchmarkStartup reports the binaries' sizes, what packages take to initialise
// that net/http does not bring along, and what is added of both.
func BenchmarkStartup(b *testing.B) {
	b.Run("init", func(b *testing.B) {
		base, own := program.Build(b, plain), program.Build(b, ours)
		b.Run("aplomb", func(b *testing.B) {
			var all, added time.Duration
			for range b.N {
				with, without := program.Inits(b, own), program.Inits(b, base)
				all += total(with)
				added += total(beyond(with, without))
			}
			b.ReportMetric(float64(all.Nanoseconds())/float64(b.N), "init-ns")
			b.ReportMetric(float64(added.Nanoseconds())/float64(b.N), "added-init-ns")
		})
		b.Run("net-http", func(b *testing.B) {
			var all time.Duration
			for range b.N {
				all += total(program.Inits(b, base))
			}
			b.ReportMetric(float64(all.Nanoseconds())/float64(b.N), "init-ns")
		})
	})
	b.Run("binary", func(b *testing.B) {
		base, own := program.Size(b, plain), program.Size(b, ours)
		b.Run("aplomb", func(b *testing.B) {
			for range b.N { // it is the same each time
				b.ReportMetric(float64(own), "binary-bytes")
				b.ReportMetric(float64(own-base), "added-bytes")
			}
		})
		b.Run("net-http", func(b *testing.B) {
			for range b.N {
				b.ReportMetric(float64(base), "binary-bytes")
			}
		})
	})
}

// beyond is what of the packages the other program has not.
func beyond(with, without map[string]time.Duration) map[string]time.Duration {
	added := map[string]time.Duration{}
	for name, took := range with {
		if _, ok := without[name]; !ok {
			added[name] = took
		}
	}
	return added
}

func total(inits map[string]time.Duration) (sum time.Duration) {
	for _, took := range inits {
		sum += took
	}
	return sum
}

// binaryNotYet says that the binary's budget is not met so far, and not held.
const binaryNotYet = true

// runs is how often the programs are run; the quickest counts.
const runs = 20

func TestInit(t *testing.T) {
	t.Parallel()
	base := program.Inits(t, program.Build(t, plain))
	own := program.Build(t, ours)
	added := beyond(program.Inits(t, own), base)
	for range runs {
		if again := beyond(program.Inits(t, own), base); total(again) < total(added) {
			added = again
		}
	}
	t.Logf("%v are added: %v", total(added), added)
	if most := time.Duration(goals.Limit(t, "Startup", "init", "added-init-ns", "")); total(added) > most {
		t.Errorf("initialisation takes %v longer, want at most %v: %v", total(added), most, added)
	}
}

func TestBinarySize(t *testing.T) {
	t.Parallel()
	base, own := program.Size(t, plain), program.Size(t, ours)
	t.Logf("%d bytes, %d beyond net/http's", own, own-base)
	switch most := int64(goals.Limit(t, "Startup", "binary", "added-bytes", "")); {
	case own-base <= most:
	case binaryNotYet:
		t.Logf("not held yet: at most %d", most)
	default:
		t.Errorf("aplomb adds %d bytes, want at most %d", own-base, most)
	}
}
