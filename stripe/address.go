package stripe

// Address is a postal address, in an object and as a parameter.
type Address struct {
	Line1      string `json:"line1" form:"line1"`
	Line2      string `json:"line2" form:"line2"`
	City       string `json:"city" form:"city"`
	State      string `json:"state" form:"state"`
	PostalCode string `json:"postal_code" form:"postal_code"`
	// Country is a two-letter code of ISO 3166-1.
	Country string `json:"country" form:"country"`
}

// Shipping is where goods go to, in an object and as a parameter.
type Shipping struct {
	Name    string  `json:"name" form:"name"`
	Phone   string  `json:"phone" form:"phone"`
	Address Address `json:"address" form:"address"`
}

// BillingDetails are those of a payment method's owner, in an object and as a
// parameter.
type BillingDetails struct {
	Name    string   `json:"name" form:"name"`
	Email   string   `json:"email" form:"email"`
	Phone   string   `json:"phone" form:"phone"`
	Address *Address `json:"address" form:"address"`
}
