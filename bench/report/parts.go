package main

import (
	"cmp"
	"fmt"
	"strings"
)

// part is one benchmark, named Benchmark and its name, and one table.
type part struct {
	name, dir, title string
	how              string   // what the ways are, and how they are set, where their names do not say it
	units            []string // the columns, in their order; the ratio is of the first. Empty: all that there are
	rounds           int      // at most so many, where one takes minutes
	benchtime        string   // another than the flag's
	virtual          bool     // in its place a test named TestFigures and its name
}

// parts are in the order of their tables.
var parts = []part{
	{
		name: "Call", dir: "call", title: "a call, with no socket",
		how: "A GET, a POST of 4 KiB, the same by the *http.Client that a library gives, and a GET that is answered by one 429 first. " +
			"Each with retries, a breaker where it has one, a bearer token and no log; bench/call/doc.go has the settings.",
	},
	{
		name: "Loopback", dir: "loopback", title: "64 callers of a server on this machine", units: []string{"calls/s", "p99-ns", "cpu-ns/call", "B/op", "allocs/op"},
		benchtime: "500ms", // a hundredth of the calls is the p99
		how:       "With one http.Transport's settings for all, and as each comes.",
	},
	{
		name: "Contention", dir: "contention", title: "a call by 64 goroutines at a time, and by one", units: []string{"cpu-ns/call", "mutex-%", "B/op", "allocs/op"},
		benchtime: "200ms",
		how:       "Processor time, and the share of it for which locks of the library were waited for.",
	},
	{
		name: "Growth", dir: "growth", title: "a call to one of many hosts, and one after many calls",
		how:    "heap is what is in use after it all. A million calls are made by as many callers as there are processors, before the one that is measured.",
		rounds: 3,
	},
	{
		name: "Startup", dir: "startup", title: "what importing costs a program",
		how: "A program that gets one order: with aplomb, and with net/http and encoding/json alone. init is what the packages take to initialise, as the runtime traces it, " +
			"and added that of those which net/http does not bring along; bytes are of the stripped binary for linux/amd64.",
		units:  []string{"added-init-ns", "init-ns", "added-bytes", "binary-bytes"},
		rounds: 5, benchtime: "10x",
	},
	{
		name: "Pages", dir: "pages", title: "a list of many pages",
		how: "The link case has GitHub's issues by Link headers, and the cursor cases Stripe's charges by starting_after, each 100 pages of 100 items; " +
			"in the last case ten of them are 5 ms away and a program has 5 ms of work with each. aplomb is aplomb.Items for the first and aplomb/stripe's typed list for the others, " +
			"as go-github (with a page type of one's own) and stripe-go are; aplomb-items and hand-loop read the seven fields that a program names. " +
			"chain-of-cursors has no work to do: no request can be made before the one before it is answered.",
	},
	{name: "Pages", dir: "stripe"},
	{
		name: "GraphQL", dir: "graphql", title: "one query for 100 nodes, 33 kB of JSON",
		how: "net-http is the program that a careful person writes without a library.",
	},
	{
		name: "Webhook", dir: "webhook", title: "verify a delivery of Stripe's, and 1 KiB of the others",
		how: "aplomb is told the time, and stripe-go reads the clock, as aplomb-with-clock does. signature-unprepared makes the scheme anew each time. hmac-alone parses nothing and checks no time.",
	},
	{
		name: "Quota", dir: "quota", virtual: true, rounds: 5, title: "use of a quota of 200 a second, burst 10, by 32 workers",
		units: []string{"used-%", "refused-%", "429s"},
		how: "In virtual time. The server says how its quota stands (X-RateLimit-Limit, -Remaining, -Reset) with each answer, or nothing but Retry-After: 1 with a refusal; " +
			"it is 1 to 5 ms away each way, or near, with a twentieth of that. used and refused are from the end of the first second on, the 429s are all. " +
			"Those called told know the quota, aplomb by RateLimit. composed is go-retryablehttp around x/oauth2, x/time/rate and gobreaker; " +
			"retryablehttp and azcore have their defaults, failsafe-go and resty 2 and 3 retries of 0.1 to 2 s; resty-v2 looks at no Retry-After by itself.",
	},
	{
		name: "Storm", dir: "storm", virtual: true, rounds: 3, title: "an outage, 50 workers with a call each 50 ms",
		units: []string{"requests", "calls", "requests/call", "first-good-ms", "nine-of-ten-ms", "failed-after", "failed-late"},
		how: "In virtual time, with all default waits divided by ten. requests and calls are those during the outage; first-good is when the host gave its first good answer after it, " +
			"and nine-of-ten when nine workers of ten had one. Failed after are the calls that began after the outage, failed late those after the first good answer. " +
			"gobreaker, composed, failsafe-go and resty-v3 have breakers that are open for their minute, composed-1s one of a second.",
	},
	{
		name: "Inbox", dir: "inbox", title: "64 writers, events of 1 KiB, each on disk before its writer goes on",
		how: "SQLite by modernc.org/sqlite, in WAL mode and synchronous. group-commit-by-hand writes the inbox's own rows by the driver alone; " +
			"those of the smallest table know an event again and could not hand it out.",
	},
	{
		name: "Fixtures", dir: "fixtures", title: "replay 100, 400 and 1600 exchanges of 4 KB", units: []string{"ns/request", "allocs/request", "B/request", "open-ns"}, rounds: 3,
		how: "The same exchanges, recorded by both, are asked for in the reverse order. Opening is reading the file, once a test.",
	},
	{
		name: "Monitor", dir: "monitor", title: "a typed GET that a monitor watches, and one that nothing does",
	},
	{
		name: "Stripe", dir: "stripe", title: "list 100 charges, create a customer",
	},
	{
		name: "Build", dir: "stripe/cost", title: "a program that creates one customer", units: []string{"binary-bytes", "added-bytes", "user-s", "added-user-s", "peak-MiB"},
		how:    "The least of three builds each, in turns, from a cache that has the standard library.",
		rounds: 1, benchtime: "1x",
	},
}

func (p *part) roundsOf(asked int) int { return min(asked, cmp.Or(p.rounds, asked)) }

func (p *part) benchtimeOf(asked string) string { return cmp.Or(p.benchtime, asked) }

// pace says what of its own a part has of rounds and time, where so many rounds are
// asked for.
func (p *part) pace(asked int) string {
	var own []string
	switch n := p.roundsOf(asked); {
	case n == asked:
	case n == 1:
		own = append(own, "One round.")
	default:
		own = append(own, fmt.Sprintf("Medians of %d rounds.", n))
	}
	if p.benchtime != "" && p.benchtime != "1x" {
		own = append(own, fmt.Sprintf("Each way has %s in a round.", span(p.benchtime)))
	}
	return strings.Join(own, " ")
}

// span is a benchtime as one reads it.
func span(benchtime string) string {
	if runs, ok := strings.CutSuffix(benchtime, "x"); ok {
		return runs + " runs"
	}
	return benchtime
}
