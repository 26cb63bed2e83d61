package stripe

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseAmount gives what Stripe calls an amount: decimal, such as "19.99", in the
// currency's minor unit. It stops the mistakes of a plain multiplication by 100:
// 500 JPY are 500, since the yen has no decimals, and 5.12 KWD are 5120.
//
//	ParseAmount("19.99", "usd")  // 1999
//	ParseAmount("500", "jpy")    // 500
//	ParseAmount("5.12", "kwd")   // 5120
//
// A fraction that the currency does not have is an error, never rounded: more
// decimals than it has, a third one other than 0 for BHD, JOD, KWD, OMR and TND,
// any but .00 for ISK and UGX, which Stripe counts in hundredths although they
// have none (https://docs.stripe.com/currencies#zero-decimal and
// #special-cases). Payouts in HUF and TWD must be of whole units too, which
// charges need not.
func ParseAmount(decimal, currency string) (int64, error) {
	places, err := decimals(currency)
	if err != nil {
		return 0, err
	}
	negative := strings.HasPrefix(decimal, "-")
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(decimal, "-"), ".")
	if whole == "" || strings.HasSuffix(decimal, ".") || !digits(whole) || !digits(fraction) {
		return 0, fmt.Errorf("stripe: %q is not an amount: write it like 19.99, with a point and no other sign", decimal)
	}
	significant := strings.TrimRight(fraction, "0")
	if len(significant) > allowed(currency, places) {
		return 0, fmt.Errorf("stripe: %s %s: Stripe takes %s in this currency: round it as your business does",
			decimal, strings.ToUpper(currency), [...]string{"no decimals", "", "two decimals"}[allowed(currency, places)])
	}
	minor, err := strconv.ParseInt(whole+significant+strings.Repeat("0", places-len(significant)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("stripe: %s %s is too large an amount", decimal, strings.ToUpper(currency))
	}
	if negative {
		minor = -minor
	}
	return minor, nil
}

// FormatAmount writes an amount for people: "19.99 USD", "500 JPY",
// "5.120 KWD". Of what is no currency code it makes the bare number.
func FormatAmount(amount int64, currency string) string {
	code := strings.ToUpper(currency)
	places, err := decimals(currency)
	if err != nil || places == 0 {
		return strings.TrimSpace(strconv.FormatInt(amount, 10) + " " + code)
	}
	sign, text := "", strconv.FormatInt(amount, 10)
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	if missing := places + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	point := len(text) - places
	return sign + text[:point] + "." + text[point:] + " " + code
}

// decimals is how many decimals Stripe counts a currency in.
func decimals(currency string) (int, error) {
	code := strings.ToLower(currency)
	if len(code) != 3 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz") != "" {
		return 0, fmt.Errorf("stripe: %q is not a currency: want a code of ISO 4217, such as usd", currency)
	}
	switch code {
	case "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf":
		return 0, nil
	case "bhd", "jod", "kwd", "omr", "tnd":
		return 3, nil
	default:
		return 2, nil
	}
}

// allowed is how many of the decimals may be other than 0.
func allowed(currency string, places int) int {
	switch strings.ToLower(currency) {
	case "isk", "ugx":
		return 0
	default:
		return min(places, 2)
	}
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
