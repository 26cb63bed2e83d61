package aplombtest

import (
	"net/http"
	"strings"
)

var chargeParams = []string{
	"amount", "application_fee_amount", "capture", "currency", "customer", "description", "metadata", "on_behalf_of", "receipt_email",
	"shipping", "source", "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
}

// stripeCharge is https://docs.stripe.com/api/charges/object.
type stripeCharge struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"`
	AmountCaptured     int64             `json:"amount_captured"`
	AmountRefunded     int64             `json:"amount_refunded"`
	BalanceTransaction *string           `json:"balance_transaction"`
	Captured           bool              `json:"captured"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	Customer           *string           `json:"customer"`
	Description        *string           `json:"description"`
	Disputed           bool              `json:"disputed"`
	FailureCode        *string           `json:"failure_code"`
	FailureMessage     *string           `json:"failure_message"`
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	Paid               bool              `json:"paid"`
	PaymentIntent      *string           `json:"payment_intent"`
	PaymentMethod      string            `json:"payment_method"`
	ReceiptEmail       *string           `json:"receipt_email"`
	Refunded           bool              `json:"refunded"`
	Shipping           map[string]any    `json:"shipping"`
	Status             string            `json:"status"`
}

func (c *stripeCharge) ident() string { return c.ID }
func (c *stripeCharge) made() int64   { return c.Created }

// stripeDecline is how a card fails.
type stripeDecline struct{ code, declineCode, message string }

// stripeDeclines are the failing test cards by what follows pm_card_ or tok_
// (https://docs.stripe.com/testing#declined-payments).
var stripeDeclines = map[string]*stripeDecline{
	"chargeDeclined":                  {"card_declined", "generic_decline", "Your card was declined."},
	"chargeDeclinedInsufficientFunds": {"card_declined", "insufficient_funds", "Your card has insufficient funds."},
	"chargeDeclinedLostCard":          {"card_declined", "lost_card", "Your card was declined."},
	"chargeDeclinedStolenCard":        {"card_declined", "stolen_card", "Your card was declined."},
	"chargeDeclinedExpiredCard":       {"expired_card", "expired_card", "Your card has expired."},
	"chargeDeclinedIncorrectCvc":      {"incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."},
	"chargeDeclinedProcessingError": {"processing_error", "processing_error",
		"An error occurred while processing your card. Try again in a little bit."},
}

// declineOf returns how a card fails, or nil if it pays.
func declineOf(card string) *stripeDecline {
	card = strings.TrimPrefix(strings.TrimPrefix(card, "pm_card_"), "tok_")
	return stripeDeclines[strings.TrimPrefix(card, "visa_")]
}

func (s *Stripe) createCharge(c *stripeCall) (any, *stripeError) {
	amount, currency, err := c.form.amount()
	if err != nil {
		return nil, err
	}
	customer, source := c.form.get("customer"), c.form.get("source")
	switch {
	case customer == "" && source == "":
		return nil, invalidRequest("parameter_missing", "", "Must provide source or customer.")
	case c.form.get("capture") == "false":
		return nil, errInvalidParam("capture", "capture=false is not part of this fake (aplombtest)")
	case customer != "":
		if _, err := s.customer(customer, "customer", http.StatusBadRequest); err != nil {
			return nil, err
		}
	}
	if source == "" {
		source = "card_of_" + customer
	}
	charge := s.newCharge(c.now, amount, currency, source)
	c.form.set("customer", &charge.Customer)
	c.form.set("description", &charge.Description)
	c.form.set("receipt_email", &charge.ReceiptEmail)
	c.form.object("shipping", &charge.Shipping)
	charge.Metadata = c.form.metadata(charge.Metadata)
	if d := s.settleCharge(c, charge, true); d != nil {
		return nil, errDeclined(d, charge, nil)
	}
	return charge, nil
}

// newCharge puts an attempted charge on the shelf.
func (s *Stripe) newCharge(now, amount int64, currency, card string) *stripeCharge {
	charge := &stripeCharge{ID: s.id("ch"), Object: "charge", Amount: amount, Currency: currency, Created: now,
		Metadata: map[string]string{}, PaymentMethod: card}
	s.charges.add(charge)
	return charge
}

// settleCharge moves the money, or holds it for a capture, or returns why the card's
// bank does neither.
func (s *Stripe) settleCharge(c *stripeCall, charge *stripeCharge, capture bool) *stripeDecline {
	if d := declineOf(charge.PaymentMethod); d != nil {
		charge.Status, charge.FailureCode, charge.FailureMessage = "failed", &d.code, &d.message
		s.effects.Declined++
		s.happened(c, "charge.failed", charge)
		return d
	}
	charge.Status, charge.Paid = "succeeded", true
	s.effects.Charges++
	if capture {
		s.captureCharge(charge, charge.Amount)
	}
	s.happened(c, "charge.succeeded", charge)
	return nil
}

// captureCharge moves what was held.
func (s *Stripe) captureCharge(charge *stripeCharge, amount int64) {
	s.succeed(charge, amount)
	s.effects.ChargedMinor += amount
}

func (s *Stripe) succeed(charge *stripeCharge, amount int64) {
	transaction := s.id("txn")
	charge.Status, charge.Paid, charge.Captured = "succeeded", true, true
	charge.AmountCaptured, charge.BalanceTransaction = amount, &transaction
}

func (s *Stripe) getCharge(c *stripeCall) (any, *stripeError) {
	charge, ok := s.charges.byID[c.id]
	if !ok {
		return nil, errMissing("charge", c.id, "id", http.StatusNotFound)
	}
	return charge, nil
}

func (s *Stripe) listCharges(c *stripeCall) (any, *stripeError) {
	customer, intent := c.form.filter("customer"), c.form.filter("payment_intent")
	return s.charges.list(c, func(charge *stripeCharge) bool {
		return customer(charge.Customer) && intent(charge.PaymentIntent)
	})
}
