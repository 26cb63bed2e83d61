package header

import (
	"net/http"
	"testing"
	"time"
)

func TestDeprecation(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_688_169_599, 0).UTC()
	for _, tt := range []struct {
		value string
		want  time.Time
		ok    bool
	}{
		{"", time.Time{}, false},
		{"@1688169599", at, true},
		{" @1688169599;x=1 ", at, true},
		{"@-1", time.Unix(-1, 0).UTC(), true},
		{"@-99999999999999", time.Time{}, false},
		{"@1.5", time.Time{}, false},
		{"@999999999999999", time.Time{}, false},
		{"@", time.Time{}, false},
		{"@--1", time.Time{}, false},
		{"1688169599", time.Time{}, false},
		{"true", time.Time{}, true},
		{"True", time.Time{}, true},
		{"?1", time.Time{}, true},
		{"false", time.Time{}, false},
		{"Fri, 30 Jun 2023 23:59:59 GMT", at, true},
	} {
		got, ok := Deprecation(fields("Deprecation", tt.value))
		if got != tt.want || ok != tt.ok {
			t.Errorf("%q: %v, %v; want %v, %v", tt.value, got, ok, tt.want, tt.ok)
		}
	}
}

func TestSunset(t *testing.T) {
	t.Parallel()
	at := time.Date(2018, 12, 31, 23, 59, 59, 0, time.UTC)
	if got, ok := Sunset(fields("Sunset", "Mon, 31 Dec 2018 23:59:59 GMT")); got != at || !ok {
		t.Errorf("got %v, %v", got, ok)
	}
	if got, ok := Sunset(fields("Sunset", "next year")); !got.IsZero() || ok {
		t.Errorf("got %v, %v", got, ok)
	}
}

func TestDeprecationLink(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]http.Header{
		"":     fields("Link", "</n>; rel=next"),
		"/dep": fields("Link", `</sun>; rel="sunset", </dep>; rel="deprecation"; type="text/html"`),
		"/sun": fields("Link", `</n>; rel=next, </sun>; rel=Sunset`),
	} {
		if got := DeprecationLink(h); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzDeprecation(f *testing.F) {
	for _, s := range []string{"@1688169599", "@-1", "true", "?1", "Fri, 30 Jun 2023 23:59:59 GMT", "@253402300800", "@1;a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, read := range []func(http.Header) (time.Time, bool){Deprecation, Sunset} {
			at, ok := read(http.Header{"Deprecation": {s}, "Sunset": {s}})
			if !ok && !at.IsZero() {
				t.Errorf("%q: %v without ok", s, at)
			}
			// A date that JSON cannot hold would fail in somebody's log.
			if _, err := at.MarshalJSON(); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
	})
}

// TestDeprecationNoAllocation is not parallel: testing.AllocsPerRun forbids it.
func TestDeprecationNoAllocation(t *testing.T) {
	h := fields("Content-Type", "application/json")
	if n := testing.AllocsPerRun(100, func() {
		_, deprecated := Deprecation(h)
		if _, ends := Sunset(h); deprecated || ends {
			t.Error("an end out of nowhere")
		}
	}); n != 0 {
		t.Errorf("%v allocations without a header in sight, want 0", n)
	}
}
