package aplombtest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// seedVariable is the environment variable that Seed obeys.
const seedVariable = "APLOMBTEST_SEED"

// Odds is a fault and how likely it is, for [Random].
type Odds struct {
	// P is the share of requests that meet the fault, from 0 to 1.
	P float64
	// Fault is what they meet.
	Fault Fault
}

// Random draws, for each request, which fault of mix it meets, if any: with
//
//	aplombtest.Random(seed, aplombtest.Odds{P: 0.2, Fault: aplombtest.Status(503)})
//
// four of five pass. The n-th request meets the same fault whenever seed is the
// same ([rand.PCG]), counted from where the fault was made: make one for each
// [Script]. A mix whose shares sum up to more than 1 is cut off there. It
// is a fault like any other, to be given to [Script.Always], [Script.For] or a
// [Phase]; its name says the seed. For a seed of its own in each run see [Seed].
func Random(seed uint64, mix ...Odds) Fault {
	names := make([]string, len(mix))
	for i, o := range mix {
		names[i] = fmt.Sprintf(", %v%% %v", 100*o.P, o.Fault)
	}
	var mu sync.Mutex
	source := rand.New(rand.NewPCG(seed, 0))
	draw := func() Fault {
		mu.Lock()
		defer mu.Unlock()
		x := source.Float64()
		for _, o := range mix {
			if x < o.P {
				return o.Fault
			}
			x -= o.P
		}
		return Pass()
	}
	return Fault{
		fmt.Sprintf("Random(%d%s)", seed, strings.Join(names, "")),
		func(w http.ResponseWriter, r *http.Request, next http.Handler) { draw().handle(w, r, next) },
	}
}

// Seed returns a new seed each time it is called and, if the test fails, has it
// say which one it was and how to run with it again: with the environment
// variable APLOMBTEST_SEED at that number, Seed returns it.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			tb.Fatalf("aplombtest: %s=%q: want a number below 2^64", seedVariable, text)
		}
		seed = given
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("aplombtest: the seed was %d; %s=%d gives it again", seed, seedVariable, seed)
		}
	})
	return seed
}
