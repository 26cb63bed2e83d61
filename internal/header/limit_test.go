package header

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	date := now.Add(-time.Hour) // the server's clock is one hour behind ours
	for _, tt := range []struct {
		name  string
		given http.Header
		want  []Limit
	}{
		{"none", fields("Content-Type", "application/json", "Date", "x"), nil},
		{"nil", nil, nil},
		{"empty fields", fields("X-RateLimit-Limit", "", "RateLimit", " ", "RateLimit-Policy", ",;,"), nil},
		{"unlimited", fields("X-RateLimit-Limit", "-1", "X-RateLimit-Remaining", "-1"), nil},

		{
			"IETF with its policy",
			fields("RateLimit", `"default";r=50;t=30`, "RateLimit-Policy", `"default";q=100;w=60`),
			[]Limit{{"default", 100, 50, 30 * time.Second, time.Minute, ""}},
		},
		{
			"IETF, several members and lines",
			fields("RateLimit", `"burst";r=5;t=1, "da,il;y";r=900;t=3600`, "RateLimit", `"third";r=0`,
				"RateLimit-Policy", `"da,il;y";q=1000;w=86400,"burst";q=10;w=1`, "RateLimit-Policy", `"silent";q=7`),
			[]Limit{
				{"burst", 10, 5, time.Second, time.Second, ""},
				{"da,il;y", 1000, 900, time.Hour, 24 * time.Hour, ""},
				{"third", -1, 0, -1, 0, ""},
				{"silent", 7, -1, -1, 0, ""},
			},
		},
		{
			"IETF with partitions",
			fields("RateLimit", `"p";r=1;pk=:YQ==:, "p";r=2;pk=:Yg==:`, "RateLimit-Policy", `"p";q=10;w=1;pk=:Yg==:, "p";q=5;w=1`),
			[]Limit{
				{"p", 5, 1, -1, time.Second, ":YQ==:"},
				{"p", 10, 2, -1, time.Second, ":Yg==:"},
			},
		},
		{
			"IETF as tokens, spaces, escapes and an unknown parameter",
			fields("RateLimit", ` default ; r=5 ; x="a;r=9" ; t=1.5 , "a\"b";r=2`),
			[]Limit{{"default", -1, 5, 1500 * time.Millisecond, 0, ""}, {`a"b`, -1, 2, -1, 0, ""}},
		},
		{
			"IETF broken members keep what is readable",
			fields("RateLimit", `"a";r=-5;t=-1, "b";r=x;t=y, "c`),
			[]Limit{{"a", -1, -1, -1, 0, ""}, {"b", -1, -1, -1, 0, ""}, {"c", -1, -1, -1, 0, ""}},
		},
		{
			"IETF draft 07",
			fields("RateLimit", "limit=100, remaining=40, reset=12", "RateLimit-Policy", "100;w=60, 1000;w=3600"),
			[]Limit{{"", 100, 40, 12 * time.Second, time.Minute, ""}, {"", 1000, -1, -1, time.Hour, ""}},
		},
		{
			"older triple",
			fields("RateLimit-Limit", "100, 100;w=60, 5000;w=3600", "RateLimit-Remaining", "99", "RateLimit-Reset", "50"),
			[]Limit{{"", 100, 99, 50 * time.Second, time.Minute, ""}, {"", 5000, -1, -1, time.Hour, ""}},
		},
		{
			"two windows of one size, one of them stated twice",
			fields("RateLimit-Limit", "100, 100;w=60, 100;w=3600", "RateLimit-Policy", "100;w=60"),
			[]Limit{{"", 100, -1, -1, time.Minute, ""}, {"", 100, -1, -1, time.Hour, ""}},
		},
		{
			"Docker Hub",
			fields("RateLimit-Limit", "100;w=21600", "RateLimit-Remaining", "76;w=21600"),
			[]Limit{{"", 100, 76, -1, 6 * time.Hour, ""}},
		},
		{
			"GitLab",
			fields("RateLimit-Name", "throttle_api", "RateLimit-Limit", "60", "RateLimit-Remaining", "0", "RateLimit-Reset", "1800000060"),
			[]Limit{{"throttle_api", 60, 0, time.Minute, 0, ""}},
		},
		{
			"GitHub, skew cancels",
			fields("Date", date.Format(http.TimeFormat), "X-RateLimit-Resource", "search", "X-RateLimit-Limit", "30",
				"X-RateLimit-Remaining", "29", "X-RateLimit-Used", "1", "X-RateLimit-Reset", strconv.FormatInt(date.Unix()+42, 10)),
			[]Limit{{"search", 30, 29, 42 * time.Second, 0, ""}},
		},
		{
			"Discord: the delay wins over the epoch",
			fields("X-RateLimit-Limit", "5", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1800000099.123",
				"X-RateLimit-Reset-After", "1.25", "X-RateLimit-Bucket", "abcd1234"),
			[]Limit{{"abcd1234", 5, 0, 1250 * time.Millisecond, 0, ""}},
		},
		{
			"Twitter, past reset",
			fields("X-Rate-Limit-Limit", "900", "X-Rate-Limit-Remaining", "1", "X-Rate-Limit-Reset", "1799999990"),
			[]Limit{{"", 900, 1, 0, 0, ""}},
		},
		{
			"Reddit's fractions",
			fields("X-RateLimit-Remaining", "98.9", "X-RateLimit-Reset", "535"),
			[]Limit{{"", -1, 98, 535 * time.Second, 0, ""}},
		},
		{
			"twice the same in two dialects",
			fields("RateLimit-Limit", "9", "RateLimit-Remaining", "3", "RateLimit-Reset", "5",
				"X-RateLimit-Limit", "9", "X-RateLimit-Remaining", "3", "X-RateLimit-Reset", "1800000005"),
			[]Limit{{"", 9, 3, 5 * time.Second, 0, ""}},
		},
		{
			"OpenAI",
			fields("x-ratelimit-limit-requests", "60", "x-ratelimit-remaining-requests", "59", "x-ratelimit-reset-requests", "20ms",
				"x-ratelimit-limit-tokens", "150000", "x-ratelimit-remaining-tokens", "149984", "x-ratelimit-reset-tokens", "6m0s"),
			[]Limit{
				{"requests", 60, 59, 20 * time.Millisecond, 0, ""},
				{"tokens", 150000, 149984, 6 * time.Minute, 0, ""},
			},
		},
		{
			"Anthropic",
			fields("anthropic-ratelimit-requests-limit", "50", "anthropic-ratelimit-requests-remaining", "49",
				"anthropic-ratelimit-requests-reset", "2027-01-15T08:00:02Z",
				"anthropic-ratelimit-tokens-remaining", "3", "anthropic-ratelimit-input-tokens-remaining", "2",
				"anthropic-ratelimit-output-tokens-remaining", "1"),
			[]Limit{
				{"requests", 50, 49, 2 * time.Second, 0, ""},
				{"tokens", -1, 3, -1, 0, ""},
				{"input-tokens", -1, 2, -1, 0, ""},
				{"output-tokens", -1, 1, -1, 0, ""},
			},
		},
		{
			"Linear, epoch in milliseconds",
			fields("X-RateLimit-Requests-Limit", "1500", "X-RateLimit-Requests-Remaining", "1499", "X-RateLimit-Requests-Reset", "1800000003500",
				"X-RateLimit-Complexity-Limit", "250000", "X-RateLimit-Complexity-Remaining", "1", "X-RateLimit-Complexity-Reset", "1800000000000"),
			[]Limit{
				{"requests", 1500, 1499, 3500 * time.Millisecond, 0, ""},
				{"complexity", 250000, 1, 0, 0, ""},
			},
		},
		{
			"Kong",
			fields("X-RateLimit-Limit-Minute", "5", "X-RateLimit-Remaining-Minute", "4"),
			[]Limit{{"minute", 5, 4, -1, time.Minute, ""}},
		},
		{"Shopify", fields("X-Shopify-Shop-Api-Call-Limit", "32/40"), []Limit{{"", 40, 8, -1, 0, ""}}},
		{"Shopify overdrawn", fields("X-Shopify-Shop-Api-Call-Limit", "41/40"), []Limit{{"", 40, 0, -1, 0, ""}}},
		{"Shopify broken", fields("X-Shopify-Shop-Api-Call-Limit", "32"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Limits(tt.given, now); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Limits(%v)\n got %+v\nwant %+v", tt.given, got, tt.want)
			}
		})
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	c := clock{server: now, received: now}
	for in, want := range map[string]time.Duration{
		"0": 0, "30": 30 * time.Second, "0.5": 500 * time.Millisecond,
		"1800000007": 7 * time.Second, "1800000007.5": 7500 * time.Millisecond, "1800000007500": 7500 * time.Millisecond,
		"1800000007000000": -1, // microseconds: nobody sends them, and 57 million years is no answer
		"99999999999":      -1, "-5": -1, "-5s": -1, "": -1, "soon": -1,
		"Fri, 15 Jan 2027 08:00:09 GMT": 9 * time.Second,
		"2027-01-15T09:00:09.5+01:00":   9500 * time.Millisecond,
		"1m6.5s":                        66500 * time.Millisecond,
		"9999999h":                      -1,
	} {
		if got := c.reset(in); got != want {
			t.Errorf("reset(%q) = %v, want %v", in, got, want)
		}
	}
}

