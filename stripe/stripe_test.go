package stripe_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// testKey is put together here so that no scanner takes it for a real one.
const testKey = "sk_test_" + "51NotARealKey"

// serve starts h and returns a client of it. Inside a bubble time is virtual.
func serve(t *testing.T, h http.Handler, opts ...aplomb.Option) *stripe.Client {
	t.Helper()
	srv := aplombtest.NewServer(t, h)
	sc, err := stripe.NewAt(srv.URL, aplomb.Static(testKey), append([]aplomb.Option{aplomb.Transport(srv.Transport())}, opts...)...)
	assert.NoError(t, err)
	t.Cleanup(sc.API().CloseIdleConnections)
	return sc
}

// answer serves the same answer to every request.
func answer(status int, contentType, body string, headerKV ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(headerKV); i += 2 {
			w.Header().Set(headerKV[i], headerKV[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func TestCustomer(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	sc := serve(t, fake)
	made, err := sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{
		Email: "ada@example.com", Name: "Ada", Metadata: map[string]string{"plan": "pro", "a b": "1&2=3"},
		Extra: map[string][]string{"address[city]": {"Oslo"}},
	})
	assert.NoError(t, err)
	assert.Equal(t, made.Metadata, map[string]string{"plan": "pro", "a b": "1&2=3"})
	assert.Contains(t, string(made.Raw.JSON()), `"city": "Oslo"`)
	assert.True(t, !made.Created.IsZero())

	read, err := sc.Customers.Retrieve(t.Context(), made.ID)
	assert.NoError(t, err)
	assert.Equal(t, string(read.Raw.JSON()), string(made.Raw.JSON()))
	read.Raw, made.Raw = stripe.Raw{}, stripe.Raw{}
	assert.Equal(t, read, made)
	assert.Equal(t, read.String(), "customer "+made.ID+" ada@example.com")
	assert.Equal(t, fake.Received()[0].Body, "email=ada%40example.com&name=Ada&metadata[a+b]=1%262%3D3&metadata[plan]=pro&address[city]=Oslo")
}

// TestLaw01_LostResponseChargesOnce: the first answer is lost after the charge.
func TestLaw01_LostResponseChargesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := aplombtest.NewStripe()
		script := aplombtest.NewScript(fake, aplombtest.LostResponse())
		sc := serve(t, script)
		paid, err := sc.PaymentIntents.Create(t.Context(), payment, aplomb.IdempotencyKey("order-7"))
		assert.NoError(t, err)
		assert.Equal(t, paid.Status, "succeeded")
		assert.Equal(t, fake.Effects().Charges, 1)
		assert.Equal(t, script.Requests(), 2)

		// A program that died and starts over with the same business key.
		again, err := sc.PaymentIntents.Create(t.Context(), payment, aplomb.IdempotencyKey("order-7"))
		assert.NoError(t, err)
		assert.Equal(t, again.ID, paid.ID)
		assert.Equal(t, fake.Effects().Charges, 1)
	})
}

// TestLaw02_OneKeyPerCall: minted where the caller gives none, the same on
// every attempt, another for the next call, and Stripe-Version on each.
func TestLaw02_OneKeyPerCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := aplombtest.NewStripe()
		sc := serve(t, aplombtest.NewScript(fake, aplombtest.LostResponse(), aplombtest.LostResponse()))
		for range 2 {
			_, err := sc.PaymentIntents.Create(t.Context(), payment)
			assert.NoError(t, err)
		}
		assert.Equal(t, fake.Effects().Charges, 2)
		keys := map[string]int{}
		for _, r := range fake.Received() {
			assert.Equal(t, r.Header.Get("Stripe-Version"), "2024-06-20")
			keys[r.Header.Get("Idempotency-Key")]++
		}
		assert.Equal(t, len(keys), 2)
		assert.Equal(t, keys[fake.Received()[0].Header.Get("Idempotency-Key")], 3)
	})
}

var payment = stripe.PaymentIntentCreateParams{
	Amount: 2500, Currency: "usd", PaymentMethod: "pm_card_visa", PaymentMethodTypes: []string{"card"}, Confirm: true,
}

