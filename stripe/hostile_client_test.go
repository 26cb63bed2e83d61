package stripe_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

type vault struct{ key string }

func (v *vault) Secret(context.Context) (aplomb.Secret, error) { return aplomb.NewSecret(v.key), nil }

type source func(context.Context) (aplomb.Secret, error)

func (s source) Secret(ctx context.Context) (aplomb.Secret, error) { return s(ctx) }

// TestHostileTypedNilKey: aplomb.New refuses it in words, stripe.New panics.
func TestHostileTypedNilKey(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]aplomb.SecretSource{"pointer": (*vault)(nil), "func": source(nil)} {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s: panic: %v", name, p)
				}
			}()
			_, err := stripe.New(key)
			assert.True(t, err != nil)
		}()
	}
}

// TestHostileNewAsksNobody: "f is not called by New", says SecretFunc. rateOf's
// ended context does not keep Tokens from fetching: the flight is detached.
func TestHostileNewAsksNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		_, err := stripe.New(aplomb.SecretFunc(func(context.Context) (string, error) {
			asked.Add(1)
			return testKey, nil
		}))
		assert.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, asked.Load(), 0)
	})
}

// TestHostileNewWaitsForNobody: a source that heeds no context holds New up.
func TestHostileNewWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		open, made := make(chan struct{}), make(chan struct{})
		go func() {
			_, _ = stripe.New(source(func(context.Context) (aplomb.Secret, error) { <-open; return aplomb.NewSecret(testKey), nil }))
			close(made)
		}()
		select {
		case <-made:
		case <-time.After(time.Hour):
			t.Error("New still waits after an hour")
		}
		close(open)
		<-made
	})
}

// TestHostileNewSurvivesAPanic of a source that aplomb.New would not ask.
func TestHostileNewSurvivesAPanic(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("New panicked: %v", p)
		}
	}()
	_, _ = stripe.New(source(func(context.Context) (aplomb.Secret, error) { panic("vault") }))
}

// TestHostileOddErrorField: one field of another type makes the whole error
// unknown: a declined card is no ErrCardDeclined.
func TestHostileOddErrorField(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{`"param":["a"]`, `"source":7`, `"network_decline_code":51`, `"payment_method":{"id":"pm_1"},"doc_url":false`} {
		sc := serve(t, answer(402, "application/json", `{"error":{"type":"card_error","code":"card_declined",`+odd+`}}`))
		_, err := sc.PaymentIntents.Create(t.Context(), payment)
		if !errors.Is(err, stripe.ErrCardDeclined) {
			t.Errorf("%s: %v", odd, err)
		}
	}
}

// TestHostileLongConflict: a lock timeout whose body is over 16 KiB, as one with a
// whole payment intent may be, is a refusal for good.
func TestHostileLongConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := `{"error":{"code":"lock_timeout","type":"invalid_request_error","payment_intent":{"id":"pi_1","description":"` + strings.Repeat("x", 17<<10) + `"}}}`
		script := aplombtest.NewScript(aplombtest.NewStripe(), aplombtest.Answer(answer(409, "application/json", body).ServeHTTP))
		sc := serve(t, script)
		_, err := sc.PaymentIntents.Create(t.Context(), payment)
		if err != nil {
			t.Errorf("not sent again: %v", err)
		}
	})
}

// TestHostileRotationAndShouldRetry: Stripe-Should-Retry: false on a 401 says that
// this request is no good, not that one with the other key is.
func TestHostileRotationAndShouldRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+testKey {
				answer(401, "application/json", jsonError("invalid_request_error", "api_key_expired"), "Stripe-Should-Retry", "false").ServeHTTP(w, r)
				return
			}
			answer(200, "application/json", `{"id":"cus_1"}`).ServeHTTP(w, r)
		})
		srv := aplombtest.NewServer(t, h)
		sc, err := stripe.NewAt(srv.URL, aplomb.Rotation(aplomb.Static("sk_test_"+"oldKeyOld"), aplomb.Static(testKey)), aplomb.Transport(srv.Transport()))
		assert.NoError(t, err)
		t.Cleanup(sc.API().CloseIdleConnections)
		_, err = sc.Customers.Retrieve(t.Context(), "cus_1")
		if err != nil {
			t.Errorf("the other key was not tried: %v", err)
		}
	})
}

// TestHostileNothing: a success that says null or {} is a payment that is nothing.
func TestHostileNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"null", " null "} {
		sc := serve(t, answer(200, "application/json", body))
		pi, err := sc.PaymentIntents.Create(t.Context(), payment)
		if err == nil {
			t.Errorf("%q: %q with no error", body, pi.String())
		}
	}
}
