package header

import (
	"net/http"
	"time"
)

// standard reads RateLimit, completes its members with RateLimit-Policy, and
// adds the policies that RateLimit does not mention.
func standard(h http.Header, now clock) []Limit {
	var policies []Limit
	for _, it := range items(h["Ratelimit-Policy"]) {
		if it.key == "" && !it.bareNumber() { // for bare numbers see windows
			policies = append(policies, policy(it))
		}
	}
	limits := current(items(h["Ratelimit"]), now)
	used := make([]bool, len(policies))
	for i := range limits {
		for j, p := range policies {
			if p.Name == limits[i].Name && samePartition(p, limits[i]) {
				limits[i].Limit, limits[i].Window, used[j] = p.Limit, p.Window, true
				break
			}
		}
	}
	for j, p := range policies {
		if !used[j] {
			limits = append(limits, p)
		}
	}
	return limits
}

// samePartition: a policy without a partition key holds for all of them.
func samePartition(policy, l Limit) bool {
	return policy.Partition == "" || l.Partition == "" || policy.Partition == l.Partition
}

// policy reads a member of RateLimit-Policy: "name";q=100;w=60;pk=:YWJj:
func policy(it item) Limit {
	l := unknown(it.value)
	if q, ok := it.param("q"); ok {
		l.Limit = count(q)
	}
	l.Window = window(it)
	l.Partition, _ = it.param("pk")
	return l
}

// current reads the members of RateLimit: "name";r=50;t=30;pk=:YWJj: and the
// dictionary of draft 07: limit=100, remaining=50, reset=30.
func current(members []item, now clock) []Limit {
	var limits []Limit
	dict, isDict := unknown(""), false
	for _, it := range members {
		switch it.key {
		case "":
			l := unknown(it.value)
			if r, ok := it.param("r"); ok {
				l.Remaining = count(r)
			}
			if t, ok := it.param("t"); ok {
				l.Reset = now.reset(t)
			}
			l.Partition, _ = it.param("pk")
			limits = append(limits, l)
		case "limit":
			dict.Limit, isDict = count(it.value), true
		case "remaining":
			dict.Remaining, isDict = count(it.value), true
		case "reset":
			dict.Reset, isDict = now.reset(it.value), true
		}
	}
	if isDict {
		limits = append(limits, dict)
	}
	return limits
}

// windows lays the quota policies of the older drafts, `100;w=60, 1000;w=3600`,
// over the limits: the first unnamed quota of that size learns its window, and
// a policy that nothing else speaks of becomes a Limit of its own. from skips
// the members of RateLimit-Limit that repeat the limit itself.
func windows(limits []Limit, members []item, from int) []Limit {
	for i, it := range members {
		n, w := count(it.value), window(it)
		if !it.bareNumber() || w == 0 || known(limits, n, w) || i < from {
			continue
		}
		l := unknown("")
		l.Limit, l.Window = n, w
		limits = append(limits, l)
	}
	return limits
}

// known gives the window w to the first unnamed quota of n units that has none.
func known(limits []Limit, n int64, w time.Duration) bool {
	for i := range limits {
		l := &limits[i]
		if l.Name != "" || l.Limit != n || l.Window != 0 && l.Window != w {
			continue
		}
		l.Window = w
		return true
	}
	return false
}

// window reads the parameter w, in seconds.
func window(it item) time.Duration {
	w, _ := it.param("w")
	d, ok := parseDecimal(w)
	if !ok {
		return 0
	}
	return d.of(time.Second)
}