// TestVersionCanBeSet for a client, for one derived from it and for a call, and
// is sent once.
func TestVersionCanBeSet(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	sc := serve(t, fake, aplomb.Header("stripe-version", "of-the-client"))
	derived, err := sc.API().With(aplomb.Header("Stripe-Version", "of-the-derived"), aplomb.Header("Stripe-Account", "acct_1"))
	assert.NoError(t, err)
	ofCall := aplomb.Header("Stripe-Version", "of-the-call")

	_, err = sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{})
	assert.NoError(t, err)
	_, err = sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{}, ofCall)
	assert.NoError(t, err)
	_, err = aplomb.Post[stripe.Customer](t.Context(), derived, "/v1/customers")
	assert.NoError(t, err)
	_, err = aplomb.Post[stripe.Customer](t.Context(), derived, "/v1/customers", ofCall)
	assert.NoError(t, err)
	_, err = sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{}) // the first is as it was
	assert.NoError(t, err)

	var sent []string
	for _, r := range fake.Received() {
		sent = append(sent, strings.Join(r.Header["Stripe-Version"], " and ")+"|"+r.Header.Get("Stripe-Account"))
	}
	assert.Equal(t, sent, []string{"of-the-client|", "of-the-call|", "of-the-derived|acct_1", "of-the-call|acct_1", "of-the-client|"})
}

func TestChargesOverThreePages(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]aplomb.CallOption{"plain": nil, "prefetch": {aplomb.Prefetch()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := aplombtest.NewStripe()
			customer := fake.SeedCustomer("ada@example.com")
			seeded := fake.SeedCharges(customer, 23)
			fake.SeedCharges("", 4) // somebody else's
			sc := serve(t, fake)
			var got []string
			for charge, err := range sc.Charges.List(t.Context(), stripe.ChargeListParams{Customer: customer, Limit: 10}, opts...) {
				assert.NoError(t, err)
				assert.Equal(t, charge.Customer.ID, customer)
				assert.Equal(t, charge.Amount, int64(1000+23-len(got)))
				got = append(got, charge.ID)
			}
			assert.Equal(t, len(got), 23)
			for i, id := range got {
				assert.Equal(t, id, seeded[22-i], "newest first, none twice")
			}
			assert.Equal(t, len(fake.Received()), 3, "pages")
		})
	}
}

func TestLeavingTheLoopSendsNothingMore(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	seeded := fake.SeedCharges("", 30)
	sc := serve(t, fake)
	list := sc.Charges.List(t.Context(), stripe.ChargeListParams{Limit: 10})
	assert.Equal(t, len(fake.Received()), 0, "List itself sends nothing")
	for charge, err := range list {
		assert.NoError(t, err)
		if charge.ID == seeded[18] {
			break
		}
	}
	assert.Equal(t, len(fake.Received()), 2)
	for charge, err := range sc.Charges.List(t.Context(), stripe.ChargeListParams{Limit: 10}, aplomb.Resume(seeded[18])) {
		assert.NoError(t, err)
		assert.Equal(t, charge.ID, seeded[17])
		break
	}
}

func TestEmptyIDIsRefusedUnsent(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	sc := serve(t, fake)
	for _, id := range []string{"", "..", "."} {
		_, err := sc.Customers.Retrieve(t.Context(), id)
		assert.True(t, err != nil, id)
		_, err = sc.PaymentIntents.Retrieve(t.Context(), id)
		assert.True(t, err != nil, id)
		_, err = sc.Charges.Retrieve(t.Context(), id)
		assert.True(t, err != nil, id)
	}
	assert.Equal(t, len(fake.Received()), 0)

	_, err := sc.Customers.Retrieve(t.Context(), "cus_1/../../v1/charges?x=1")
	assert.ErrorIs(t, err, stripe.ErrNotFound)
	assert.True(t, fake.Received()[0].Query == "", "the id stays one path segment")
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := stripe.New(nil)
	assert.Contains(t, err.Error(), "no key")
	_, err = stripe.New(aplomb.Static("pk_" + "live_51NotARealKey"))
	assert.Contains(t, err.Error(), "a publishable one")
	_, err = stripe.New(aplomb.Static(testKey), nil)
	assert.Contains(t, err.Error(), "nil")
	_, err = stripe.NewAt("ftp://x", aplomb.Static(testKey))
	assert.Contains(t, err.Error(), "http")
}

// TestOptionsAreNotWrittenTo: a caller's slice with room behind it stays as it
// is, and so do parameters.
func TestOptionsAreNotWrittenTo(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	sc := serve(t, fake)
	opts := make([]aplomb.CallOption, 1, 4)
	opts[0] = aplomb.Operation("customers.create")
	params := stripe.CustomerCreateParams{Email: "a@example.com", Metadata: map[string]string{"k": "v"}}
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := sc.Customers.Create(context.Background(), params, opts...)
			done <- err
		}()
	}
	for range 8 {
		assert.Equal(t, <-done, nil)
	}
	assert.True(t, opts[:2][1] == nil)
	assert.Equal(t, fake.Effects().Customers, 8)
}
