package stripe

import (
	"context"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// Balance is what an account has at Stripe
// (https://docs.stripe.com/api/balance/balance_object).
type Balance struct {
	// Available can be paid out, Pending not yet, one amount for each currency.
	Available []Funds `json:"available"`
	Pending   []Funds `json:"pending"`
	// InstantAvailable can be paid out at once, ConnectReserved is kept for what
	// connected accounts owe. Nil: there is no such thing.
	InstantAvailable []Funds `json:"instant_available"`
	ConnectReserved  []Funds `json:"connect_reserved"`
	Livemode         bool    `json:"livemode"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// Funds are money in one currency.
type Funds struct {
	// Amount is in the currency's minor unit, as [ParseAmount] counts; what is owed is
	// negative.
	Amount int64 `json:"amount"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// SourceTypes are the parts of Amount, by card, bank_account and so on.
	SourceTypes map[string]int64 `json:"source_types"`
}

// UnmarshalJSON reads a balance and keeps it in Raw.
func (b *Balance) UnmarshalJSON(raw []byte) error { return decode(raw, b) }

// String is what is available, such as "balance 25.00 USD 300 JPY".
func (b Balance) String() string {
	words := []string{"balance"}
	for _, f := range b.Available {
		words = append(words, FormatAmount(f.Amount, f.Currency))
	}
	return strings.Join(words, " ")
}

// Balances are what accounts have at Stripe: one has one.
type Balances struct{ c *Client }

// Retrieve reads the balance of the account that the key or [Account] names.
func (s Balances) Retrieve(ctx context.Context, opts ...aplomb.CallOption) (*Balance, error) {
	return Get[Balance](ctx, s.c, "/v1/balance", nil, opts...)
}
