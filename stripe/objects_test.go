package stripe_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// read is an object as its UnmarshalJSON makes it.
func read[T any](t *testing.T, body string) T {
	t.Helper()
	var object T
	assert.NoError(t, json.Unmarshal([]byte(body), &object))
	return object
}

// seconds is what Stripe's times are read as.
func seconds(unix int64) time.Time { return time.Unix(unix, 0).UTC() }

func TestSetupIntentFields(t *testing.T) {
	t.Parallel()
	s := read[stripe.SetupIntent](t, setupIntentBody)
	assert.Equal(t, []string{s.ID, s.Status, s.Customer.ID, s.PaymentMethod.ID, s.Usage, s.LatestAttempt.ID, s.Mandate.ID, s.Description, s.Metadata["order"]},
		[]string{"seti_1", "succeeded", "cus_1", "pm_1", "off_session", "setatt_1", "", "Card of Ada", "7"})
	assert.Equal(t, s.PaymentMethodTypes, []string{"card", "link"})
	assert.Equal(t, s.ClientSecret.Reveal(), "seti_1_"+"secret_abc")
	assert.Equal(t, s.Created, seconds(1700000000))
	assert.True(t, s.LastSetupError == nil)

	s = read[stripe.SetupIntent](t, failedSetupIntentBody)
	assert.Equal(t, *s.LastSetupError, stripe.PaymentError{
		Type: "card_error", Code: "card_declined", DeclineCode: "do_not_honor", Message: "Your card was declined.",
		DocURL: "https://stripe.com/docs/error-codes/card-declined",
	})
}

func TestRefundFields(t *testing.T) {
	t.Parallel()
	r := read[stripe.Refund](t, refundBody)
	assert.Equal(t, []string{r.ID, r.Currency, r.Status, r.Charge.ID, r.PaymentIntent.ID, r.BalanceTransaction.ID, r.Reason},
		[]string{"re_1", "usd", "succeeded", "ch_1", "pi_1", "txn_1", "requested_by_customer"})
	assert.Equal(t, r.Amount, int64(500))
	assert.Equal(t, r.Created, seconds(1700000000))

	r = read[stripe.Refund](t, `{"id":"re_2","status":"failed","failure_reason":"lost_or_stolen_card","failure_balance_transaction":`+balanceTransactionBody+`}`)
	assert.Equal(t, []string{r.FailureReason, r.FailureBalanceTransaction.ID, r.FailureBalanceTransaction.Object.Type}, []string{"lost_or_stolen_card", "txn_1", "charge"})
}

func TestProductAndPriceFields(t *testing.T) {
	t.Parallel()
	p := read[stripe.Product](t, productBody)
	assert.Equal(t, []string{p.ID, p.Name, p.Description, p.DefaultPrice.ID, p.Images[0], p.UnitLabel, p.TaxCode.ID, p.Metadata["line"], p.URL},
		[]string{"prod_1", "Gold plan", "All of it", "price_1", "https://shop.example/gold.png", "seat", "txcd_10103001", "gold", ""})
	assert.Equal(t, []bool{p.Active, p.Shippable, p.Deleted}, []bool{true, false, false})
	assert.Equal(t, p.Updated, seconds(1700000009))
	assert.True(t, read[stripe.Product](t, `{"id":"prod_1","deleted":true}`).Deleted)

	price := read[stripe.Price](t, priceBody)
	assert.Equal(t, []string{price.ID, price.Currency, price.UnitAmountDecimal, price.Product.ID, price.Type, price.BillingScheme, price.TaxBehavior, price.Nickname, price.LookupKey},
		[]string{"price_1", "usd", "2500", "prod_1", "recurring", "per_unit", "unspecified", "Gold, monthly", "gold"})
	assert.Equal(t, price.UnitAmount, int64(2500))
	assert.Equal(t, *price.Recurring, stripe.Recurring{Interval: "month", IntervalCount: 1, UsageType: "licensed"})

	for line, body := range map[string]string{
		"price price_1":           `{"id":"price_1","currency":"usd","unit_amount":null,"unit_amount_decimal":"0.5","recurring":null}`,
		"price price_2 0.00 USD":  `{"id":"price_2","currency":"usd","unit_amount":0,"unit_amount_decimal":"0"}`,
		"price price_3 year":      `{"id":"price_3","currency":"usd","billing_scheme":"tiered","recurring":{"interval":"year"}}`,
		"price price_4 500 JPY":   `{"id":"price_4","currency":"jpy","unit_amount":500,"unit_amount_decimal":"500","product":` + productBody + `}`,
		"price price_5 -1.00 USD": `{"id":"price_5","currency":"usd","unit_amount":-100}`,
	} {
		assert.Equal(t, read[stripe.Price](t, body).String(), line)
	}
}

