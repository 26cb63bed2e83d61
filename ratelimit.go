package aplomb

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RateLimit is an [Option]: how fast requests are sent. RateLimit{} is what
// every [New] client has: no rate of its own, but it finds and keeps the
// server's.
//
// A 429, a 503 with Retry-After, or an answer that says nothing is left, closes
// the quota's gate for every caller until the server's time; then one request looks, and the rest
// follow paced, not all at once. Where answers say what is left (X-RateLimit-*,
// RateLimit and RateLimit-Policy, and the vendors' own), no request is sent that
// the server has no unit for: a window's last tenth is spread over the time to
// its reset, and a token bucket is used as fast as it is seen to fill. Where
// nothing but refusals says it, two of them teach the rate, which is held, and
// after a while carefully exceeded. What a quota costs is taken for one unit a
// request. See [NoRateLimit].
//
// A wait that would outlive the context's deadline, or MaxWait where there is
// none, is refused at once with [ErrRateLimited] and the time it would be ready
// (law 3). After a Retry-After longer than [Retry].MaxRetryAfter the call that
// met it ends; later ones wait, if their deadlines let them.
type RateLimit struct {
	// PerSecond is a rate you were told, kept whatever the server says. Zero: none.
	PerSecond float64
	// Burst is how many requests may go at once under PerSecond; after a closed gate
	// none do, until that many have come together again. Default: one second's worth,
	// at least 1.
	Burst int
	// Headroom is the share of a quota that is spread over the time to its
	// reset. Default 0.1: the rest may go as fast as callers come, and the end is
	// not met at full speed.
	Headroom float64
	// MaxWait is the longest wait before one attempt of a call whose caller set
	// neither a deadline nor a [Timeout]. Default 60 s, as long as a typed call
	// may take.
	MaxWait time.Duration
	// Key groups requests under one rate and quota. Default: the origin; what
	// is learned of the server's quotas is kept apart for each Bearer or Basic
	// credential that requests bring themselves. A quota that answers do not name
	// is taken to be one for all operations: where an API has one per endpoint
	// without saying so, give each endpoint a key.
	Key func(*http.Request) string
}

func (l RateLimit) applyClient(c *config) error {
	switch {
	case l.PerSecond < 0 || math.IsNaN(l.PerSecond) || math.IsInf(l.PerSecond, 0):
		return fmt.Errorf("aplomb: RateLimit.PerSecond: %v is not a rate; zero means none", l.PerSecond)
	case l.Burst < 0:
		return fmt.Errorf("aplomb: RateLimit.Burst: %d is negative; zero means one second's worth", l.Burst)
	case l.Burst > 0 && l.PerSecond == 0:
		return errors.New("aplomb: RateLimit.Burst has no effect without PerSecond")
	case l.Headroom < 0 || l.Headroom > 1 || math.IsNaN(l.Headroom):
		return fmt.Errorf("aplomb: RateLimit.Headroom: %v is not between 0 and 1", l.Headroom)
	}
	c.rateLimit, c.keyed = &l, c.keyed || l.Key != nil
	return plausible("RateLimit", named{"MaxWait", l.MaxWait})
}

// NoRateLimit switches off the told rate, the quota gate and pacing.
func NoRateLimit() Option {
	return clientOption(func(c *config) error { c.rateLimit = nil; return nil })
}

func (l RateLimit) withDefaults() RateLimit {
	l.Headroom = orDefault(l.Headroom, 0.1)
	l.MaxWait = orDefault(l.MaxWait, 60*time.Second)
	l.Burst = orDefault(l.Burst, max(1, int(min(l.PerSecond, math.MaxInt32))))
	return l
}

// limits holds the state behind RateLimit: a limiter per key where a rate was
// told, and what was learned of quotas per key and credential.
type limits struct {
	cfg    RateLimit
	seed   maphash.Seed
	random func() float64
	told   *keyed[*told] // nil without PerSecond
	quotas *keyed[*quota]
}

func newLimits(l *RateLimit) *limits {
	if l == nil {
		return nil
	}
	cfg := l.withDefaults()
	made := &limits{cfg: cfg, seed: maphash.MakeSeed(), random: rand.Float64}
	made.quotas = newKeyed(maxKeys, func(string) *quota { return newQuota(cfg, func() float64 { return made.random() }) })
	if cfg.PerSecond > 0 {
		made.told = newKeyed(maxKeys, func(string) *told { return newTold(cfg) })
	}
	return made
}

func (l *limits) key(a *Attempt) string {
	if l.cfg.Key != nil {
		key := l.cfg.Key(a.Request)
		a.at = time.Now() // it may have taken its time
		return key
	}
	return a.originKey()
}

// quotaKey tells apart the credentials that requests bring themselves, by a
// hash that cannot be turned back. A signature is a new one each time, and says
// nothing of whose quota it is.
func (l *limits) quotaKey(a *Attempt, key string) string {
	if _, _, own := l.credential(a); !own {
		return key
	}
	return key + " " + strconv.FormatUint(maphash.String(l.seed, a.Request.Header.Get("Authorization")), 36)
}

// credential is the one that the request brings, if quotas are told apart by it.
func (l *limits) credential(a *Attempt) (scheme, secret string, own bool) {
	scheme, secret, _ = strings.Cut(headerField(a.Request.Header, "Authorization"), " ")
	return scheme, secret, l.cfg.Key == nil && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Basic"))
}

// wait holds the attempt until the quota's gates and the told rate let it through,
// or refuses it.
func (l *limits) wait(a *Attempt) error {
	if l == nil {
		return nil
	}
	return a.call.stack.fleet.wait(l, a)
}

func (l *limits) waitAlone(a *Attempt) error {
	return l.joinAlone(a).wait(a, l.latest(a))
}

// admitNow is wait for what may not wait, such as a hedge.
func (l *limits) admitNow(a *Attempt) bool {
	if l == nil {
		return true
	}
	return a.call.stack.fleet.admitNow(l, a)
}

func (l *limits) admitNowAlone(a *Attempt) bool {
	return l.joinAlone(a).admitNow(a)
}

// joinAlone finds the attempt's quota and told rate.
func (l *limits) joinAlone(a *Attempt) *quota {
	key := l.key(a)
	a.quota = l.quotas.get(l.quotaKey(a, key))
	if l.told != nil {
		a.told = l.told.get(key)
	}
	return a.quota
}

// latest is the last moment a wait may last to.
func (l *limits) latest(a *Attempt) time.Time {
	longest := a.at.Add(l.cfg.MaxWait)
	deadline, ok := a.ctx.Deadline()
	if ok && (!a.call.patient || deadline.Before(longest)) {
		return deadline
	}
	return longest
}

func limitRefusal(what string, now, readyAt, latest time.Time) error {
	return &refusal{sentinel: ErrRateLimited, readyAt: readyAt,
		why: fmt.Sprintf("%s allows the next request in %s; not waiting because the call may wait only %s",
			what, brief(readyAt.Sub(now)), brief(max(0, latest.Sub(now))))}
}
