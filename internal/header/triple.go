package header

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// triple is one set of fields that together state a quota. Keys are canonical,
// so that looking them up is a plain map access.
type triple struct {
	name             string   // fixed name of a family member
	nameFrom         []string // else fields that carry the name
	limit, remaining string
	reset            []string // the first that can be read counts
	window           time.Duration
}

// triples lists the dialects in the order in which Limits gives them.
var triples = [...]triple{
	{
		nameFrom: []string{"Ratelimit-Name"}, // GitLab
		limit:    "Ratelimit-Limit", remaining: "Ratelimit-Remaining", reset: []string{"Ratelimit-Reset"},
	},
	{
		// GitHub names the resource, Discord the bucket; Discord's Reset-After
		// is a delay and so free of clock skew.
		nameFrom: []string{"X-Ratelimit-Resource", "X-Ratelimit-Bucket"},
		limit:    "X-Ratelimit-Limit", remaining: "X-Ratelimit-Remaining",
		reset: []string{"X-Ratelimit-Reset-After", "X-Ratelimit-Reset"},
	},
	{
		limit: "X-Rate-Limit-Limit", remaining: "X-Rate-Limit-Remaining",
		reset: []string{"X-Rate-Limit-Reset-After", "X-Rate-Limit-Reset"},
	},
	openAI("requests", "Requests"), openAI("tokens", "Tokens"),
	kong("second", "Second", time.Second), kong("minute", "Minute", time.Minute),
	kong("hour", "Hour", time.Hour), kong("day", "Day", 24*time.Hour),
	family("X-Ratelimit-", "requests", "Requests"), family("X-Ratelimit-", "complexity", "Complexity"), // Linear
	family("Anthropic-Ratelimit-", "requests", "Requests"),
	family("Anthropic-Ratelimit-", "tokens", "Tokens"),
	family("Anthropic-Ratelimit-", "input-tokens", "Input-Tokens"),
	family("Anthropic-Ratelimit-", "output-tokens", "Output-Tokens"),
}

// openAI: x-ratelimit-limit-requests (platform.openai.com/docs/guides/rate-limits).
func openAI(name, member string) triple {
	return triple{
		name:  name,
		limit: "X-Ratelimit-Limit-" + member, remaining: "X-Ratelimit-Remaining-" + member,
		reset: []string{"X-Ratelimit-Reset-" + member},
	}
}

// kong: X-RateLimit-Limit-Minute (docs.konghq.com, rate-limiting plugin): the
// same spelling, and the name tells the window.
func kong(name, member string, window time.Duration) triple {
	t := openAI(name, member)
	t.window = window
	return t
}

// family: anthropic-ratelimit-requests-limit (docs.anthropic.com/en/api/rate-limits),
// X-RateLimit-Complexity-Limit (linear.app/developers/rate-limiting).
func family(prefix, name, member string) triple {
	return triple{
		name:  name,
		limit: prefix + member + "-Limit", remaining: prefix + member + "-Remaining",
		reset: []string{prefix + member + "-Reset"},
	}
}

// has reports that a field belongs to the dialect.
func (t *triple) has(field string) bool {
	return field == t.limit || field == t.remaining || slices.Contains(t.reset, field)
}

// read gives the quota of one dialect; ok is false when it states no number.
func (t *triple) read(h http.Header, now clock) (l Limit, ok bool) {
	l = unknown(t.name)
	l.Limit = leading(h, t.limit)
	l.Remaining = leading(h, t.remaining)
	for _, key := range t.reset {
		if v := first(h, key); v != "" && l.Reset < 0 {
			l.Reset = now.reset(v)
		}
	}
	if l.Limit < 0 && l.Remaining < 0 && l.Reset < 0 {
		return Limit{}, false
	}
	l.Window = t.window
	for _, key := range t.nameFrom {
		if l.Name == "" {
			l.Name = unquote(first(h, key))
		}
	}
	return l, true
}

// leading is the first number of a field that may go on as a list or with
// parameters: "100, 100;w=60", Docker Hub's "76;w=21600".
func leading(h http.Header, key string) int64 {
	v := h[key]
	if len(v) == 0 {
		return -1
	}
	head, _, _ := strings.Cut(v[0], ",") // no quotes before the first number
	head, _, _ = strings.Cut(head, ";")
	return count(head)
}
