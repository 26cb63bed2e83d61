package aplombtest

import "net/http"

// refundParams have no effect that shows.
var refundParams = []string{"instructions_email", "origin", "refund_application_fee", "reverse_transfer"}

// stripeRefund is https://docs.stripe.com/api/refunds/object.
type stripeRefund struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"`
	BalanceTransaction *string           `json:"balance_transaction"`
	Charge             string            `json:"charge"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	Metadata           map[string]string `json:"metadata"`
	PaymentIntent      *string           `json:"payment_intent"`
	Reason             *string           `json:"reason"`
	ReceiptNumber      *string           `json:"receipt_number"`
	Status             string            `json:"status"`
}

func (r *stripeRefund) ident() string { return r.ID }
func (r *stripeRefund) made() int64   { return r.Created }

// createRefund gives back what is left of a charge, or a part of it.
func (s *Stripe) createRefund(c *stripeCall) (any, *stripeError) {
	charge, err := s.refunded(c.form)
	if err != nil {
		return nil, err
	}
	left := charge.AmountCaptured - charge.AmountRefunded
	amount, err := c.form.integer("amount", left, 1, 99_999_999)
	switch reason := c.form.get("reason"); {
	case err != nil:
		return nil, err
	case reason != "" && reason != "duplicate" && reason != "fraudulent" && reason != "requested_by_customer":
		return nil, errInvalidParam("reason", "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer")
	case !charge.Captured:
		return nil, errInvalidParam("charge", "This charge has not been captured: cancel its payment intent (aplombtest)")
	case left == 0:
		e := invalidRequest("charge_already_refunded", "", "Charge "+charge.ID+" has already been refunded.")
		e.began = true
		return nil, e
	case amount > left:
		e := errInvalidParam("amount", "Refund amount ("+shownMoney(amount, charge.Currency)+
			") is greater than unrefunded amount on charge ("+shownMoney(left, charge.Currency)+")")
		e.began = true
		return nil, e
	}
	transaction := s.id("txn")
	refund := &stripeRefund{
		ID: s.id("re"), Object: "refund", Amount: amount, BalanceTransaction: &transaction, Charge: charge.ID, Created: c.now,
		Currency: charge.Currency, Metadata: c.form.metadata(nil), PaymentIntent: charge.PaymentIntent, Status: "succeeded",
	}
	c.form.set("reason", &refund.Reason)
	s.refunds.add(refund)
	charge.AmountRefunded += amount
	charge.Refunded = charge.AmountRefunded == charge.AmountCaptured
	s.effects.Refunds++
	s.effects.RefundedMinor += amount
	s.happened(c, "charge.refunded", charge)
	s.happened(c, "refund.created", refund)
	return refund, nil
}

// refunded is the charge that a form names, by itself or by its payment intent.
func (s *Stripe) refunded(form stripeForm) (*stripeCharge, *stripeError) {
	id := form.get("charge")
	if intent := form.get("payment_intent"); intent != "" {
		if id != "" {
			return nil, errInvalidParam("", "You may only specify one of these parameters: charge, payment_intent.")
		}
		p, ok := s.intents.byID[intent]
		switch {
		case !ok:
			return nil, errMissing("payment_intent", intent, "payment_intent", http.StatusBadRequest)
		case p.Status != "succeeded":
			return nil, errInvalidParam("payment_intent", "This PaymentIntent ("+p.ID+") does not have a successful charge to refund.")
		}
		id = *p.LatestCharge
	}
	if id == "" {
		return nil, invalidRequest("parameter_missing", "", "One of the following params should be provided for this request: payment_intent or charge.")
	}
	charge, ok := s.charges.byID[id]
	switch {
	case !ok:
		return nil, errMissing("charge", id, "charge", http.StatusBadRequest)
	case !charge.Paid:
		return nil, errInvalidParam("charge", "You cannot refund a charge that failed.")
	}
	return charge, nil
}

func (s *Stripe) getRefund(c *stripeCall) (any, *stripeError) {
	refund, ok := s.refunds.byID[c.id]
	if !ok {
		return nil, errMissing("refund", c.id, "refund", http.StatusNotFound)
	}
	return refund, nil
}

func (s *Stripe) updateRefund(c *stripeCall) (any, *stripeError) {
	refund, ok := s.refunds.byID[c.id]
	if !ok {
		return nil, errMissing("refund", c.id, "refund", http.StatusNotFound)
	}
	refund.Metadata = c.form.metadata(refund.Metadata)
	s.happened(c, "refund.updated", refund)
	return refund, nil
}

func (s *Stripe) listRefunds(c *stripeCall) (any, *stripeError) {
	charge, intent := c.form.filter("charge"), c.form.filter("payment_intent")
	return s.refunds.list(c, func(r *stripeRefund) bool { return charge(&r.Charge) && intent(r.PaymentIntent) })
}
