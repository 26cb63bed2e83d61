package stripe_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/stripe"
)

// orders is how many there are to be paid, payTo the environment variable that
// makes this program the one that pays them.
const (
	orders = 10_000
	payTo  = "APLOMB_PAY_TO"
)

func TestMain(m *testing.M) {
	if base := os.Getenv(payTo); base != "" {
		if err := payOrders(base); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// payOrders is a service on a bad day: it pays every order there is, from the
// first on, and knows of none whether it was paid before.
func payOrders(base string) error {
	sc, err := stripe.NewAt(base, aplomb.Static("sk_test_"+"123"), aplomb.NoRateLimit(), aplomb.Retry{MinBackoff: 2 * time.Millisecond, MaxBackoff: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 64 {
		workers.Go(func() {
			for order := next.Add(1); order <= orders; order = next.Add(1) {
				for pay(sc, int(order)) != nil {
					time.Sleep(5 * time.Millisecond) // then again, under the same key
				}
			}
		})
	}
	workers.Wait()
	return nil
}

func pay(sc *stripe.Client, order int) error {
	_, err := sc.PaymentIntents.Create(context.Background(), stripe.PaymentIntentCreateParams{
		Amount: int64(1000 + order), Currency: "usd", PaymentMethod: "pm_card_visa", PaymentMethodTypes: []string{"card"}, Confirm: true,
		Metadata: map[string]string{"order": strconv.Itoa(order)},
	}, aplomb.IdempotencyKey("order-"+strconv.Itoa(order)))
	return err
}

// storm loses every fifth answer, and refuses one request of ten before it does
// anything.
func storm(next http.Handler) http.Handler {
	lost := aplombtest.NewScript(next).Always(aplombtest.LostResponse())
	refuse := func(w http.ResponseWriter, status int, kind string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"type":%q,"message":"m"}}`, kind)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := rand.IntN(100); {
		case n < 20:
			lost.ServeHTTP(w, r)
		case n < 25:
			refuse(w, http.StatusInternalServerError, "api_error")
		case n < 30:
			refuse(w, http.StatusTooManyRequests, "rate_limit_error")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// TestKilledProcessPaysEachOrderOnce: the process is killed, without a word, when
// half of the orders are paid, and is started again with the same orders.
func TestKilledProcessPaysEachOrderOnce(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	server := httptest.NewServer(storm(fake))
	defer server.Close()
	run := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), payTo+"="+server.URL)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		return cmd
	}
	first := run()
	for fake.Effects().Charges < orders/2 {
		time.Sleep(time.Millisecond)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // reports the kill
	half := fake.Effects().Charges
	if half >= orders {
		t.Fatalf("%d orders were paid before the kill: it came too late to test anything", half)
	}
	if err := run().Wait(); err != nil {
		t.Fatalf("the second run: %v", err)
	}
	effects := fake.Effects()
	want := int64(orders*1000 + orders*(orders+1)/2)
	if effects.Charges != orders || effects.PaymentIntents != orders || effects.ChargedMinor != want {
		t.Errorf("%d charges of %d payment intents, %d in all; want %d, each once, %d in all", effects.Charges, effects.PaymentIntents, effects.ChargedMinor, orders, want)
	}
	t.Logf("killed after %d; %d requests, %d of them answered from a key", half, effects.Requests, effects.Replays)
}
