package cache

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzControl holds what is read of Cache-Control to what a server may rely on.
func FuzzControl(f *testing.F) {
	for _, s := range []string{
		"", "max-age=60", `max-age="60"`, "no-store, max-age=1", `x="a,no-store"`, `x="a, max-age=9`, "MAX-AGE=99999999999999999999",
		"max-age=-1", ",,=,;", "max-age=1, max-age=2", strings.Repeat("a,", 100) + "no-store", `no-cache="set-cookie", private`, `a="\"",no-store`,
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		c := parseControl(http.Header{"Cache-Control": {a, b}})
		for name := range c {
			if name != strings.ToLower(name) || strings.TrimSpace(name) != name || name == "" {
				t.Errorf("directive %q", name)
			}
		}
		for _, name := range []string{"max-age", "stale-if-error", "max-stale"} {
			if d, _ := c.seconds(name); d < 0 || d > maxSeconds*time.Second {
				t.Errorf("%s is %v", name, d)
			}
		}
		// A directive written plainly is never lost to what stands before it, unless
		// it stands in quotes.
		if !strings.Contains(a+b, `"`) && !parseControl(http.Header{"Cache-Control": {a, b, "no-store"}}).has("no-store") {
			t.Errorf("no-store was lost behind %q, %q", a, b)
		}
		e := &entry{meta: meta{Status: 200, Header: http.Header{"Cache-Control": {a}, "Age": {b}, "Expires": {b}, "Date": {a}}, Received: time.Now()}, control: c}
		now := time.Now()
		if e.lifetime() < 0 || e.age(now) < 0 {
			t.Errorf("lifetime %v, age %v", e.lifetime(), e.age(now))
		}
		_ = e.fits(c, now) || e.fitsWhile(c, now) || e.fitsError(c, now, time.Hour)
		if c.has("no-cache") && e.fits(nil, now) {
			t.Error("no-cache was used without validation")
		}
	})
}

// TestAClockThatWasSetBack knows nothing of an answer's age.
func TestAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	at := time.Now()
	e := &entry{meta: meta{Status: 200, Header: http.Header{"Cache-Control": {"max-age=3600"}}, Asked: at, Received: at}}
	e.control = parseControl(e.Header)
	if !e.fits(nil, at) || e.fits(nil, at.Add(-time.Second)) {
		t.Error("an answer of the future is used")
	}
}

// FuzzKey holds keys to be equal for equal requests, and apart for others.
func FuzzKey(f *testing.F) {
	f.Add("Accept", "a/a, b/b;q=0.5", "a/a,b/b; q=0.5", "/a?b=c", "/a")
	f.Add("X-A", "", "1", "/%2f", "//")
	f.Add("Accept-Language, X-A", `"a,b"`, "a", "", "/")
	f.Fuzz(func(t *testing.T, vary, one, two, pathOne, pathTwo string) {
		names, ok := varyOf(http.Header{"Vary": {vary}})
		if !ok {
			return
		}
		i := &index{Vary: names, Generation: "g"}
		request := func(value string) *http.Request {
			h := http.Header{}
			for _, name := range names {
				h[name] = []string{value}
			}
			return &http.Request{Header: h}
		}
		a, b := i.answerKey("o", request(one)), i.answerKey("o", request(two))
		same := true
		for _, name := range names {
			same = same && normalise(name, []string{one}) == normalise(name, []string{two})
		}
		if (a == b) != same {
			t.Errorf("%q by %q and %q", vary, one, two)
		}
		if a == i.answerKey("p", request(one)) {
			t.Error("two owners have one key")
		}
		again := normalise("X-A", []string{normalise("X-A", []string{one})})
		if again != normalise("X-A", []string{one}) {
			t.Errorf("%q is brought into two forms", one)
		}
		u, errOne := url.Parse("http://a.test" + pathOne)
		v, errTwo := url.Parse("http://A.TEST:80" + pathTwo)
		if errOne == nil && errTwo == nil && (addressKey(u) == addressKey(v)) != (normalised(u) == normalised(v)) {
			t.Errorf("%q and %q", pathOne, pathTwo)
		}
	})
}

// FuzzEntry holds a stored value to be what was stored, or nothing.
func FuzzEntry(f *testing.F) {
	e := &entry{meta: meta{Status: 200, Header: http.Header{"Etag": {`"a"`}}, Asked: time.Unix(1, 0).UTC(), Received: time.Unix(2, 0).UTC()}, body: []byte("hello")}
	whole, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	i := &index{Vary: []string{"Accept"}, Generation: "g"}
	head, err := i.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(head)
	f.Add(seal([]byte(magic + "\xff\xff\xff\xff")))
	f.Add(seal([]byte(magic + "\x00\x00\x00\x02{}")))
	f.Add(seal([]byte(magic + "\x00\x00\x00\x3a" + `{"status":7,"header":{},"received":"2000-01-01T00:00:00Z"}`)))
	f.Add(seal([]byte(indexMagic + "\x00\x00\x00\x02{}")))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, v := range [][]byte{value, seal(bytes.Clone(value))} { // so that the fuzzer gets past the sum
			if e, err := decode(v); err == nil {
				if e.Status < 200 || e.Status > 599 {
					t.Errorf("status %d", e.Status)
				}
				_ = e.response(&http.Request{Method: http.MethodGet}, time.Now())
				again, err := e.encode()
				if err != nil {
					t.Fatal(err)
				}
				twin, err := decode(again)
				if err != nil || !bytes.Equal(twin.body, e.body) || twin.Status != e.Status || !twin.Received.Equal(e.Received) {
					t.Errorf("%q is not the same again: %v", v, err)
				}
			}
			if i, err := decodeIndex(v); err == nil && i.Generation == "" {
				t.Error("an index without a generation")
			}
		}
		if e, err := decode(append(bytes.Clone(whole[:len(whole)-1]), value...)); err == nil && len(value) != 1 && !bytes.Equal(e.body, []byte("hello")) {
			t.Errorf("a longer value was taken for whole: %q", value)
		}
	})
}
