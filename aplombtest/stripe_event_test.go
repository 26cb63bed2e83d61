package aplombtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/stripe"
	"github.com/aplomb-go/aplomb/webhook"
)

// stripeRig is a fake, with the typed client of it.
func stripeRig(t *testing.T) (*aplombtest.Stripe, *stripe.Client) {
	t.Helper()
	fake := aplombtest.NewStripe()
	srv := aplombtest.NewServer(t, fake)
	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"for0tests"), aplomb.Transport(srv.Transport()))
	assert.NoError(t, err)
	t.Cleanup(sc.API().CloseIdleConnections)
	return fake, sc
}

func paying(card string) stripe.PaymentIntentCreateParams {
	return stripe.PaymentIntentCreateParams{Amount: 2500, Currency: "usd", PaymentMethod: card, Confirm: true}
}

// said is what Stripe's error says, "" if there is none.
func said(err error) string {
	e, _ := errors.AsType[*stripe.Error](err)
	if e == nil {
		return fmt.Sprint(err)
	}
	return e.Message
}

func TestStripeRefunds(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		fake, sc := stripeRig(t)
		paid, err := sc.PaymentIntents.Create(t.Context(), paying("pm_card_visa"))
		assert.NoError(t, err)
		part, err := sc.Refunds.Create(t.Context(), stripe.RefundCreateParams{PaymentIntent: paid.ID, Amount: new(int64(1000)), Reason: "duplicate", Metadata: map[string]string{"a": "b"}})
		assert.NoError(t, err)
		assert.Equal(t, part.String()+" "+part.Reason+" "+part.PaymentIntent.ID, "refund re_1 10.00 USD succeeded duplicate "+paid.ID)
		_, err = sc.Refunds.Create(t.Context(), stripe.RefundCreateParams{Charge: paid.LatestCharge.ID, Amount: new(int64(1501))})
		assert.Equal(t, said(err), "Refund amount ($15.01) is greater than unrefunded amount on charge ($15.00)")
		rest, err := sc.Refunds.Create(t.Context(), stripe.RefundCreateParams{Charge: paid.LatestCharge.ID})
		assert.NoError(t, err)
		assert.Equal(t, rest.Amount, 1500)
		_, err = sc.Refunds.Create(t.Context(), stripe.RefundCreateParams{Charge: paid.LatestCharge.ID})
		assert.Equal(t, said(err), "Charge ch_1 has already been refunded.")
		charge, err := sc.Charges.Retrieve(t.Context(), paid.LatestCharge.ID)
		assert.NoError(t, err)
		assert.Equal(t, [2]any{charge.AmountRefunded, charge.Refunded}, [2]any{int64(2500), true})
		for _, tt := range []struct {
			p    stripe.RefundCreateParams
			want string
		}{
			{stripe.RefundCreateParams{}, "One of the following params should be provided for this request: payment_intent or charge."},
			{stripe.RefundCreateParams{Charge: "ch_9"}, "No such charge: 'ch_9'"},
			{stripe.RefundCreateParams{PaymentIntent: "pi_9"}, "No such payment_intent: 'pi_9'"},
			{stripe.RefundCreateParams{Charge: "ch_1", PaymentIntent: "pi_1"}, "You may only specify one of these parameters: charge, payment_intent."},
			{stripe.RefundCreateParams{Charge: "ch_1", Reason: "whim"}, "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer"},
		} {
			_, err = sc.Refunds.Create(t.Context(), tt.p)
			assert.Equal(t, said(err), tt.want)
		}
		updated, err := sc.Refunds.Update(t.Context(), "re_1", stripe.RefundUpdateParams{Metadata: map[string]string{"c": "d"}})
		assert.NoError(t, err)
		read, err := sc.Refunds.Retrieve(t.Context(), "re_1")
		assert.NoError(t, err)
		assert.Equal(t, [2]any{updated.Metadata, read.Metadata}, [2]any{map[string]string{"a": "b", "c": "d"}, map[string]string{"a": "b", "c": "d"}})
		all, err := aplomb.Collect(sc.Refunds.List(t.Context(), stripe.RefundListParams{PaymentIntent: paid.ID}))
		assert.NoError(t, err)
		none, err := aplomb.Collect(sc.Refunds.List(t.Context(), stripe.RefundListParams{Charge: "ch_9"}))
		assert.NoError(t, err)
		assert.Equal(t, [4]any{len(all), all[0].ID, all[1].ID, len(none)}, [4]any{2, "re_2", "re_1", 0})
		effects := fake.Effects()
		assert.Equal(t, [3]int64{int64(effects.Refunds), effects.RefundedMinor, effects.ChargedMinor}, [3]int64{2, 2500, 2500})
	})
}