func TestSubscriptionFields(t *testing.T) {
	t.Parallel()
	s := read[stripe.Subscription](t, subscriptionBody)
	assert.Equal(t, []string{s.ID, s.Status, s.Customer.ID, s.Currency, s.CollectionMethod, s.DefaultPaymentMethod.ID, s.LatestInvoice.ID, s.PendingSetupIntent.ID, s.Metadata["plan"]},
		[]string{"sub_1", "active", "cus_1", "usd", "charge_automatically", "pm_1", "in_1", "", "gold"})
	assert.Equal(t, []time.Time{s.CurrentPeriodStart, s.CurrentPeriodEnd, s.CanceledAt, s.BillingCycleAnchor, s.StartDate, s.TrialEnd, s.EndedAt},
		[]time.Time{seconds(1700000000), seconds(1702592000), seconds(1700000500), seconds(1700000000), seconds(1700000000), {}, {}})
	assert.True(t, s.CancelAtPeriodEnd)
	assert.Equal(t, *s.CancellationDetails, stripe.CancellationDetails{Reason: "cancellation_requested", Comment: "bye", Feedback: "unused"})
	assert.Equal(t, *s.PauseCollection, stripe.PauseCollection{Behavior: "void", ResumesAt: seconds(1701000000)})
	assert.Equal(t, s.Items.URL, "/v1/subscription_items?subscription=sub_1")
	item := s.Items.Data[0]
	assert.Equal(t, item.String(), "subscription item si_1 of price_1")
	assert.Equal(t, []string{item.Subscription, item.Price.Nickname}, []string{"sub_1", "Gold, monthly"})
	assert.Equal(t, item.Quantity, int64(3))

	// As newer versions have it: the period is the item's.
	s = read[stripe.Subscription](t, `{"id":"sub_1","items":{"data":[{"id":"si_1","current_period_start":5,"current_period_end":9,"quantity":null}]}}`)
	assert.True(t, s.CurrentPeriodEnd.IsZero() && s.CancellationDetails == nil)
	assert.Equal(t, s.Items.Data[0].CurrentPeriodStart, seconds(5))
	assert.Equal(t, s.Items.Data[0].CurrentPeriodEnd, seconds(9))
}

func TestInvoiceFields(t *testing.T) {
	t.Parallel()
	i := read[stripe.Invoice](t, invoiceBody)
	assert.Equal(t, []string{i.ID, i.Number, i.Status, i.Customer.ID, i.CustomerName, i.CustomerEmail, i.Currency, i.Subscription.ID, i.Charge.ID, i.PaymentIntent.ID, i.BillingReason},
		[]string{"in_1", "A1B2C3D4-0001", "paid", "cus_1", "Ada", "ada@example.com", "usd", "sub_1", "ch_1", "pi_1", "subscription_create"})
	assert.Equal(t, []int64{i.Total, i.Subtotal, i.AmountDue, i.AmountPaid, i.AmountRemaining, int64(i.AttemptCount)}, []int64{7500, 7500, 7500, 7500, 0, 1})
	assert.Equal(t, []bool{i.Paid, i.Attempted, i.AutoAdvance}, []bool{true, true, false})
	assert.Equal(t, i.StatusTransitions, stripe.StatusTransitions{FinalizedAt: seconds(1700000001), PaidAt: seconds(1700000002)})
	assert.Contains(t, i.HostedInvoiceURL+i.InvoicePDF, "https://invoice.stripe.com/i/acct_1/test_xhttps://pay.stripe.com/")
	assert.True(t, i.Lines.HasMore && i.Parent == nil && i.ConfirmationSecret == nil)
	line := i.Lines.Data[0]
	assert.Equal(t, []string{line.ID, line.Price.ID, line.Subscription.ID, line.Description}, []string{"il_1", "price_1", "sub_1", "3 seats of Gold plan"})
	assert.Equal(t, line.Period, stripe.Period{Start: seconds(1700000000), End: seconds(1702592000)})

	// As newer versions have it.
	i = read[stripe.Invoice](t, `{"id":"in_1","parent":{"type":"subscription_details","quote_details":null,"subscription_details":{"metadata":{"plan":"gold"},
		"subscription":"sub_1"}},"confirmation_secret":{"client_secret":"pi_1_`+`secret_abc","type":"payment_intent"},"lines":{"data":[{"id":"il_1",
		"pricing":{"type":"price_details","unit_amount_decimal":"2500","price_details":{"price":"price_1","product":"prod_1"}}}]}}`)
	assert.Equal(t, []string{i.Parent.Type, i.Parent.SubscriptionDetails.Subscription.ID, i.Parent.SubscriptionDetails.Metadata["plan"], i.Subscription.ID},
		[]string{"subscription_details", "sub_1", "gold", ""})
	pricing := i.Lines.Data[0].Pricing
	assert.Equal(t, []string{pricing.UnitAmountDecimal, pricing.PriceDetails.Price.ID, pricing.PriceDetails.Product}, []string{"2500", "price_1", "prod_1"})
	assert.Equal(t, i.ConfirmationSecret.ClientSecret.Reveal(), "pi_1_"+"secret_abc")
}

