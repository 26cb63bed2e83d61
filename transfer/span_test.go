package transfer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/transfer"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		n       int
		atLeast int64
		parts   [][2]int64
	}{
		"[[0 50] [50 100]]":                 {2, 1, [][2]int64{{0, 100}}},
		"[[0 25] [25 50] [50 75] [75 100]]": {4, 25, [][2]int64{{0, 100}}},
		"[[0 24] [24 49] [49 74] [74 99]]":  {4, 24, [][2]int64{{0, 99}}},
		"[[0 49] [49 99]]":                  {4, 26, [][2]int64{{0, 99}}},
		"[[0 15] [15 30] [40 70]]":          {3, 1, [][2]int64{{0, 30}, {40, 70}}},
		"[[0 10] [40 70] [70 100]]":         {3, 1, [][2]int64{{0, 10}, {40, 100}}},
		"[[0 1] [2 3] [4 5]]":               {2, 1, [][2]int64{{0, 1}, {2, 3}, {4, 5}}},
	} {
		assert.Equal(t, fmt.Sprint(transfer.Split(c.n, c.atLeast, c.parts...)), want)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	type parts = [][2]int64
	for want, in := range map[string]parts{
		"[[0 10]]":            {{0, 5}, {5, 10}},
		"[[0 11]]":            {{5, 11}, {0, 5}},
		"[[0 5] [6 10]]":      {{0, 5}, {6, 10}},
		"[[0 5] [6 11]]":      {{6, 11}, {0, 5}, {3, 4}},
		"[[0 30]]":            {{0, 10}, {20, 30}, {10, 20}},
		"[[0 31]]":            {{0, 10}, {12, 14}, {20, 31}, {5, 25}},
		"[[0 1] [2 3] [4 5]]": {{4, 5}, {0, 1}, {2, 3}},
	} {
		assert.Equal(t, fmt.Sprint(transfer.Merge(in...)), want)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var in parts
		var there [64]bool
		for range 1 + random.IntN(12) {
			from := random.Int64N(60)
			to := from + 1 + random.Int64N(4)
			in = append(in, [2]int64{from, to})
			for i := from; i < to; i++ {
				there[i] = true
			}
		}
		last := int64(-1)
		for _, s := range transfer.Merge(in...) {
			assert.True(t, s[0] > last && s[1] > s[0], in)
			for i := max(last, 0); i < s[0]; i++ {
				assert.Equal(t, there[i], false, in)
			}
			for i := s[0]; i < s[1]; i++ {
				assert.Equal(t, there[i], true, in)
			}
			last = s[1]
		}
	}
}
