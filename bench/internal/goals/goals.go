// Package goals has the limits that the issues set, for the report and for the tests
// that hold them.
package goals

import (
	"cmp"
	"slices"
	"testing"
)

// Goal is what a figure has to be at most, or at least.
type Goal struct {
	Part, Name string // the case's
	Unit       string
	Own        string // the way that is held to it
	Other      string // it counts in times of this way's; "" is the figure itself
	Beyond     bool   // it counts beyond the other's, and not in times of it
	Most       float64
	Least      float64 // where there is no most
	None       bool    // at most 0
}

// Of are the goals of a part.
func Of(part string) (all []Goal) {
	for _, g := range All {
		if g.Part == part {
			all = append(all, g)
		}
	}
	return all
}

// Limit is what a figure is held to, in times of other's or beyond it where that is not "".
func Limit(tb testing.TB, part, name, unit, other string) float64 {
	tb.Helper()
	i := slices.IndexFunc(All, func(g Goal) bool {
		return g.Part == part && g.Name == name && g.Unit == unit && g.Other == other
	})
	if i < 0 {
		tb.Fatalf("no goal for %s of %s/%s beside %q", unit, part, name, other)
	}
	return cmp.Or(All[i].Most, All[i].Least)
}

// All are in the order of the report's parts.
var All = []Goal{
	{Part: "Call", Name: "GET", Unit: "ns/op", Own: "aplomb", Other: "composed", Most: 0.80},
	{Part: "Call", Name: "GET", Unit: "ns/op", Own: "aplomb", Other: "net-http", Most: 1.05},
	{Part: "Call", Name: "GET", Unit: "allocs/op", Own: "aplomb", Most: 31},
	{Part: "Call", Name: "POST", Unit: "ns/op", Own: "aplomb", Other: "composed-http", Most: 0.50},
	{Part: "Call", Name: "POST", Unit: "ns/op", Own: "aplomb", Other: "net-http", Most: 1.10},
	{Part: "Call", Name: "POST", Unit: "allocs/op", Own: "aplomb", Most: 36},
	{Part: "Call", Name: "POST-bytes", Unit: "ns/op", Own: "aplomb", Other: "composed-http", Most: 0.50},
	{Part: "Call", Name: "POST-bytes", Unit: "ns/op", Own: "aplomb", Other: "net-http", Most: 1.10},
	{Part: "Call", Name: "POST-bytes", Unit: "allocs/op", Own: "aplomb", Most: 36},
	{Part: "Call", Name: "POST-http", Unit: "ns/op", Own: "aplomb", Other: "composed-http", Most: 0.50},
	{Part: "Call", Name: "POST-http", Unit: "ns/op", Own: "aplomb", Other: "net-http", Most: 1.10},
	{Part: "Call", Name: "POST-http", Unit: "allocs/op", Own: "aplomb", Most: 36},
	{Part: "Call", Name: "429", Unit: "ns/op", Own: "aplomb", Other: "retryablehttp", Most: 0.95},
	{Part: "Call", Name: "429", Unit: "allocs/op", Own: "aplomb", Most: 45},

	{Part: "Loopback", Name: "shared-settings", Unit: "calls/s", Own: "aplomb", Other: "composed", Least: 1.10},
	{Part: "Loopback", Name: "shared-settings", Unit: "p99-ns", Own: "aplomb", Other: "composed", Most: 1},

	{Part: "Contention", Name: "1-key", Unit: "cpu-ns/call", Own: "64-goroutines", Other: "1-goroutine", Most: 1.05},
	{Part: "Contention", Name: "1-key", Unit: "mutex-%", Own: "64-goroutines", Most: 1},
	{Part: "Contention", Name: "10000-keys", Unit: "cpu-ns/call", Own: "64-goroutines", Other: "1-goroutine", Most: 1.05},
	{Part: "Contention", Name: "10000-keys", Unit: "mutex-%", Own: "64-goroutines", Most: 1},

	// Flat is within a tenth, and a twentieth for what does not depend on the machine.
	{Part: "Growth", Name: "hosts", Unit: "ns/op", Own: "10000", Other: "1", Most: 1.10},
	{Part: "Growth", Name: "hosts", Unit: "B/op", Own: "10000", Other: "1", Most: 1.05},
	{Part: "Growth", Name: "calls", Unit: "ns/op", Own: "1000000", Other: "1", Most: 1.10},
	{Part: "Growth", Name: "calls", Unit: "B/op", Own: "1000000", Other: "1", Most: 1.05},

	{Part: "Startup", Name: "init", Unit: "added-init-ns", Own: "aplomb", Most: 1e6},
	{Part: "Startup", Name: "binary", Unit: "added-bytes", Own: "aplomb", Most: 1e6},

	{Part: "Pages", Name: "cursor-100x100", Unit: "ns/op", Own: "aplomb", Other: "stripe-go", Most: 1 / 4.5},
	{Part: "Pages", Name: "cursor-10x100-5ms", Unit: "ns/op", Own: "aplomb", Other: "stripe-go", Most: 1 / 2.1},
	{Part: "Pages", Name: "cursor-10x100-5ms", Unit: "ns/op", Own: "aplomb", Other: "chain-of-cursors", Most: 1.25},

	{Part: "GraphQL", Name: "query", Unit: "ns/op", Own: "aplomb", Other: "genqlient", Most: 0.95},
	{Part: "GraphQL", Name: "query", Unit: "ns/op", Own: "aplomb", Other: "net-http", Most: 1.25},
	{Part: "GraphQL", Name: "query", Unit: "ns/op", Own: "aplomb", Other: "hasura", Most: 1 / 5.5},
	{Part: "GraphQL", Name: "query", Unit: "allocs/op", Own: "aplomb", Most: 560},

	{Part: "Webhook", Name: "1KiB", Unit: "ns/op", Own: "aplomb", Other: "stripe-go", Most: 0.65},
	{Part: "Webhook", Name: "1KiB", Unit: "allocs/op", Own: "aplomb", None: true},

	// From the end of the first second on, of what the server says in headers; and of nothing but
	// Retry-After, where each refusal costs the second that it asks for.
	{Part: "Quota", Name: "headers-8s", Unit: "used-%", Own: "aplomb", Least: 95},
	{Part: "Quota", Name: "headers-8s", Unit: "refused-%", Own: "aplomb", Most: 1},
	{Part: "Quota", Name: "near-headers-8s", Unit: "used-%", Own: "aplomb", Least: 95},
	{Part: "Quota", Name: "near-headers-8s", Unit: "refused-%", Own: "aplomb", Most: 1},
	{Part: "Quota", Name: "Retry-After-30s", Unit: "used-%", Own: "aplomb", Least: 90},
	{Part: "Quota", Name: "Retry-After-30s", Unit: "refused-%", Own: "aplomb", Most: 2},

	{Part: "Storm", Name: "5s", Unit: "requests", Own: "aplomb", Other: "net-http", Most: 0.02},
	{Part: "Storm", Name: "5s", Unit: "first-good-ms", Own: "aplomb", Most: 600},
	{Part: "Storm", Name: "5s", Unit: "failed-late", Own: "aplomb", None: true},
	{Part: "Storm", Name: "20s", Unit: "requests", Own: "aplomb", Other: "net-http", Most: 0.02},
	{Part: "Storm", Name: "20s", Unit: "first-good-ms", Own: "aplomb", Most: 600},
	{Part: "Storm", Name: "20s", Unit: "failed-late", Own: "aplomb", None: true},

	{Part: "Inbox", Name: "64-writers", Unit: "events/s", Own: "aplomb", Other: "group-commit-by-hand", Least: 0.9},

	{Part: "Fixtures", Name: "GET-1600", Unit: "ns/request", Own: "aplomb", Most: 200_000},
	{Part: "Fixtures", Name: "POST-1600", Unit: "ns/request", Own: "aplomb", Most: 200_000},

	{Part: "Monitor", Name: "loopback", Unit: "ns/op", Own: "with", Other: "without", Most: 1.05},
	{Part: "Monitor", Name: "memory", Unit: "allocs/op", Own: "with", Other: "without", Beyond: true, Most: 2},

	{Part: "Stripe", Name: "list", Unit: "ns/op", Own: "aplomb", Other: "stripe-go", Most: 1.0 / 4},
	{Part: "Stripe", Name: "list", Unit: "allocs/op", Own: "aplomb", Most: 2000},
	{Part: "Stripe", Name: "create", Unit: "allocs/op", Own: "aplomb", Most: 90},
	{Part: "Build", Name: "customer", Unit: "added-bytes", Own: "aplomb", Most: 1_200_000},
	{Part: "Build", Name: "customer", Unit: "added-user-s", Own: "aplomb", Other: "stripe-go", Most: 1.0 / 3},
	{Part: "Build", Name: "customer", Unit: "peak-MiB", Own: "aplomb", Other: "stripe-go", Most: 1.0 / 3},
}
