package monitor

import (
	"bytes"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// pageOf is the page of a snapshot, and its text. Its health is that of its clients, and
// the reasons it has already.
func pageOf(t *testing.T, s Snapshot, query string) (html, plain string) {
	t.Helper()
	s.Time, s.Start = noon, noon.Add(-time.Hour)
	for i := range s.Clients {
		h := &s.Clients[i].Health
		h.Status = worstOf(h.Reasons)
		s.Health.Reasons = append(s.Health.Reasons, h.Reasons...)
	}
	s.Health.Status = worstOf(s.Health.Reasons)
	values, err := url.ParseQuery(query)
	assert.NoError(t, err)
	v := newView(s, values)
	var b bytes.Buffer
	assert.NoError(t, pageTemplate.ExecuteTemplate(&b, "page.html", v))
	return b.String(), string(text(v))
}

func worstOf(reasons []Reason) Status {
	worst := Healthy
	for _, r := range reasons {
		if rank(r.Status) < rank(worst) {
			worst = r.Status
		}
	}
	return worst
}

// because is a client's health that is not as it should be.
func because(status Status, client, host, text string) Health {
	return Health{Reasons: []Reason{{Status: status, Kind: "client", Name: client, Host: host, Text: text}}}
}

// busy is a host that is called.
func busy(name string) Host {
	return Host{Name: name, Last5Min: []Slot{{Calls: 7}, {Calls: 34, Failed: 1}}}
}

// inOrder asserts that the parts are in s, one behind the other.
func inOrder(t *testing.T, s string, parts ...string) {
	t.Helper()
	at := 0
	for _, part := range parts {
		next := strings.Index(s[at:], part)
		if !assert.True(t, next >= 0, part+" is not in its place") {
			continue
		}
		at += next + len(part)
	}
}

func TestViewOfClients(t *testing.T) {
	t.Parallel()
	html, plain := pageOf(t, Snapshot{Clients: []Client{
		{Name: "a-b", Hosts: []Host{busy("c")}},
		{Name: "a", Health: because(Down, "a", "open", "the circuit is open"), Hosts: []Host{busy("b-c"), {Name: "open", Circuit: &Circuit{State: aplomb.BreakerOpen, Since: noon.Add(-12 * time.Second), ProbeAt: noon.Add(3 * time.Second), Failed: 20, Completed: 21}}}, Policy: "x  y", InFlight: 5, Waiting: 2},
		{Name: "quiet", Hosts: []Host{{Name: "still", Last5Min: []Slot{{}}}}},
		{Name: "short", Health: because(Degraded, "short", "", "the quota q is used up: no request for 3h"), Hosts: []Host{busy("d")}, Waiting: 3, Quotas: []Quota{{Name: "q", Limit: 100, Remaining: 0, ResetAt: noon.Add(3 * time.Hour)}}},
		{Name: "off", Health: because(Degraded, "off", "", "the store is away"), Hosts: []Host{busy("e")}, Store: &Store{Since: noon, Error: "refused"}, ClockSkew: -3 * time.Minute},
	}}, "")
	// The worst first, and what is the client's colours its cards.
	inOrder(t, html,
		`<article id="card-a" class="client down many"`, `In flight: 5 sent, 2 waiting.`, `<div id="card-a-open" class="card down"`, `<div id="card-a-b_2dc" class="card healthy"`,
		`<article id="card-off" class="client degraded"`, `The server&#39;s clock is 3m behind ours.`, `<div id="card-off-e" class="card degraded"`,
		`<article id="card-short" class="client degraded"`, `0 of 100`, `reset in 3h`, `<div id="card-short-d" class="card degraded"`, `0 sent, 3 waiting`,
		`<article id="card-a_2db" class="client healthy"`, `<div id="card-a_2db-c" class="card healthy"`,
		`<article id="card-quiet" class="client idle"`, `<div id="card-quiet-still" class="card idle"`, `<span class="pill idle">idle</span>`)
	inOrder(t, plain, "a       down", "off     degraded", "short   degraded", "a-b     healthy", "quiet   idle",
		"a       open   down", "a       b-c    healthy", "quiet   still  idle")
	// Each reason leads to its card, and no id is there twice.
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		ids[m[1]]++
		assert.Equal(t, ids[m[1]], 1, m[1])
	}
	links := regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(html, -1)
	assert.True(t, len(links) >= 4)
	for _, m := range links {
		assert.Equal(t, ids[m[1]], 1, m[1])
	}
	assert.Contains(t, html, `<a href="#card-a-open">a (open): the circuit is open`)
	assert.Contains(t, html, "at most 34")
}

