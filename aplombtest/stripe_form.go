package aplombtest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// stripeForm holds the parameters of a request, with nested ones still in
// brackets: metadata[k], created[gte], expand[].
type stripeForm url.Values

// has reports whether name was sent, be it empty.
func (f stripeForm) has(name string) bool { return len(f[name]) > 0 }

// get returns the value of name; the last one counts, as at Stripe.
func (f stripeForm) get(name string) string {
	if values := f[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// set puts the value of name into field if it was sent: an empty one is null.
func (f stripeForm) set(name string, field **string) {
	if !f.has(name) {
		return
	}
	*field = nil
	if v := f.get(name); v != "" {
		*field = &v
	}
}

// names returns the names in order, so that the first error is always the same.
func (f stripeForm) names() []string {
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// unknown returns an error for the first parameter whose root is not known.
func (f stripeForm) unknown(known map[string]bool) *stripeError {
	for _, name := range f.names() {
		if root, _, _ := strings.Cut(name, "["); !known[root] {
			return errUnknownParam(name)
		}
	}
	return nil
}

// required returns an error unless every one of names was sent with a value.
func (f stripeForm) required(names ...string) *stripeError {
	for _, name := range names {
		switch {
		case !f.has(name):
			return errMissingParam(name)
		case f.get(name) == "":
			return errEmptyParam(name)
		}
	}
	return nil
}

// integer returns the value of name, or fallback if it was not sent; a value
// outside least and most is an error.
func (f stripeForm) integer(name string, fallback, least, most int64) (int64, *stripeError) {
	if !f.has(name) {
		return fallback, nil
	}
	text := f.get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return 0, errInvalidInteger(name, "Invalid integer: "+text)
	case n < least:
		return 0, errInvalidInteger(name, "This value must be greater than or equal to "+strconv.FormatInt(least, 10)+".")
	case n > most:
		return 0, errInvalidInteger(name, "This value must be less than or equal to "+
			strconv.FormatInt(most, 10)+" (it currently is '"+text+"').")
	}
	return n, nil
}

// boolean returns the value of name; not sent is false.
func (f stripeForm) boolean(name string) (bool, *stripeError) {
	switch text := f.get(name); text {
	case "true", "1":
		return true, nil
	case "", "false", "0":
		return false, nil
	default:
		return false, errInvalidParam(name, "Invalid boolean: "+text)
	}
}

// amount returns a required amount of money in the currency's minor unit.
func (f stripeForm) amount() (amount int64, currency string, err *stripeError) {
	if err := f.required("amount", "currency"); err != nil {
		return 0, "", err
	}
	if currency, err = f.currency(); err != nil {
		return 0, "", err
	}
	amount, err = f.integer("amount", 0, 1, 99_999_999)
	if err == nil && currency == "usd" && amount < 50 { // the other minimums depend on the account
		err = errTooSmall()
	}
	return amount, currency, err
}

// currency returns the lower-case currency. It knows the shape of ISO 4217
// codes only; the real API also knows which of them it can charge.
func (f stripeForm) currency() (string, *stripeError) {
	currency := strings.ToLower(f.get("currency"))
	if len(currency) != 3 || strings.Trim(currency, "abcdefghijklmnopqrstuvwxyz") != "" {
		return "", errInvalidParam("currency", "Invalid currency: "+currency+
			". Stripe currently supports these currencies: usd, eur, gbp, jpy and others")
	}
	return currency, nil
}

// metadata lays the form's metadata over m: metadata[k]=v sets, metadata[k]=
// deletes one, metadata= deletes all (https://docs.stripe.com/api/metadata).
func (f stripeForm) metadata(m map[string]string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	if f.has("metadata") {
		clear(m)
	}
	for _, name := range f.names() {
		key, ok := strings.CutPrefix(name, "metadata[")
		if !ok {
			continue
		}
		key = strings.TrimSuffix(key, "]")
		if value := f.get(name); value != "" {
			m[key] = value
		} else {
			delete(m, key)
		}
	}
	return m
}

// object puts name[k]=v and name[k][l]=v into a nested object if any was sent.
func (f stripeForm) object(name string, field *map[string]any) {
	if f.has(name) {
		*field = nil // name= clears
	}
	for _, full := range f.names() {
		rest, ok := strings.CutPrefix(full, name+"[")
		if !ok {
			continue
		}
		if *field == nil {
			*field = map[string]any{}
		}
		at, path := *field, strings.Split(strings.TrimSuffix(rest, "]"), "][")
		for _, step := range path[:len(path)-1] {
			inner, ok := at[step].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[step] = inner
			}
			at = inner
		}
		at[path[len(path)-1]] = f.get(full)
	}
}

// shownMoney is an amount as messages have it, such as "$12.00". Of other currencies
// than the dollar it is the bare number and their code.
func shownMoney(minor int64, currency string) string {
	if currency != "usd" {
		return strconv.FormatInt(minor, 10) + " " + currency
	}
	cents := strconv.FormatInt(minor%100+100, 10)
	return "$" + strconv.FormatInt(minor/100, 10) + "." + cents[1:]
}
