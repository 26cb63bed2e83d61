package aplomb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Fleet is an [Option]: the replicas of a service share one rate, and what one
// learns of a closed quota all obey, by way of a [Store]. It is off by default:
// each client then keeps limits of its own.
//
//	aplomb.Fleet{Store: redis.Store{Client: rdb}}
//
// What it shares is [RateLimit] and [Breaker], so one of them must be on:
//
//   - A told rate ([RateLimit].PerSecond and its Burst) is that of all replicas
//     together. Each attempt takes its place in one schedule, which costs one
//     operation of the store.
//   - Where no rate was told, the one that the server states for a window of at
//     most 2 s (RateLimit-Policy, w=1) is shared alike, two at once. Any other
//     rate each replica finds for itself, by what is left for it.
//   - A 429, a 503 with Retry-After, and a window that is used up for more than
//     3 s close the quota for all. A shorter closing does too, unless each answer
//     says what is left: then each replica sees that for itself.
//   - A breaker that trips makes the other replicas wary for as long: there
//     three failures in a row open it. It opens no other by itself.
//
// The store can make no call fail (law 10). An operation that fails or takes
// longer than Timeout leaves the store alone for 1 s, doubled to at most 5 s
// while it stays away; then one operation tries it again and the calls go on
// without. [Hooks].Store and the log tell when it goes and comes back.
//
// While the store is away each replica keeps to its own limits alone: its told
// rate in full, and the gates of the 429s that it saw itself. N replicas may
// together send up to N times the rate until the store is back, a 429 that one
// of them sees meanwhile stops that one only, and a trip warns nobody.
type Fleet struct {
	// Store is what the replicas share. Required.
	Store Store
	// Timeout bounds what the store can add to a call. Default 25 ms.
	Timeout time.Duration
	// Prefix begins the store's keys and tells quotas apart: clients with the
	// same prefix and origin ([RateLimit].Key) share one, and one each for the
	// Bearer or Basic credentials that requests bring themselves, of which the
	// store sees 96 bits of a hash. Default: the client's name.
	Prefix string
}

func (f Fleet) applyClient(c *config) error {
	if isNil(f.Store) {
		return errors.New("aplomb: Fleet.Store is nil: set it, or leave Fleet out")
	}
	c.fleet = &f
	return plausible("Fleet", named{"Timeout", f.Timeout})
}

// replicas are what a client shares its limits with. They are known by this
// interface, so that a program without [Fleet] links none of it.
type replicas interface {
	wait(l *limits, a *Attempt) error
	admitNow(l *limits, a *Attempt) bool
	announce(q *quota, a *Attempt, events []QuotaEvent)
	close(key string, d time.Duration)
	closed(key string) time.Duration
	flush(w *watchers) (told bool)
}

// A founder makes a client one of several replicas.
type founder interface{ found(client string) replicas }

// alone is a client without others.
type alone struct{}

func (alone) wait(l *limits, a *Attempt) error        { return l.waitAlone(a) }
func (alone) admitNow(l *limits, a *Attempt) bool     { return l.admitNowAlone(a) }
func (alone) announce(*quota, *Attempt, []QuotaEvent) {}
func (alone) close(string, time.Duration)             {}
func (alone) closed(string) time.Duration             { return 0 }
func (alone) flush(*watchers) bool                    { return false }

// fleet is a store behind a guard.
type fleet struct {
	store  Store
	prefix string
	guard  *guard
	advice *keyed[*advice]

	mu       sync.Mutex
	closings map[string]time.Time // not yet told to the store: until when
	telling  int                  // goroutines that tell it
	asking   int                  // of Closed, under way
}

// Bounds of what goes on in the background (law 7).
const (
	maxTelling  = 4
	maxClosings = 256
	maxAsking   = 4
	maxStoreKey = 256 // bytes; a longer key is replaced by its hash
	adviceFor   = 250 * time.Millisecond
)

func (f Fleet) withDefaults(client string) Fleet {
	f.Timeout = orDefault(f.Timeout, 25*time.Millisecond)
	f.Prefix = orDefault(orDefault(f.Prefix, client), "aplomb")
	return f
}

func (f *Fleet) found(client string) replicas { return newFleet(f, client) }

func newFleet(f *Fleet, client string) *fleet {
	cfg := f.withDefaults(client)
	return &fleet{
		store:    cfg.Store,
		prefix:   cfg.Prefix,
		guard:    &guard{timeout: cfg.Timeout},
		advice:   newKeyed(maxKeys, func(string) *advice { return &advice{} }),
		closings: map[string]time.Time{},
	}
}