// Of a key that is sent again there is one refund.
func TestStripeRefundOnce(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	id := fake.SeedCharges("", 1)[0]
	for range 2 {
		_, refund := ask(t, fake, http.MethodPost, "/v1/refunds", "amount=1&charge="+id, "Idempotency-Key", "back-1")
		assert.Equal(t, refund["id"], any("re_1"))
	}
	assert.Equal(t, [2]int{fake.Effects().Refunds, fake.Effects().Replays}, [2]int{1, 1})
}

func TestStripeCapture(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		fake, sc := stripeRig(t)
		hold := paying("pm_card_visa")
		hold.CaptureMethod = "manual"
		held, err := sc.PaymentIntents.Create(t.Context(), hold)
		assert.NoError(t, err)
		assert.Equal(t, [2]any{held.Status, held.AmountCapturable}, [2]any{"requires_capture", int64(2500)})
		assert.Equal(t, fake.Effects().ChargedMinor, 0)
		_, err = sc.PaymentIntents.Confirm(t.Context(), held.ID, stripe.PaymentIntentConfirmParams{})
		assert.Contains(t, said(err), "already succeeded")
		_, err = sc.PaymentIntents.Capture(t.Context(), held.ID, stripe.PaymentIntentCaptureParams{AmountToCapture: new(int64(2501))})
		assert.Contains(t, said(err), "less than or equal to 2500")
		taken, err := sc.PaymentIntents.Capture(t.Context(), held.ID, stripe.PaymentIntentCaptureParams{AmountToCapture: new(int64(2000))})
		assert.NoError(t, err)
		assert.Equal(t, [3]any{taken.Status, taken.AmountReceived, taken.AmountCapturable}, [3]any{"succeeded", int64(2000), int64(0)})
		_, err = sc.PaymentIntents.Capture(t.Context(), held.ID, stripe.PaymentIntentCaptureParams{})
		assert.Contains(t, said(err), "could not be captured because it has a status of succeeded")
		assert.Equal(t, fake.Effects().ChargedMinor, 2000)
		// What is let go is not charged, and cannot be refunded.
		other, err := sc.PaymentIntents.Create(t.Context(), hold)
		assert.NoError(t, err)
		_, err = sc.Refunds.Create(t.Context(), stripe.RefundCreateParams{Charge: other.LatestCharge.ID})
		assert.Contains(t, said(err), "has not been captured")
		_, err = sc.PaymentIntents.Update(t.Context(), other.ID, stripe.PaymentIntentUpdateParams{Description: "still held"})
		assert.NoError(t, err)
		gone, err := sc.PaymentIntents.Cancel(t.Context(), other.ID, stripe.PaymentIntentCancelParams{})
		assert.NoError(t, err)
		assert.Equal(t, [2]any{gone.Status, gone.AmountCapturable}, [2]any{"canceled", int64(0)})
		assert.Equal(t, [2]int64{fake.Effects().ChargedMinor, int64(fake.Effects().Refunds)}, [2]int64{2000, 0})
	})
}