// TestLimitsNoAllocation is not parallel: testing.AllocsPerRun forbids it.
func TestLimitsNoAllocation(t *testing.T) {
	h := fields("Content-Type", "application/json", "Date", now.Format(http.TimeFormat), "Server", "x", "X-Request-Id", "1")
	if n := testing.AllocsPerRun(100, func() {
		if Limits(h, now) != nil {
			t.Error("a limit out of nowhere")
		}
	}); n != 0 {
		t.Errorf("%v allocations without a limit in sight, want 0", n)
	}
}

// TestHostileLines holds every field scanner to linear work: quadratic, one of
// these takes tens of seconds.
func TestHostileLines(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{`"\`, `<`, `;"`, `,<`, `;a="\"`, `,"`, `\"`} {
		start := time.Now()
		cut(strings.Repeat(unit, 1<<19), '=', true)
		line := []string{strings.Repeat(unit, maxLine/len(unit)), strings.Repeat(unit, maxLine)}
		Links(line)
		Limits(http.Header{"Ratelimit": line, "Ratelimit-Policy": line, "Ratelimit-Limit": line}, now)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%q repeated: %v", unit, took)
		}
	}
}

func FuzzLimits(f *testing.F) {
	for _, s := range []string{
		`"a";r=50;t=30`, `limit=1, remaining=2, reset=3`, `100, 100;w=60`, "1800000000.5", "6m0s", "2027-01-15T08:00:00Z",
		"32/40", `"a\";r=1`, ";;;,,,===", "-1", "99999999999999999999",
	} {
		f.Add(s, s, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, a, b string, unix int64) {
		h := http.Header{"Date": {b}, "Ratelimit": {a, b}, "Ratelimit-Policy": {b, a}, "X-Shopify-Shop-Api-Call-Limit": {a}}
		for i := range triples {
			h[triples[i].limit], h[triples[i].remaining] = []string{a}, []string{b}
			h[triples[i].reset[0]] = []string{b}
		}
		limits := Limits(h, time.Unix(unix, 0))
		for _, l := range limits {
			if l.Limit < -1 || l.Remaining < -1 || l.Reset < -1 || l.Window < 0 {
				t.Errorf("%+v", l)
			}
		}
		if again := Limits(h, time.Unix(unix, 0)); !reflect.DeepEqual(again, limits) {
			t.Errorf("not deterministic: %+v, then %+v", limits, again)
		}
	})
}

func BenchmarkLimits(b *testing.B) {
	none := fields("Content-Type", "a", "Date", now.Format(http.TimeFormat), "Server", "x", "X-Request-Id", "1", "Etag", "1", "Vary", "x")
	github := fields("Date", now.Format(http.TimeFormat), "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "4999",
		"X-RateLimit-Reset", "1800000060", "X-RateLimit-Resource", "core")
	for name, h := range map[string]http.Header{"none": none, "github": github} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Limits(h, now)
			}
		})
	}
}
