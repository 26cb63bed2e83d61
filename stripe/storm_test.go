package stripe_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// storm puts faults before a handler by chance: of 100 requests, 20 lose their
// answer, 5 meet a 500 and 5 a 429, both before anything is executed.
func storm(next http.Handler, seed uint64) http.Handler {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	pass := func(f aplombtest.Fault) http.Handler { return aplombtest.NewScript(next).Always(f) }
	lost := pass(aplombtest.LostResponse())
	broken := answer(500, "application/json", jsonError("api_error", ""))
	busy := answer(429, "application/json", jsonError("rate_limit_error", "rate_limit"), "Stripe-Rate-Limited-Reason", "global-concurrency")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n := random.IntN(100)
		mu.Unlock()
		switch {
		case n < 20:
			lost.ServeHTTP(w, r)
		case n < 25:
			broken.ServeHTTP(w, r)
		case n < 30:
			busy.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// payAll pays orders 0 to n-1, each under its own key, and tries an order that
// failed again, until ctx ends. It returns how many it saw paid.
func payAll(ctx context.Context, sc *stripe.Client, n int) int {
	var next, paid atomic.Int64
	var workers sync.WaitGroup
	for range 40 {
		workers.Go(func() {
			for ctx.Err() == nil {
				order := int(next.Add(1)) - 1
				if order >= n {
					return
				}
				for ctx.Err() == nil {
					p := payment
					p.Metadata = map[string]string{"order": strconv.Itoa(order)}
					intent, err := sc.PaymentIntents.Create(ctx, p, aplomb.IdempotencyKey("order-"+strconv.Itoa(order)))
					if err == nil && intent.Status == "succeeded" {
						paid.Add(1)
						break
					}
					pause(time.Second)
				}
			}
		})
	}
	workers.Wait()
	return int(paid.Load())
}

// TestLaw01_StormChargesEachOrderOnce: 10,000 payments through the storm, by a
// program that dies half-way, answers under way and all, and is started again
// with the same orders.
func TestLaw01_StormChargesEachOrderOnce(t *testing.T) {
	t.Parallel()
	const orders = 10_000
	synctest.Test(t, func(t *testing.T) {
		fake := aplombtest.NewStripe()
		server := storm(fake, 7)
		first := serve(t, server)
		ctx, die := context.WithCancel(t.Context())
		go func() {
			for fake.Effects().Charges < orders/2 {
				pause(time.Second)
			}
			die()
		}()
		before := payAll(ctx, first, orders)
		half := fake.Effects().Charges
		assert.True(t, half >= orders/2 && half < orders, half)
		assert.True(t, before <= half, before)

		assert.Equal(t, payAll(t.Context(), serve(t, server), orders), orders)
		effects := fake.Effects()
		assert.Equal(t, effects.Charges, orders)
		assert.Equal(t, effects.PaymentIntents, orders)
		assert.Equal(t, effects.ChargedMinor, orders*payment.Amount)
		assert.True(t, effects.Replays > half, effects.Replays) // those that were paid before, and those whose answer was lost
	})
}

// TestLaw02_StoredFailureIsSurfaced: a 500 that Stripe stores is what every
// repetition gets. It is handed over, not asked for until the attempts run out,
// and no other key is tried behind the caller's back.
func TestLaw02_StoredFailureIsSurfaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := aplombtest.NewStripe()
		sc := serve(t, fake)
		for _, key := range []string{"order-7", ""} {
			fake.Crash(1)
			seen := len(fake.Received())
			var opts []aplomb.CallOption
			if key != "" {
				opts = append(opts, aplomb.IdempotencyKey(key))
			}
			_, err := sc.PaymentIntents.Create(t.Context(), payment, opts...)
			e, ok := errors.AsType[*stripe.Error](err)
			assert.True(t, ok, err)
			assert.Equal(t, e.StatusCode, 500)
			assert.Equal(t, e.Err.Attempts, 2) // the failure, and its replay
			assert.Contains(t, err.Error(), "look up what became of it")
			keys := map[string]bool{}
			for _, r := range fake.Received()[seen:] {
				keys[r.Header.Get("Idempotency-Key")] = true
			}
			assert.Equal(t, len(keys), 1)
		}
		_, err := sc.PaymentIntents.Create(t.Context(), payment, aplomb.IdempotencyKey("order-7")) // and again, a day long
		assert.Equal(t, aplomb.StatusCode(err), 500)
		assert.Equal(t, fake.Effects().Charges, 2)

		// A stored failure is no sign of how Stripe is: the breaker stays closed.
		for range 40 {
			_, _ = sc.PaymentIntents.Create(t.Context(), payment, aplomb.IdempotencyKey("order-7"))
		}
		_, err = sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{})
		assert.NoError(t, err)
	})
}

// TestLaw13_ListOfAThousand: 1,000 charges, 100 a page, in exactly ten requests,
// in order, none twice.
func TestLaw13_ListOfAThousand(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]aplomb.CallOption{"plain": nil, "prefetch": {aplomb.Prefetch()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := aplombtest.NewStripe()
			seeded := fake.SeedCharges("", 1000)
			sc := serve(t, fake)
			n := 0
			for charge, err := range sc.Charges.List(t.Context(), stripe.ChargeListParams{Limit: 100}, opts...) {
				assert.NoError(t, err)
				n++
				assert.Equal(t, charge.ID, seeded[len(seeded)-n])
			}
			assert.Equal(t, n, 1000)
			assert.Equal(t, len(fake.Received()), 10)

			back, err := aplomb.Collect(sc.Charges.List(t.Context(), stripe.ChargeListParams{Limit: 100, EndingBefore: seeded[249]}, opts...))
			assert.NoError(t, err)
			assert.Equal(t, len(back), 750)
			for i, charge := range back {
				assert.Equal(t, charge.ID, seeded[250+i])
			}
			assert.Equal(t, len(fake.Received()), 10+8)

			some, err := aplomb.Collect(sc.Charges.List(t.Context(), stripe.ChargeListParams{Limit: 100}, append(opts, aplomb.AtMost(150))...))
			assert.NoError(t, err)
			assert.Equal(t, len(some), 150)
			assert.Equal(t, len(fake.Received()), 10+8+2)
		})
	}
}

// pause is for code that runs inside a bubble only.
func pause(d time.Duration) { <-time.After(d) }
