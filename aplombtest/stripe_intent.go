package aplombtest

import (
	"maps"
	"net/http"
	"strings"
)

var (
	intentParams = []string{
		"amount", "application_fee_amount", "automatic_payment_methods", "capture_method", "currency", "customer", "description",
		"metadata", "on_behalf_of", "payment_method", "payment_method_data", "payment_method_options", "payment_method_types",
		"receipt_email", "setup_future_usage", "shipping", "statement_descriptor", "statement_descriptor_suffix", "transfer_data",
		"transfer_group",
	}
	confirmParams = []string{
		"capture_method", "error_on_requires_action", "mandate", "mandate_data", "off_session", "payment_method", "payment_method_data",
		"payment_method_options", "payment_method_types", "receipt_email", "return_url", "setup_future_usage", "shipping",
		"use_stripe_sdk",
	}
	captureParams = []string{"amount_to_capture", "application_fee_amount", "final_capture", "metadata", "statement_descriptor",
		"statement_descriptor_suffix", "transfer_data"}
)

// stripeIntent is https://docs.stripe.com/api/payment_intents/object.
type stripeIntent struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"`
	AmountCapturable   int64             `json:"amount_capturable"`
	AmountReceived     int64             `json:"amount_received"`
	CanceledAt         *int64            `json:"canceled_at"`
	CancellationReason *string           `json:"cancellation_reason"`
	CaptureMethod      string            `json:"capture_method"`
	ClientSecret       string            `json:"client_secret"`
	ConfirmationMethod string            `json:"confirmation_method"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	Customer           *string           `json:"customer"`
	Description        *string           `json:"description"`
	LastPaymentError   *stripeError      `json:"last_payment_error"`
	LatestCharge       *string           `json:"latest_charge"`
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	NextAction         *string           `json:"next_action"`
	PaymentMethod      *string           `json:"payment_method"`
	PaymentMethodTypes []string          `json:"payment_method_types"`
	ReceiptEmail       *string           `json:"receipt_email"`
	SetupFutureUsage   *string           `json:"setup_future_usage"`
	Shipping           map[string]any    `json:"shipping"`
	Status             string            `json:"status"`
}

func (p *stripeIntent) ident() string { return p.ID }
func (p *stripeIntent) made() int64   { return p.Created }

func (s *Stripe) createIntent(c *stripeCall) (any, *stripeError) {
	amount, currency, err := c.form.amount()
	if err != nil {
		return nil, err
	}
	if err := s.checkIntent(c.form); err != nil {
		return nil, err
	}
	confirm, err := c.form.boolean("confirm")
	if err != nil {
		return nil, err
	}
	if confirm && c.form.get("payment_method") == "" {
		return nil, invalidRequest("payment_intent_unexpected_state", "", noPaymentMethod)
	}
	intent := &stripeIntent{ID: s.id("pi"), Object: "payment_intent", Amount: amount, Currency: currency, Created: c.now,
		CaptureMethod: "automatic_async", ConfirmationMethod: "automatic", PaymentMethodTypes: []string{"card"}}
	intent.ClientSecret = intent.ID + "_secret_" + strings.TrimPrefix(intent.ID, "pi_")
	intent.fill(c.form)
	s.intents.add(intent)
	s.effects.PaymentIntents++
	s.happened(c, "payment_intent.created", intent)
	if confirm {
		return s.pay(c, intent)
	}
	return intent, nil
}

// checkIntent checks the parameters that create, update and confirm share.
func (s *Stripe) checkIntent(form stripeForm) *stripeError {
	if id := form.get("customer"); id != "" {
		if _, err := s.customer(id, "customer", http.StatusBadRequest); err != nil {
			return err
		}
	}
	if id := form.get("payment_method"); id != "" && !strings.HasPrefix(id, "pm_") {
		return errMissing("PaymentMethod", id, "payment_method", http.StatusBadRequest)
	}
	switch form.get("capture_method") {
	case "", "automatic", "automatic_async", "manual":
	default:
		return errInvalidParam("capture_method", "Invalid capture_method: must be one of automatic, automatic_async, or manual")
	}
	return nil
}

// fill lays the form over the intent. A payment method decides what is next.
func (p *stripeIntent) fill(form stripeForm) {
	form.set("customer", &p.Customer)
	form.set("description", &p.Description)
	form.set("payment_method", &p.PaymentMethod)
	form.set("receipt_email", &p.ReceiptEmail)
	form.set("setup_future_usage", &p.SetupFutureUsage)
	form.object("shipping", &p.Shipping)
	p.Metadata = form.metadata(p.Metadata)
	if method := form.get("capture_method"); method != "" {
		p.CaptureMethod = method
	}
	if method := form.get("confirmation_method"); method != "" {
		p.ConfirmationMethod = method
	}
	switch {
	case p.Status == "requires_capture": // it is paid for
	case p.PaymentMethod != nil:
		p.Status = "requires_confirmation"
	default:
		p.Status = "requires_payment_method"
	}
}

func (s *Stripe) getIntent(c *stripeCall) (any, *stripeError) {
	intent, err := s.intent(c.id)
	if err != nil {
		return nil, err
	}
	return intent, nil
}

func (s *Stripe) listIntents(c *stripeCall) (any, *stripeError) {
	customer := c.form.filter("customer")
	return s.intents.list(c, func(p *stripeIntent) bool { return customer(p.Customer) })
}

func (s *Stripe) updateIntent(c *stripeCall) (any, *stripeError) {
	intent, err := s.intent(c.id)
	if err != nil {
		return nil, err
	}
	if err := s.checkIntent(c.form); err != nil {
		return nil, err
	}
	amount, err := c.form.integer("amount", intent.Amount, 1, 99_999_999)
	if err != nil {
		return nil, err
	}
	currency := intent.Currency
	if c.form.has("currency") {
		if currency, err = c.form.currency(); err != nil {
			return nil, err
		}
	}
	if intent.Status == "succeeded" || intent.Status == "canceled" || intent.Status == "requires_capture" && c.form.has("amount") {
		return nil, errIntentState(intent, "This PaymentIntent could not be updated because it has a status of "+intent.Status+".")
	}
	intent.Amount, intent.Currency = amount, currency
	intent.fill(c.form)
	return intent, nil
}

const noPaymentMethod = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the " +
	"PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken."

func (s *Stripe) confirmIntent(c *stripeCall) (any, *stripeError) {
	intent, err := s.intent(c.id)
	if err != nil {
		return nil, err
	}
	if err := s.checkIntent(c.form); err != nil {
		return nil, err
	}
	switch {
	case intent.Status == "succeeded" || intent.Status == "requires_capture":
		return nil, errIntentState(intent, "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.")
	case intent.Status == "canceled":
		return nil, errIntentState(intent, "You cannot confirm this PaymentIntent because it has a status of canceled. "+
			"Only a PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action.")
	case intent.PaymentMethod == nil && c.form.get("payment_method") == "":
		return nil, errIntentState(intent, noPaymentMethod)
	}
	intent.fill(c.form)
	return s.pay(c, intent)
}

// pay charges the intent's payment method. A declined one leaves the intent
// open for another, as the real API does.
func (s *Stripe) pay(c *stripeCall, intent *stripeIntent) (any, *stripeError) {
	charge := s.newCharge(c.now, intent.Amount, intent.Currency, *intent.PaymentMethod)
	charge.PaymentIntent, charge.Customer, charge.Description = &intent.ID, intent.Customer, intent.Description
	charge.ReceiptEmail, charge.Metadata = intent.ReceiptEmail, maps.Clone(intent.Metadata)
	intent.LatestCharge = &charge.ID
	manual := intent.CaptureMethod == "manual"
	if d := s.settleCharge(c, charge, !manual); d != nil {
		intent.Status, intent.PaymentMethod = "requires_payment_method", nil
		intent.LastPaymentError = errDeclined(d, charge, nil)
		s.happened(c, "payment_intent.payment_failed", intent)
		return nil, errDeclined(d, charge, intent)
	}
	intent.LastPaymentError = nil
	if manual {
		intent.Status, intent.AmountCapturable = "requires_capture", intent.Amount
		s.happened(c, "payment_intent.amount_capturable_updated", intent)
		return intent, nil
	}
	intent.Status, intent.AmountReceived = "succeeded", intent.Amount
	s.happened(c, "payment_intent.succeeded", intent)
	return intent, nil
}

// captureIntent takes what is held, or a part of it: the rest goes back.
func (s *Stripe) captureIntent(c *stripeCall) (any, *stripeError) {
	intent, err := s.intent(c.id)
	if err != nil {
		return nil, err
	}
	if intent.Status != "requires_capture" {
		return nil, errIntentState(intent, "This PaymentIntent could not be captured because it has a status of "+intent.Status+
			". Only a PaymentIntent with one of the following statuses may be captured: requires_capture.")
	}
	amount, err := c.form.integer("amount_to_capture", intent.Amount, 1, intent.Amount)
	if err != nil {
		return nil, err
	}
	charge := s.charges.byID[*intent.LatestCharge]
	s.captureCharge(charge, amount)
	intent.Metadata = c.form.metadata(intent.Metadata)
	intent.Status, intent.AmountReceived, intent.AmountCapturable = "succeeded", amount, 0
	s.happened(c, "charge.captured", charge)
	s.happened(c, "payment_intent.succeeded", intent)
	return intent, nil
}

func (s *Stripe) cancelIntent(c *stripeCall) (any, *stripeError) {
	intent, err := s.intent(c.id)
	if err != nil {
		return nil, err
	}
	if intent.Status == "succeeded" || intent.Status == "canceled" {
		return nil, errIntentState(intent, "You cannot cancel this PaymentIntent because it has a status of "+intent.Status+
			". Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, "+
			"requires_confirmation, requires_action, processing.")
	}
	c.form.set("cancellation_reason", &intent.CancellationReason)
	if intent.Status == "requires_capture" { // what was held goes back
		charge := s.charges.byID[*intent.LatestCharge]
		charge.AmountRefunded, charge.Refunded, intent.AmountCapturable = charge.Amount, true, 0
		s.happened(c, "charge.refunded", charge)
	}
	intent.Status, intent.CanceledAt = "canceled", &c.now
	s.happened(c, "payment_intent.canceled", intent)
	return intent, nil
}

func (s *Stripe) intent(id string) (*stripeIntent, *stripeError) {
	intent, ok := s.intents.byID[id]
	if !ok {
		return nil, errMissing("payment_intent", id, "intent", http.StatusNotFound)
	}
	return intent, nil
}
