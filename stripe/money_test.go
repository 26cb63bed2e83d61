package stripe_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

func TestAmount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		decimal, currency string
		want              int64
		text              string
	}{
		{"19.99", "usd", 1999, "19.99 USD"},
		{"19.9", "EUR", 1990, "19.90 EUR"},
		{"20", "usd", 2000, "20.00 USD"},
		{"0.05", "gbp", 5, "0.05 GBP"},
		{"-1.50", "usd", -150, "-1.50 USD"},
		{"-0.05", "usd", -5, "-0.05 USD"},
		{"0", "usd", 0, "0.00 USD"},
		{"19.9900", "usd", 1999, "19.99 USD"},
		{"007", "usd", 700, "7.00 USD"},
		{"500", "jpy", 500, "500 JPY"},
		{"500.00", "jpy", 500, "500 JPY"},
		{"5.12", "kwd", 5120, "5.120 KWD"},
		{"5.120", "kwd", 5120, "5.120 KWD"},
		{"5", "isk", 500, "5.00 ISK"},
		{"5.00", "UGX", 500, "5.00 UGX"},
		{"1234.56", "huf", 123456, "1234.56 HUF"},
		{"92233720368547758.07", "usd", 9223372036854775807, "92233720368547758.07 USD"},
	} {
		got, err := stripe.ParseAmount(tt.decimal, tt.currency)
		assert.NoError(t, err)
		assert.Equal(t, got, tt.want, tt.decimal, tt.currency)
		assert.Equal(t, stripe.FormatAmount(got, tt.currency), tt.text)
	}
	assert.Equal(t, stripe.FormatAmount(25, ""), "25")
	assert.Equal(t, stripe.FormatAmount(-9223372036854775808, "usd"), "-92233720368547758.08 USD")
}

func TestAmountRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ decimal, currency, want string }{
		{"19.999", "usd", "takes two decimals"},
		{"500.5", "jpy", "takes no decimals"},
		{"5.124", "kwd", "takes two decimals"}, // the last must be 0
		{"5.50", "isk", "takes no decimals"},
		{"5.01", "ugx", "takes no decimals"},
		{"", "usd", "not an amount"},
		{".5", "usd", "not an amount"},
		{"5.", "usd", "not an amount"},
		{"1,000", "usd", "not an amount"},
		{"1e3", "usd", "not an amount"},
		{"+1", "usd", "not an amount"},
		{"--1", "usd", "not an amount"},
		{"1.2.3", "usd", "not an amount"},
		{" 1", "usd", "not an amount"},
		{"19.99", "dollar", "not a currency"},
		{"19.99", "", "not a currency"},
		{"19.99", "u$d", "not a currency"},
		{"92233720368547758.08", "usd", "too large"},
	} {
		_, err := stripe.ParseAmount(tt.decimal, tt.currency)
		assert.Contains(t, fmt.Sprint(err), tt.want, tt.decimal, tt.currency)
	}
}

// FuzzAmount: what is taken comes back as the same number.
func FuzzAmount(f *testing.F) {
	for _, seed := range []string{"19.99", "-0.1", "500", "5.120", "00.00", "1e3", "."} {
		for _, currency := range []string{"usd", "jpy", "kwd", "isk"} {
			f.Add(seed, currency)
		}
	}
	f.Fuzz(func(t *testing.T, decimal, currency string) {
		amount, err := stripe.ParseAmount(decimal, currency)
		if err != nil {
			return
		}
		text, code, _ := strings.Cut(stripe.FormatAmount(amount, currency), " ")
		again, err := stripe.ParseAmount(text, code)
		if err != nil || again != amount {
			t.Errorf("%q %q is %d, then %d, %v", decimal, currency, amount, again, err)
		}
		want, _ := strconv.ParseFloat(decimal, 64)
		got, _ := strconv.ParseFloat(text, 64)
		if want != got {
			t.Errorf("%q %q came back as %q", decimal, currency, text)
		}
	})
}
