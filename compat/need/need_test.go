package need_test

import (
	"fmt"
	"testing"

	"github.com/aplomb-go/aplomb/compat/need"
)

// recorder is a testing.TB that remembers how it was ended.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) {
	r.ended = "skip: " + fmt.Sprintf(format, args...)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.ended += "fatal: " + fmt.Sprintf(format, args...)
	panic(r)
}

func TestMissingf(t *testing.T) {
	for _, tt := range []struct{ env, want string }{
		{"", "skip: no redis"},
		{"1", "fatal: missing, and APLOMB_REQUIRE_SERVERS is 1: no redis"},
	} {
		t.Setenv(need.RequireServers, tt.env)
		r := &recorder{TB: t}
		func() {
			defer func() { _ = recover() }()
			need.Missingf(r, "no %s", "redis")
		}()
		if r.ended != tt.want {
			t.Errorf("with %q: %q, want %q", tt.env, r.ended, tt.want)
		}
	}
}
