package assert_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// spy is a testing.TB that notes what a helper reports instead of failing.
type spy struct {
	testing.TB
	errors, fatals int
	text           string
}

func (s *spy) Helper() {}

func (s *spy) Errorf(format string, args ...any) {
	s.errors++
	s.text = fmt.Sprintf(format, args...)
}

func (s *spy) Fatalf(format string, args ...any) {
	s.fatals++
	s.text = fmt.Sprintf(format, args...)
}

func TestHelpers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		check          func(testing.TB) bool
		errors, fatals int
		says           string
	}{
		{"equal", func(tb testing.TB) bool { return assert.Equal(tb, []int{1}, []int{1}) }, 0, 0, ""},
		{"unequal", func(tb testing.TB) bool { return assert.Equal(tb, "a ", "b", "row", 3) }, 1, 0, "row 3:\ngot  \"a \"\nwant \"b\""},
		{"true", func(tb testing.TB) bool { return assert.True(tb, true) }, 0, 0, ""},
		{"false", func(tb testing.TB) bool { return assert.True(tb, false) }, 1, 0, "want true"},
		{"no error", func(tb testing.TB) bool { return assert.NoError(tb, nil) }, 0, 0, ""},
		{"an error", func(tb testing.TB) bool { return assert.NoError(tb, io.EOF) }, 0, 1, "got  error EOF"},
		{"is", func(tb testing.TB) bool { return assert.ErrorIs(tb, fmt.Errorf("x: %w", io.EOF), io.EOF) }, 0, 0, ""},
		{"is not", func(tb testing.TB) bool { return assert.ErrorIs(tb, errors.New("x"), io.EOF) }, 0, 1, "want one that is EOF"},
		{"nil is not", func(tb testing.TB) bool { return assert.ErrorIs(tb, nil, io.EOF) }, 0, 1, "want one that is EOF"},
		{"contains", func(tb testing.TB) bool { return assert.Contains(tb, "abc", "b") }, 0, 0, ""},
		{"lacks", func(tb testing.TB) bool { return assert.Contains(tb, "abc", "d") }, 1, 0, "want it to contain \"d\""},
		{"rightly lacks", func(tb testing.TB) bool { return assert.NotContains(tb, "abc", "d") }, 0, 0, ""},
		{"wrongly contains", func(tb testing.TB) bool { return assert.NotContains(tb, "abc", "b") }, 1, 0, "want it not to contain \"b\""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &spy{}
			held := test.check(s)
			if held != (test.errors+test.fatals == 0) || s.errors != test.errors || s.fatals != test.fatals {
				t.Errorf("held %t, %d errors, %d fatals; want %d errors, %d fatals", held, s.errors, s.fatals, test.errors, test.fatals)
			}
			if !strings.Contains(s.text, test.says) {
				t.Errorf("said %q, want it to contain %q", s.text, test.says)
			}
		})
	}
}