func TestCircuitText(t *testing.T) {
	t.Parallel()
	c := Circuit{State: aplomb.BreakerOpen, Since: noon.Add(-12 * time.Second), ProbeAt: noon.Add(3 * time.Second), Failed: 20, Completed: 21}
	assert.Equal(t, circuitText(nil, noon), "closed")
	assert.Equal(t, circuitText(&c, noon), "open for 12s, after 20 of 21 attempts failed: the next call in 3s is a probe")
	assert.Equal(t, circuitText(&c, noon.Add(4*time.Second)), "open for 16s, after 20 of 21 attempts failed: the next call is a probe")
	c.State = aplomb.BreakerHalfOpen
	assert.Equal(t, circuitText(&c, noon), "half open for 12s, after 20 of 21 attempts failed: a probe is under way")
	html, plain := pageOf(t, Snapshot{Clients: []Client{{Name: "a", Hosts: []Host{{Name: "b", Circuit: &c}}}}}, "")
	for _, form := range []string{html, plain} {
		assert.Contains(t, form, circuitText(&c, noon))
		assert.NotContains(t, form, "the next call")
	}
}

func TestViewOfHost(t *testing.T) {
	t.Parallel()
	h := busy("b")
	h.LastError, h.LastFailed, h.InFlight, h.Oldest = "GET /x: 503", noon.Add(-3*time.Minute), 4, noon.Add(-42*time.Second)
	h.P99 = 1640 * time.Millisecond
	html, plain := pageOf(t, Snapshot{Clients: []Client{{Name: "a", Hosts: []Host{h, busy("c")}, Waiting: 2}}}, "")
	inOrder(t, html, "4 sent</dd>", "1.6s", "The oldest call was sent 42s ago.", "Last failure 3m ago: GET /x: 503")
	inOrder(t, plain, "1.6s", "4, the oldest for 42s", "Last failures", "3m ago  GET /x: 503")
	h.Oldest = noon.Add(-9 * time.Second)
	html, plain = pageOf(t, Snapshot{Clients: []Client{{Name: "a", Hosts: []Host{h}, Waiting: 2}}}, "")
	assert.Contains(t, html, "4 sent, 2 waiting</dd>")
	assert.NotContains(t, html+plain, "oldest")
}

func TestQuotaText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		quota       Quota
		left, reset string
		percent     int64
	}{
		{Quota{Remaining: -1}, "unknown", "", 0},
		{Quota{Remaining: -1, PerSecond: 7.8}, "about 7.8/s, learned from refusals", "", 0},
		{Quota{Remaining: -1, PerSecond: 7.8, ClosedUntil: noon.Add(time.Minute)}, "paused", "no request for 1m", 0},
		{Quota{Remaining: 5}, "5", "", 0},
		{Quota{Limit: 1 << 62, Remaining: 1 << 61, EmptyIn: time.Hour, PerSecond: 2}, "2305843009213693952 of 4611686018427387904", "at this pace empty in 1h; requests keep to 2.0/s", 50},
		{Quota{Limit: math.MaxInt64, Remaining: math.MaxInt64 / 10 * 9}, "8301034833169298220 of 9223372036854775807", "", 90},
		{Quota{Limit: 1, Remaining: math.MaxInt64}, "9223372036854775807 of 1", "", 100},
		{Quota{Limit: 10, ResetAt: noon.Add(time.Minute), ClosedUntil: noon.Add(time.Second)}, "0 of 10", "no request for 1s; reset in 1m", 0},
	} {
		assert.Equal(t, tt.quota.left(), tt.left)
		assert.Equal(t, tt.quota.reset(noon), tt.reset)
		assert.Equal(t, leftPercent(tt.quota), tt.percent)
	}
}

func TestViewOfWaiting(t *testing.T) {
	t.Parallel()
	var s Snapshot
	for i := range 204 {
		w := Waiting{Client: "a", Operation: fmt.Sprint("op", i), Cause: aplomb.WaitQuota, Since: noon.Add(-time.Duration(204-i) * time.Second), Until: noon.Add(time.Minute)}
		if i%10 == 9 {
			w.Cause = aplomb.WaitLimiter
		}
		s.Waiting = append(s.Waiting, w)
	}
	html, plain := pageOf(t, s, "")
	inOrder(t, html, "<strong>184</strong> for the server&#39;s quota or pause, the longest for 3m24s", "<strong>20</strong> for the rate set by RateLimit, the longest for 3m15s", "20 of 204 shown")
	inOrder(t, plain, "op19", "20 of 204 shown", "184 for the server's quota or pause, the longest for 3m24s", "20 for the rate set by RateLimit")
	assert.NotContains(t, html+plain, "op20")
}