// key is what the store knows key by.
func (f *fleet) key(key string) string {
	if len(f.prefix)+1+len(key) <= maxStoreKey {
		return f.prefix + " " + key
	}
	sum := sha256.Sum256([]byte(f.prefix + " " + key))
	return "sha256 " + hex.EncodeToString(sum[:])
}

// take takes a place in the schedule that all replicas share. Where ok, the
// caller sends after wait, or refuses if wait is above claim.MaxWait, in which
// case nothing was taken. Otherwise the store is of no use now, and the
// caller's own limits hold. It returns within the fleet's timeout, and has at
// most half the time that is left until ctx's deadline.
func (f *fleet) take(ctx context.Context, key string, claim Claim) (wait time.Duration, ok bool) {
	if ctx.Err() != nil {
		return 0, false
	}
	var answer time.Duration
	op := f.guard.start(func(ctx context.Context) (err error) {
		answer, err = f.store.Take(ctx, f.key(key), claim)
		if most := MaxClosing + claim.MaxWait + claim.Interval(); err == nil && answer > most {
			err = fmt.Errorf("the store names a wait of %v, which no claim and no closing explains", answer)
		}
		return err
	})
	if !op.await(ctx) {
		return 0, false
	}
	return max(0, answer), true
}

// close tells all replicas that key is closed for d. It waits for nothing: the
// store is told in the background, once, and not at all while it is away.
func (f *fleet) close(key string, d time.Duration) {
	if d <= 0 {
		return
	}
	until := time.Now().Add(min(d, MaxClosing))
	f.advice.get(key).extend(until)
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, pending := f.closings[key]; !pending && len(f.closings) >= maxClosings {
		return
	}
	f.closings[key] = later(f.closings[key], until)
	if f.telling < maxTelling {
		f.telling++
		go f.tell()
	}
}

// tell tells the store of closings until none is left.
func (f *fleet) tell() {
	for {
		key, until, ok := f.nextClosing()
		if !ok {
			return
		}
		op := f.guard.start(func(ctx context.Context) error {
			return f.store.Close(ctx, f.key(key), time.Until(until))
		})
		op.wait()
	}
}

func (f *fleet) nextClosing() (key string, until time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, until = range f.closings {
		delete(f.closings, key)
		return key, until, true
	}
	f.telling--
	return "", time.Time{}, false
}

// closed is how much longer key is closed as far as is known here: by close,
// and by what the store said when it was last asked, which is at most every
// 250 ms and in the background.
func (f *fleet) closed(key string) time.Duration {
	a := f.advice.get(key)
	left, stale := a.look(time.Now())
	if stale && f.mayAsk() {
		f.ask(key, a)
	}
	return left
}

func (f *fleet) mayAsk() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asking >= maxAsking {
		return false
	}
	f.asking++
	return true
}

func (f *fleet) ask(key string, a *advice) {
	op := f.guard.start(func(ctx context.Context) error {
		defer f.asked()
		d, err := f.store.Closed(ctx, f.key(key))
		if err == nil {
			a.learn(d)
		}
		return err
	})
	if op == nil {
		f.asked()
	}
}

func (f *fleet) asked() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asking--
}

// flush tells w what became of the store, with no lock held, so that a hook may
// call the client.
func (f *fleet) flush(w *watchers) (told bool) {
	events := f.guard.drain()
	for _, e := range events {
		w.store(e)
	}
	return len(events) > 0
}

// learn takes in that the store knows key as closed for d.
func (f *fleet) learn(key string, d time.Duration) { f.advice.get(key).learn(d) }

// advice is what is known of one key's closing.
type advice struct {
	mu    sync.Mutex
	until time.Time
	asked time.Time
}

// extend takes a closing in. None is ever shortened, here or in the store, so
// an answer that was overtaken does no harm.
func (a *advice) extend(until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = later(a.until, until)
}

func (a *advice) learn(d time.Duration) {
	if d > 0 {
		a.extend(time.Now().Add(min(d, MaxClosing)))
	}
}

// look is what is left of the closing, and whether it is time to ask again.
func (a *advice) look(now time.Time) (left time.Duration, stale bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if stale = now.Sub(a.asked) >= adviceFor; stale {
		a.asked = now
	}
	return max(0, a.until.Sub(now)), stale
}
