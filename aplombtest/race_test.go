//go:build race

package aplombtest_test

// raceEnabled says that the race detector is on, which ends a test at the first write to a
// request that somebody else reads.
const raceEnabled = true