func TestStripeEvents(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		fake, sc := stripeRig(t)
		fake.SeedCharges("", 3)
		_, err := sc.PaymentIntents.Create(t.Context(), paying("pm_card_visa"), aplomb.IdempotencyKey("order-1"))
		assert.NoError(t, err)
		_, err = sc.PaymentIntents.Create(t.Context(), paying("pm_card_chargeDeclined"))
		assert.True(t, err != nil)
		customer, err := sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{Email: "a@b.test"})
		assert.NoError(t, err)
		_, err = sc.Customers.Update(t.Context(), customer.ID, stripe.CustomerUpdateParams{Email: "c@d.test"})
		assert.NoError(t, err)
		_, err = sc.Customers.Delete(t.Context(), customer.ID)
		assert.NoError(t, err)
		_, err = sc.Refunds.Create(t.Context(), stripe.RefundCreateParams{PaymentIntent: "pi_1"})
		assert.NoError(t, err)

		types := func(p stripe.EventListParams) (got []string) {
			for e, err := range sc.Events.List(t.Context(), p) {
				assert.NoError(t, err)
				got = append(got, e.Type)
			}
			return got
		}
		assert.Equal(t, types(stripe.EventListParams{}), []string{
			"refund.created", "charge.refunded", "customer.deleted", "customer.updated", "customer.created",
			"payment_intent.payment_failed", "charge.failed", "payment_intent.created",
			"payment_intent.succeeded", "charge.succeeded", "payment_intent.created",
		})
		assert.Equal(t, types(stripe.EventListParams{Type: "charge.*"}), []string{"charge.refunded", "charge.failed", "charge.succeeded"})
		assert.Equal(t, types(stripe.EventListParams{Types: []string{"customer.created", "charge.failed"}}), []string{"customer.created", "charge.failed"})
		// An event has the object as it was then, and the request that made it so.
		first, err := sc.Events.Retrieve(t.Context(), "evt_3")
		assert.NoError(t, err)
		assert.Equal(t, [2]string{first.Type, first.Request.IdempotencyKey}, [2]string{"payment_intent.succeeded", "order-1"})
		second, err := sc.Events.Retrieve(t.Context(), "evt_7")
		assert.NoError(t, err)
		assert.Equal(t, second.Type, "customer.created")
		assert.Contains(t, string(second.Data.Object.JSON()), "a@b.test")
		// The webhooks say the same, byte for byte as far as an inbox can tell.
		messages := fake.Events()
		assert.Equal(t, len(messages), 11)
		parsed, err := stripe.ParseEvent(messages[2].Body)
		assert.NoError(t, err)
		assert.Equal(t, [2]string{parsed.ID, parsed.Type}, [2]string{"evt_3", "payment_intent.succeeded"})
		pause(30 * 24 * time.Hour)
		assert.Equal(t, len(types(stripe.EventListParams{})), 0)
		_, err = sc.Events.Retrieve(t.Context(), "evt_3")
		assert.Contains(t, said(err), "No such event")
	})
}

// A shop whose webhooks are lost in part, repeated and shuffled, and which polls
// besides, handles each event once.
func TestStripeEventsByWebhookAndPoll(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		fake, sc := stripeRig(t)
		for range 20 {
			_, err := sc.PaymentIntents.Create(t.Context(), paying("pm_card_visa"))
			assert.NoError(t, err)
		}
		var mu sync.Mutex
		handled := map[string]int{}
		box, err := inbox.New(inbox.NewMemory(), func(_ context.Context, r *inbox.Record) error {
			mu.Lock()
			defer mu.Unlock()
			handled[r.Key]++
			return nil
		}, inbox.Settings{})
		assert.NoError(t, err)
		scheme := webhook.Stripe(webhook.Static(hookSecret))
		srv := aplombtest.NewServer(t, &webhook.Handler{Source: "shop", Scheme: scheme, Sink: box})
		sender := aplombtest.NewSender(scheme, srv.Client(), srv.URL)
		sender.Mishaps = aplombtest.Mishaps{Seed: 1, Lost: 0.4, Duplicated: 0.4, Shuffled: time.Minute}
		feed := &poll.Feed[stripe.Event]{
			Client: sc.API(), Path: "/v1/events", By: aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"},
			Key: func(e stripe.Event) string { return e.ID }, Type: func(e stripe.Event) string { return e.Type },
			Store: box, Source: "shop", Webhook: true,
		}
		sender.Schedule.Waits = sender.Schedule.Waits[:6] // of the three days four hours
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Hour, stop)
		var running sync.WaitGroup
		running.Go(func() { assert.ErrorIs(t, feed.Run(ctx), context.Canceled) })
		running.Go(func() { assert.NoError(t, box.Run(ctx)) })
		sender.Send(t.Context(), fake.Events()[:40]...) // of the last 20 no webhook is ever sent
		running.Wait()
		assert.Equal(t, len(handled), 60)
		for key, n := range handled {
			assert.Equal(t, n, 1, key)
		}
	})
}