func TestViewOfTheRest(t *testing.T) {
	t.Parallel()
	s := Snapshot{
		Clients: []Client{{Name: "a", Deprecations: []Deprecation{{Operation: "GET /x", Sunset: noon.AddDate(0, 1, 0), Link: "https://a.test/why"}}}},
		Tokens: []Token{
			{Name: "none", Failed: 3, Error: "401", RetryAt: noon.Add(5 * time.Second)},
			{Name: "one", Fetched: 1, Expiry: noon.Add(time.Hour)},
			{Name: "over", Fetched: 2, Failed: 1, Expiry: noon.Add(-time.Hour)},
			{Name: "unending", Fetched: 2},
		},
		Feeds: []Feed{{Kind: "poll", Name: "f", Counts: map[string]uint64{"new": 3, "failed": 1}, Last: noon.Add(-time.Minute), Trouble: "503"}},
	}
	s.Health.Reasons = []Reason{{Status: Down, Kind: "token", Name: "none", Text: "there is no token"}, {Status: Degraded, Kind: "poll", Name: "f", Text: "503"}}
	html, plain := pageOf(t, s, "")
	tokens := []string{
		"no token yet, failed 3 times, next try in 5s; the last fetch failed: 401", "ends in 1h, fetched once", "ended 1h ago, fetched 2 times, failed once", "without an end, fetched 2 times",
	}
	inOrder(t, html, append(append([]string{`<a href="#retired">1 operation is going away</a>`, "Going away</h2>", "is deprecated, stops answering on 2026-02-02: https://a.test/why", "Tokens</h2>", `<span class="pill failed">failed</span>`}, tokens...), "What came in</h2>", "new 3", "503", "Calls</h2>")...)
	inOrder(t, plain, append(append([]string{"Going away", "stops answering on 2026-02-02: https://a.test/why", "Tokens"}, tokens...), "What came in", "failed 1, new 3  1m ago  503")...)
	assert.Contains(t, html, `<a href="#token-none">token none: `)
	assert.Contains(t, html, `<a href="#feed-poll-f">poll f: 503`)
}

func TestViewOfCalls(t *testing.T) {
	t.Parallel()
	var s Snapshot
	for i := range 120 {
		s.Recent = append(s.Recent, Call{ID: uint64(200 - i), Client: "a", Operation: fmt.Sprint("op", i), Start: noon.Add(-90 * time.Second), Elapsed: 30 * time.Second, Result: aplomb.ResultBreakerOpen})
	}
	s.Trouble = s.Recent[:30]
	html, plain := pageOf(t, s, "call=198")
	inOrder(t, html, "Failed or slow (30)</a>", `aria-current="page">All (120)</a>`, `<svg class="swatch"`, "first byte",
		`<details id="steps-200"><summary><time datetime="2026-01-02T11:59:00.000Z">11:59:00</time>`, "circuit open", "Began at 11:58:30 UTC",
		`<details id="steps-198" open>`, `<a href="?calls=recent&amp;call=198#call-198">Address of this call</a>`)
	assert.Equal(t, strings.Count(html, " open>"), 1)
	assert.Equal(t, strings.Count(html, `<li id="call-`), 100)
	inOrder(t, plain, "ENDED", "11:59:00  a       op0        circuit open", "20 of 30 shown")
	html, _ = pageOf(t, s, "calls=trouble&call=150")
	assert.Contains(t, html, "Call 150 is not in this list")
}

func TestViewWithoutScripts(t *testing.T) {
	t.Parallel()
	const anew = `http-equiv="refresh"`
	html, _ := pageOf(t, Snapshot{}, "")
	assert.Contains(t, html, anew)
	assert.Contains(t, html, `<a href="?refresh=off">`)
	for _, query := range []string{"refresh=off", "calls=trouble", "call=3"} {
		html, _ := pageOf(t, Snapshot{}, query)
		assert.NotContains(t, html, anew)
		assert.Contains(t, html, `<a href="?">Have it reload by itself</a>`)
	}
}

// TestTextIsPlain: a terminal obeys nothing that a server has a say in.
func TestTextIsPlain(t *testing.T) {
	t.Parallel()
	const nasty = "x\x1b[2J\r\n\ty\u202ez\x00"
	_, plain := pageOf(t, Snapshot{
		Alerts:  []Alert{{Client: nasty}},
		Clients: []Client{{Name: nasty, Hosts: []Host{{Name: nasty, LastError: nasty}}, Quotas: []Quota{{Name: nasty}}, Store: &Store{Error: nasty}, Deprecations: []Deprecation{{Operation: nasty}}}},
		Waiting: []Waiting{{Client: nasty, Operation: nasty}},
		Trouble: []Call{{Operation: nasty}},
		Tokens:  []Token{{Name: nasty, Error: nasty}},
		Feeds:   []Feed{{Kind: nasty, Name: nasty}},
	}, "")
	assert.True(t, strings.Count(plain, `x\x1b[2J\r\n\ty\u202ez\x00`) > 10, plain)
	for _, bad := range []string{"\x1b", "\r", "\t", "\u202e", "\x00"} {
		assert.NotContains(t, plain, bad)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "–", 1640 * time.Millisecond: "1.6s", 9960 * time.Millisecond: "10s", 10600 * time.Millisecond: "11s", 5 * time.Minute: "5m", 10 * time.Minute: "10m",
		2 * time.Hour: "2h", 3*time.Hour - 2*time.Minute: "2h58m", 20 * time.Second: "20s", 250 * time.Millisecond: "250ms", 100 * time.Second: "1m40s", 20 * time.Hour: "20h",
	} {
		assert.Equal(t, took(d), want)
	}
	assert.Equal(t, span(0), "0s")
}
