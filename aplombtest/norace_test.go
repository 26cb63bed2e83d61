//go:build !race

package aplombtest_test

const raceEnabled = false
