package aplombtest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// stripeError is the "error" of an answer, with the fields of
// https://docs.stripe.com/api/errors in the order the real API sends them. The
// messages are Stripe's own, as far as they are public.
type stripeError struct {
	status int
	began  bool // it came after the request had begun to take effect

	Charge        string        `json:"charge,omitempty"`
	Code          string        `json:"code,omitempty"`
	DeclineCode   string        `json:"decline_code,omitempty"`
	DocURL        string        `json:"doc_url,omitempty"`
	Message       string        `json:"message"`
	Param         string        `json:"param,omitempty"`
	PaymentIntent *stripeIntent `json:"payment_intent,omitempty"`
	Type          string        `json:"type"`
}

func (e *stripeError) reply() stripeReply {
	if e.Code != "" {
		e.DocURL = "https://stripe.com/docs/error-codes/" + strings.ReplaceAll(e.Code, "_", "-")
	}
	return stripeReply{e.status, encodeStripe(map[string]any{"error": e})}
}

// encodeStripe writes JSON indented by two spaces, like the real API.
func encodeStripe(v any) []byte {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // our own types always encode
		panic("aplombtest: " + err.Error())
	}
	return append(body, '\n')
}

func invalidRequest(code, param, message string) *stripeError {
	return &stripeError{status: http.StatusBadRequest, Type: "invalid_request_error", Code: code, Param: param, Message: message}
}

func errNoKey() *stripeError {
	e := invalidRequest("", "", "You did not provide an API key. You need to provide your API key in the Authorization header, "+
		"using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, "+
		"or we can help at https://support.stripe.com/.")
	e.status = http.StatusUnauthorized
	return e
}

func errBadKey(key string) *stripeError {
	shown := strings.Repeat("*", len(key))
	if len(key) > 12 { // long enough to show its ends, as Stripe does
		shown = key[:8] + strings.Repeat("*", len(key)-12) + key[len(key)-4:]
	}
	e := invalidRequest("", "", "Invalid API Key provided: "+shown)
	e.status = http.StatusUnauthorized
	return e
}

func errCrashed() *stripeError {
	return &stripeError{status: http.StatusInternalServerError, Type: "api_error", Message: "An unknown error occurred."}
}

func errUnknownURL(r *http.Request) *stripeError {
	e := invalidRequest("", "", "Unrecognized request URL ("+r.Method+": "+r.URL.Path+
		"). aplombtest.Stripe does not serve it: put a handler of your own in front.")
	e.status = http.StatusNotFound
	return e
}

func errContentType() *stripeError {
	return invalidRequest("", "", "Invalid request (check that your POST content type is application/x-www-form-urlencoded). "+
		"If you have any questions, we can help at https://support.stripe.com/.")
}

func errUnknownParam(name string) *stripeError {
	return invalidRequest("parameter_unknown", name, "Received unknown parameter: "+name)
}

func errMissingParam(name string) *stripeError {
	return invalidRequest("parameter_missing", name, "Missing required param: "+name+".")
}

func errEmptyParam(name string) *stripeError {
	return invalidRequest("parameter_invalid_empty", name, "You passed an empty string for '"+name+"'. "+
		"We assume empty values are an attempt to unset a parameter; however '"+name+"' cannot be unset. "+
		"You should remove '"+name+"' from your request or supply a non-empty value.")
}

func errInvalidInteger(name, message string) *stripeError {
	return invalidRequest("parameter_invalid_integer", name, message)
}

func errInvalidParam(name, message string) *stripeError { return invalidRequest("", name, message) }

func errTooSmall() *stripeError {
	return invalidRequest("amount_too_small", "amount", "Amount must be at least $0.50 usd")
}

// errMissing is for an id that names nothing: 404 if the path has it, 400 if a
// parameter does.
func errMissing(kind, id, param string, status int) *stripeError {
	e := invalidRequest("resource_missing", param, "No such "+kind+": '"+id+"'")
	e.status = status
	return e
}

// errIntentState is for a payment intent whose status forbids what was asked.
func errIntentState(intent *stripeIntent, message string) *stripeError {
	e := invalidRequest("payment_intent_unexpected_state", "", message)
	e.PaymentIntent, e.began = intent, true
	return e
}

func errKeyReused(key string) *stripeError {
	return &stripeError{status: http.StatusBadRequest, Type: "idempotency_error", Message: "Keys for idempotent requests can only " +
		"be used with the same parameters they were first used with. Try using a key other than '" + key +
		"' if you meant to execute a different request."}
}

func errKeyElsewhere(key, now, first string) *stripeError {
	return &stripeError{status: http.StatusBadRequest, Type: "idempotency_error", Message: "Keys for idempotent requests can only " +
		"be used for the same endpoint they were first used for ('" + now + "' vs '" + first + "'). Try using a key other than '" + key +
		"' if you meant to execute a different request."}
}

func errKeyInUse(key string) *stripeError {
	return &stripeError{status: http.StatusConflict, Type: "idempotency_error", Code: "idempotency_key_in_use",
		Message: "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, " +
			"and the other request is still going through): " + key + ". Please try again later."}
}

// errDeclined is what a card's bank says no with.
func errDeclined(d *stripeDecline, charge *stripeCharge, intent *stripeIntent) *stripeError {
	return &stripeError{status: http.StatusPaymentRequired, began: true, Type: "card_error", Code: d.code, DeclineCode: d.declineCode,
		Message: d.message, Charge: charge.ID, PaymentIntent: intent}
}