func TestCheckoutSessionFields(t *testing.T) {
	t.Parallel()
	c := read[stripe.CheckoutSession](t, checkoutSessionBody)
	assert.Equal(t, []string{c.ID, c.Mode, c.Status, c.PaymentStatus, c.Currency, c.ClientReferenceID, c.CustomerEmail, c.PaymentIntent.ID, c.SetupIntent.ID, c.UIMode},
		[]string{"cs_test_1", "payment", "complete", "paid", "usd", "order-7", "ada@example.com", "pi_1", "", "hosted"})
	assert.Equal(t, []string{c.URL, c.SuccessURL, c.CancelURL}, []string{"https://checkout.stripe.com/c/pay/cs_test_1", "https://shop.example/thanks", "https://shop.example/cart"})
	assert.Equal(t, []int64{c.AmountTotal, c.AmountSubtotal}, []int64{5000, 5000})
	assert.Equal(t, c.ExpiresAt, seconds(1700086400))
	assert.Equal(t, []string{c.CustomerDetails.Name, c.CustomerDetails.Address.City, c.CustomerDetails.TaxExempt}, []string{"Ada", "Oslo", "none"})
	assert.Equal(t, c.ClientSecret.Reveal(), "cs_test_1_"+"secret_abc")

	c = read[stripe.CheckoutSession](t, `{"id":"cs_2","status":"open","currency":null,"amount_total":null,"line_items":{"data":[`+lineItemBody+`],"has_more":true}}`)
	assert.Equal(t, c.String(), "checkout session cs_2 open")
	item := c.LineItems.Data[0]
	assert.Equal(t, []string{item.ID, item.Description, item.Price.ID, item.Currency}, []string{"li_1", "Gold plan", "price_1", "usd"})
	assert.Equal(t, []int64{item.Quantity, item.AmountTotal, item.AmountSubtotal, item.AmountDiscount, item.AmountTax}, []int64{2, 5000, 5000, 0, 0})
}

func TestBalanceFields(t *testing.T) {
	t.Parallel()
	b := read[stripe.Balance](t, balanceBody)
	assert.Equal(t, b.Available, []stripe.Funds{
		{Amount: 2500, Currency: "usd", SourceTypes: map[string]int64{"card": 2400, "bank_account": 100}},
		{Amount: -300, Currency: "jpy", SourceTypes: map[string]int64{"card": -300}},
	})
	assert.Equal(t, b.Pending, []stripe.Funds{{Amount: 7, Currency: "usd", SourceTypes: map[string]int64{"card": 7}}})
	assert.Equal(t, b.ConnectReserved, []stripe.Funds{{Currency: "usd"}})
	assert.True(t, b.InstantAvailable == nil)

	txn := read[stripe.BalanceTransaction](t, balanceTransactionBody)
	assert.Equal(t, []int64{txn.Amount, txn.Fee, txn.Net}, []int64{2500, 103, 2397})
	assert.Equal(t, txn.FeeDetails, []stripe.Fee{{Amount: 103, Currency: "usd", Type: "stripe_fee", Description: "Stripe processing fees"}})
	assert.Equal(t, []string{txn.Status, txn.Type, txn.ReportingCategory, txn.Source.ID, txn.Description}, []string{"pending", "charge", "charge", "ch_1", "Order 7"})
	assert.Equal(t, txn.AvailableOn, seconds(1700500000))
	assert.Equal(t, txn.ExchangeRate, 1.0823)
}

