package stripe

import (
	"context"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// BalanceTransaction is a movement of an account's balance
// (https://docs.stripe.com/api/balance_transactions/object).
type BalanceTransaction struct {
	ID string `json:"id"`
	// Amount is before and Net after the Fee, in the currency's minor unit, as
	// [ParseAmount] counts; what leaves the account is negative.
	Amount int64 `json:"amount"`
	Fee    int64 `json:"fee"`
	Net    int64 `json:"net"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// ExchangeRate is what the money of Source was multiplied by, if it was in
	// another currency; else 0.
	ExchangeRate float64 `json:"exchange_rate"`
	// FeeDetails are the parts of Fee.
	FeeDetails []Fee `json:"fee_details"`
	// Status is pending until AvailableOn, then available.
	Status      string    `json:"status"`
	AvailableOn time.Time `json:"available_on"`
	// Type is charge, refund, payout, stripe_fee and so on; ReportingCategory
	// groups them as the reports do (https://docs.stripe.com/reports/reporting-categories).
	Type              string `json:"type"`
	ReportingCategory string `json:"reporting_category"`
	// Source is what moved the money: a charge, a refund, a payout and so on.
	Source      Expandable[Raw] `json:"source"`
	Description string          `json:"description"`
	Created     time.Time       `json:"created"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// Fee is one of the fees of a balance transaction.
type Fee struct {
	// Amount is in the currency's minor unit, as [ParseAmount] counts.
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	// Type is stripe_fee, application_fee, payment_method_passthrough_fee, tax or
	// withheld_tax.
	Type        string `json:"type"`
	Description string `json:"description"`
}

// UnmarshalJSON reads a balance transaction and keeps it in Raw.
func (b *BalanceTransaction) UnmarshalJSON(raw []byte) error { return decode(raw, b) }

// String is the id, amount and status, such as "balance transaction txn_1 25.00
// USD available".
func (b BalanceTransaction) String() string {
	return "balance transaction " + b.ID + " " + FormatAmount(b.Amount, b.Currency) + " " + b.Status
}

// BalanceTransactionListParams narrow a list of balance transactions. A zero
// field is not sent.
type BalanceTransactionListParams struct {
	// Payout and Source are ids: the transactions that an automatic payout paid,
	// and those of a charge, a refund and so on.
	Payout string `form:"payout"`
	Source string `form:"source"`
	// Type is charge, refund, payout and so on.
	Type string `form:"type"`
	// Currency is an ISO 4217 code.
	Currency string    `form:"currency"`
	Created  TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// BalanceTransactions are the movements of an account's balance.
type BalanceTransactions struct{ c *Client }

// Retrieve reads a balance transaction.
func (s BalanceTransactions) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*BalanceTransaction, error) {
	return Get[BalanceTransaction](ctx, s.c, "/v1/balance_transactions/{id}", nil, byID(id, opts)...)
}

// List ranges over balance transactions, newest first. See [List].
func (s BalanceTransactions) List(ctx context.Context, p BalanceTransactionListParams, opts ...aplomb.CallOption) iter.Seq2[*BalanceTransaction, error] {
	return List[BalanceTransaction](ctx, s.c, "/v1/balance_transactions", p, opts...)
}
