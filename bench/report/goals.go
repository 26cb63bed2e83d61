package main

// goals are the limits that the issues set, in the order of the parts.
var goals = []goal{
	{part: "Call", name: "GET", unit: "ns/op", own: "aplomb", other: "composed", most: 0.80},
	{part: "Call", name: "GET", unit: "ns/op", own: "aplomb", other: "net-http", most: 1.05},
	{part: "Call", name: "GET", unit: "allocs/op", own: "aplomb", most: 31},
	{part: "Call", name: "POST", unit: "ns/op", own: "aplomb", other: "composed-http", most: 0.50},
	{part: "Call", name: "POST", unit: "ns/op", own: "aplomb", other: "net-http", most: 1.10},
	{part: "Call", name: "POST", unit: "allocs/op", own: "aplomb", most: 36},
	{part: "Call", name: "POST-bytes", unit: "ns/op", own: "aplomb", other: "composed-http", most: 0.50},
	{part: "Call", name: "POST-bytes", unit: "ns/op", own: "aplomb", other: "net-http", most: 1.10},
	{part: "Call", name: "POST-bytes", unit: "allocs/op", own: "aplomb", most: 36},
	{part: "Call", name: "POST-http", unit: "ns/op", own: "aplomb", other: "composed-http", most: 0.50},
	{part: "Call", name: "POST-http", unit: "ns/op", own: "aplomb", other: "net-http", most: 1.10},
	{part: "Call", name: "POST-http", unit: "allocs/op", own: "aplomb", most: 36},
	{part: "Call", name: "429", unit: "ns/op", own: "aplomb", other: "retryablehttp", most: 0.95},
	{part: "Call", name: "429", unit: "allocs/op", own: "aplomb", most: 45},

	{part: "Loopback", name: "shared-settings", unit: "calls/s", own: "aplomb", other: "composed", least: 1.10},
	{part: "Loopback", name: "shared-settings", unit: "p99-ns", own: "aplomb", other: "composed", most: 1},

	{part: "Contention", name: "1-key", unit: "cpu-ns/call", own: "64-goroutines", other: "1-goroutine", most: 1.05},
	{part: "Contention", name: "1-key", unit: "mutex-%", own: "64-goroutines", most: 1},
	{part: "Contention", name: "10000-keys", unit: "cpu-ns/call", own: "64-goroutines", other: "1-goroutine", most: 1.05},
	{part: "Contention", name: "10000-keys", unit: "mutex-%", own: "64-goroutines", most: 1},

	// Flat is within a tenth, and a twentieth for what does not depend on the machine.
	{part: "Growth", name: "hosts", unit: "ns/op", own: "10000", other: "1", most: 1.10},
	{part: "Growth", name: "hosts", unit: "B/op", own: "10000", other: "1", most: 1.05},
	{part: "Growth", name: "calls", unit: "ns/op", own: "1000000", other: "1", most: 1.10},
	{part: "Growth", name: "calls", unit: "B/op", own: "1000000", other: "1", most: 1.05},

	{part: "Startup", name: "init", unit: "added-init-ns", own: "aplomb", most: 1e6},
	{part: "Startup", name: "binary", unit: "added-bytes", own: "aplomb", most: 1e6},

	{part: "Pages", name: "cursor-100x100", unit: "ns/op", own: "aplomb", other: "stripe-go", most: 1 / 4.5},
	{part: "Pages", name: "cursor-10x100-5ms", unit: "ns/op", own: "aplomb", other: "stripe-go", most: 1 / 2.1},
	{part: "Pages", name: "cursor-10x100-5ms", unit: "ns/op", own: "aplomb", other: "chain-of-cursors", most: 1.25},

	{part: "GraphQL", name: "query", unit: "ns/op", own: "aplomb", other: "genqlient", most: 0.95},
	{part: "GraphQL", name: "query", unit: "ns/op", own: "aplomb", other: "net-http", most: 1.25},
	{part: "GraphQL", name: "query", unit: "ns/op", own: "aplomb", other: "hasura", most: 1 / 5.5},
	{part: "GraphQL", name: "query", unit: "allocs/op", own: "aplomb", most: 560},

	{part: "Webhook", name: "1KiB", unit: "ns/op", own: "aplomb", other: "stripe-go", most: 0.65},
	{part: "Webhook", name: "1KiB", unit: "allocs/op", own: "aplomb", none: true},

	// From the end of the first second on, of what the server says in headers; and of nothing but
	// Retry-After, where each refusal costs the second that it asks for.
	{part: "Quota", name: "headers-8s", unit: "used-%", own: "aplomb", least: 95},
	{part: "Quota", name: "headers-8s", unit: "refused-%", own: "aplomb", most: 1},
	{part: "Quota", name: "near-headers-8s", unit: "used-%", own: "aplomb", least: 95},
	{part: "Quota", name: "near-headers-8s", unit: "refused-%", own: "aplomb", most: 1},
	{part: "Quota", name: "Retry-After-30s", unit: "used-%", own: "aplomb", least: 90},
	{part: "Quota", name: "Retry-After-30s", unit: "refused-%", own: "aplomb", most: 2},

	{part: "Storm", name: "5s", unit: "requests", own: "aplomb", other: "net-http", most: 0.02},
	{part: "Storm", name: "5s", unit: "first-good-ms", own: "aplomb", most: 600},
	{part: "Storm", name: "5s", unit: "failed-late", own: "aplomb", none: true},
	{part: "Storm", name: "20s", unit: "requests", own: "aplomb", other: "net-http", most: 0.02},
	{part: "Storm", name: "20s", unit: "first-good-ms", own: "aplomb", most: 600},
	{part: "Storm", name: "20s", unit: "failed-late", own: "aplomb", none: true},

	{part: "Inbox", name: "64-writers", unit: "events/s", own: "aplomb", other: "group-commit-by-hand", least: 0.9},

	{part: "Fixtures", name: "GET-1600", unit: "ns/request", own: "aplomb", most: 200_000},
	{part: "Fixtures", name: "POST-1600", unit: "ns/request", own: "aplomb", most: 200_000},

	{part: "Monitor", name: "loopback", unit: "ns/op", own: "with", other: "without", most: 1.05},
	{part: "Monitor", name: "memory", unit: "allocs/op", own: "with", other: "without", beyond: true, most: 2},

	{part: "Stripe", name: "list", unit: "ns/op", own: "aplomb", other: "stripe-go", most: 1.0 / 4},
	{part: "Stripe", name: "list", unit: "allocs/op", own: "aplomb", most: 2000},
	{part: "Stripe", name: "create", unit: "allocs/op", own: "aplomb", most: 90},
	{part: "Build", name: "customer", unit: "added-bytes", own: "aplomb", most: 1_200_000},
	{part: "Build", name: "customer", unit: "added-user-s", own: "aplomb", other: "stripe-go", most: 1.0 / 3},
	{part: "Build", name: "customer", unit: "peak-MiB", own: "aplomb", other: "stripe-go", most: 1.0 / 3},
}