func TestDisputeFields(t *testing.T) {
	t.Parallel()
	d := read[stripe.Dispute](t, disputeBody)
	assert.Equal(t, []string{d.ID, d.Status, d.Reason, d.Charge.ID, d.PaymentIntent.ID, d.BalanceTransactions[0].ID}, []string{"dp_1", "needs_response", "fraudulent", "ch_1", "pi_1", "txn_1"})
	assert.Equal(t, d.EvidenceDetails, stripe.EvidenceDetails{DueBy: seconds(1700600000), HasEvidence: true, SubmissionCount: 1})
	assert.True(t, d.IsChargeRefundable)
}

func TestWebhookEndpointAndPortalSessionFields(t *testing.T) {
	t.Parallel()
	w := read[stripe.WebhookEndpoint](t, webhookEndpointBody)
	assert.Equal(t, []string{w.ID, w.URL, w.Status, w.APIVersion, w.Description, w.Secret.Reveal()},
		[]string{"we_1", "https://shop.example/stripe", "enabled", "2024-06-20", "orders", "whsec_" + "abc"})
	assert.Equal(t, w.EnabledEvents, []string{"charge.refunded", "invoice.paid"})

	b := read[stripe.BillingPortalSession](t, portalSessionBody)
	assert.Equal(t, []string{b.ID, b.URL.Reveal(), b.Customer, b.ReturnURL, b.Configuration.ID},
		[]string{"bps_1", "https://billing.stripe.com/p/session/" + "login_abc", "cus_1", "https://shop.example/account", "bpc_1"})
}

// TestChargeNamesWhatBelongsToIt: its refunds, balance transaction and invoice.
func TestChargeNamesWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	c := read[stripe.Charge](t, `{"id":"ch_1","invoice":"in_1","balance_transaction":`+balanceTransactionBody+`,
		"refunds":{"object":"list","data":[`+refundBody+`],"has_more":false,"url":"/v1/charges/ch_1/refunds"}}`)
	assert.Equal(t, []string{c.Invoice.ID, c.BalanceTransaction.ID, c.BalanceTransaction.Object.Status, c.Refunds.Data[0].ID, c.Refunds.URL},
		[]string{"in_1", "txn_1", "pending", "re_1", "/v1/charges/ch_1/refunds"})
}

// TestLaw05_ResourcesHideTheirSecrets: alone, by value, and inside another
// object that was expanded.
func TestLaw05_ResourcesHideTheirSecrets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		made   any
		secret string
	}{
		{read[stripe.SetupIntent](t, setupIntentBody), "secret_abc"},
		{read[stripe.CheckoutSession](t, checkoutSessionBody), "secret_abc"},
		{read[stripe.WebhookEndpoint](t, webhookEndpointBody), "whsec_" + "abc"},
		{read[stripe.BillingPortalSession](t, portalSessionBody), "login_abc"},
		{read[stripe.Invoice](t, `{"id":"in_1","confirmation_secret":{"client_secret":"pi_1_`+`secret_abc"}}`), "secret_abc"},
		{read[stripe.Subscription](t, `{"id":"sub_1","pending_setup_intent":`+setupIntentBody+`,"latest_invoice":{"id":"in_1","payment_intent":{"id":"pi_1","client_secret":"pi_1_`+`secret_abc"}}}`), "secret_abc"},
		{read[stripe.CheckoutSession](t, `{"id":"cs_1","setup_intent":`+setupIntentBody+`}`), "secret_abc"},
	} {
		noneShows(t, tt.made, tt.secret)
		noneShows(t, map[string]any{"made": tt.made}, tt.secret)
		noneShows(t, []any{tt.made}, tt.secret)
	}
	for _, pointer := range []any{
		new(read[stripe.SetupIntent](t, setupIntentBody)), new(read[stripe.CheckoutSession](t, checkoutSessionBody)),
		new(read[stripe.WebhookEndpoint](t, webhookEndpointBody)), new(read[stripe.BillingPortalSession](t, portalSessionBody)),
	} {
		noneShows(t, pointer, "secret_abc", "whsec_"+"abc", "login_abc")
	}
}
