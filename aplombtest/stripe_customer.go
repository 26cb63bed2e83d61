package aplombtest

import "net/http"

var customerParams = []string{
	"address", "balance", "cash_balance", "description", "email", "invoice_prefix", "invoice_settings", "metadata", "name",
	"next_invoice_sequence", "payment_method", "phone", "preferred_locales", "shipping", "source", "tax", "tax_exempt", "tax_id_data",
	"test_clock",
}

// stripeCustomer is https://docs.stripe.com/api/customers/object.
type stripeCustomer struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Address          map[string]any    `json:"address"`
	Balance          int64             `json:"balance"`
	Created          int64             `json:"created"`
	Currency         *string           `json:"currency"`
	DefaultSource    *string           `json:"default_source"`
	Delinquent       bool              `json:"delinquent"`
	Description      *string           `json:"description"`
	Email            *string           `json:"email"`
	Livemode         bool              `json:"livemode"`
	Metadata         map[string]string `json:"metadata"`
	Name             *string           `json:"name"`
	Phone            *string           `json:"phone"`
	PreferredLocales []string          `json:"preferred_locales"`
	Shipping         map[string]any    `json:"shipping"`
	TaxExempt        string            `json:"tax_exempt"`

	deleted bool
}

func (c *stripeCustomer) ident() string { return c.ID }
func (c *stripeCustomer) made() int64   { return c.Created }

// stripeDeleted is what is left of an object.
type stripeDeleted struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

func (s *Stripe) createCustomer(c *stripeCall) (any, *stripeError) {
	balance, err := c.form.integer("balance", 0, -99_999_999, 99_999_999)
	if err != nil {
		return nil, err
	}
	customer := s.newCustomer(c.now)
	customer.Balance = balance
	customer.fill(c.form)
	s.effects.Customers++
	s.happened(c, "customer.created", customer)
	return customer, nil
}

func (s *Stripe) newCustomer(now int64) *stripeCustomer {
	customer := &stripeCustomer{ID: s.id("cus"), Object: "customer", Created: now,
		Metadata: map[string]string{}, PreferredLocales: []string{}, TaxExempt: "none"}
	s.customers.add(customer)
	return customer
}

func (c *stripeCustomer) fill(form stripeForm) {
	form.set("email", &c.Email)
	form.set("name", &c.Name)
	form.set("phone", &c.Phone)
	form.set("description", &c.Description)
	form.object("address", &c.Address)
	form.object("shipping", &c.Shipping)
	c.Metadata = form.metadata(c.Metadata)
	if exempt := form.get("tax_exempt"); exempt != "" {
		c.TaxExempt = exempt
	}
}

func (s *Stripe) getCustomer(c *stripeCall) (any, *stripeError) {
	customer, ok := s.customers.byID[c.id]
	switch {
	case !ok:
		return nil, errMissing("customer", c.id, "id", http.StatusNotFound)
	case customer.deleted:
		return stripeDeleted{c.id, "customer", true}, nil
	}
	return customer, nil
}

func (s *Stripe) updateCustomer(c *stripeCall) (any, *stripeError) {
	customer, err := s.customer(c.id, "id", http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	balance, err := c.form.integer("balance", customer.Balance, -99_999_999, 99_999_999)
	if err != nil {
		return nil, err
	}
	customer.Balance = balance
	customer.fill(c.form)
	s.happened(c, "customer.updated", customer)
	return customer, nil
}

func (s *Stripe) deleteCustomer(c *stripeCall) (any, *stripeError) {
	customer, err := s.customer(c.id, "id", http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	customer.deleted = true
	s.customers.hide(c.id)
	s.happened(c, "customer.deleted", customer)
	return stripeDeleted{c.id, "customer", true}, nil
}

func (s *Stripe) listCustomers(c *stripeCall) (any, *stripeError) {
	email := c.form.filter("email") // exact and case-sensitive, as documented
	return s.customers.list(c, func(customer *stripeCustomer) bool { return email(customer.Email) })
}

// customer returns a customer that is not deleted, or the error for param.
func (s *Stripe) customer(id, param string, status int) (*stripeCustomer, *stripeError) {
	customer, ok := s.customers.byID[id]
	if !ok || customer.deleted {
		return nil, errMissing("customer", id, param, status)
	}
	return customer, nil
}
