package stripe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/rawjson"
)

// What errors.Is finds in an error of this package.
var (
	// ErrCardDeclined means that a card could not be charged: a card_error. The
	// bank's reason is in [Error.DeclineCode].
	ErrCardDeclined = errors.New("stripe: card declined")
	// ErrAuthentication means that the key is missing, wrong (401) or may not do
	// this (403).
	ErrAuthentication = errors.New("stripe: authentication failed")
	// ErrInvalidRequest means that Stripe could not accept the request as it is: an
	// invalid_request_error answered with 400, but for ErrNotFound. [Error.Param] may
	// say which parameter.
	ErrInvalidRequest = errors.New("stripe: invalid request")
	// ErrNotFound means that the object is not there, in this account and mode
	// (404 or resource_missing).
	ErrNotFound = errors.New("stripe: not found")
	// ErrIdempotency means that the idempotency key was used before: for another
	// request (an idempotency_error: look up what that did before another key is
	// used), or for one that is still running ([Error.Code] idempotency_key_in_use:
	// repeat it with the same key).
	ErrIdempotency = errors.New("stripe: idempotency key conflict")
	// ErrRateLimited is [aplomb.ErrRateLimited]: Stripe answered 429, or the call
	// was not sent since the rate would have held it past its deadline.
	ErrRateLimited = aplomb.ErrRateLimited
)

// Error is Stripe's refusal (https://docs.stripe.com/api/errors), from v1, v2 and
// the OAuth host alike. Every answer with an unexpected status is one, also when
// a proxy wrote it and there is only a StatusCode. Error is one safe line;
// errors.As also finds the [*aplomb.APIError] it wraps, which has the headers and
// the body.
type Error struct {
	_ [0]func() // an error is looked at, not compared: code for that would be 1 KB in each program

	// Type is api_error, card_error, idempotency_error or invalid_request_error;
	// v2 has more.
	Type string
	// Code is what programs should look at (https://docs.stripe.com/error-codes);
	// DeclineCode is the bank's reason (https://docs.stripe.com/declines/codes).
	Code, DeclineCode string
	// AdviceCode says what to do about a declined card: confirm_card_data,
	// do_not_try_again or try_again_later. The network's own codes, two characters
	// each, are in NetworkAdviceCode and NetworkDeclineCode.
	AdviceCode, NetworkAdviceCode, NetworkDeclineCode string
	// Param is the parameter that was wrong, such as "amount".
	Param string
	// Message is Stripe's own sentence, scrubbed of keys and card numbers and cut
	// to 200 characters. That of a card error may be shown to the card's owner, as
	// UserMessage may, which v2 sends.
	Message, UserMessage string
	// DocURL explains Code; RequestLogURL shows the request in the dashboard.
	DocURL, RequestLogURL string
	// RequestID finds the request in Stripe's dashboard.
	RequestID  string
	StatusCode int
	// The ids of the objects that the failed request has made, changed or used, ""
	// for none.
	PaymentIntent, SetupIntent, Charge, PaymentMethod, Source string
	// PaymentMethodType is that of the payment method, such as "card".
	PaymentMethodType string
	// Err is the answer.
	Err *aplomb.APIError
}

// decodeError makes an Error of every refusal. What it cannot read stays empty.
func decodeError(api *aplomb.APIError) error {
	e := &Error{Message: api.Message, RequestID: api.RequestID, StatusCode: api.StatusCode, Err: api}
	e.read(api.Body)
	if keyed := e.keyAdvice(); keyed != "" {
		api.Hint = keyed
	} else if api.Hint == "" {
		api.Hint = api.Redact(e.advice())
	}
	return e
}

// read takes what fits, member by member: one odd field must not hide the others.
func (e *Error) read(body []byte) {
	if body = bytes.TrimSpace(body); !json.Valid(body) {
		return
	}
	var inner []byte
	for name, value := range rawjson.Members(body) {
		if string(name) == "error" {
			inner = value
		}
	}
	if kind(inner) == "string" { // OAuth: the code itself
		e.Code, _ = rawjson.String(inner)
		return
	}
	fields := map[string]*string{
		"type": &e.Type, "code": &e.Code, "decline_code": &e.DeclineCode, "param": &e.Param, "doc_url": &e.DocURL,
		"advice_code": &e.AdviceCode, "network_advice_code": &e.NetworkAdviceCode, "network_decline_code": &e.NetworkDeclineCode,
		"user_message": &e.UserMessage, "request_log_url": &e.RequestLogURL, "charge": &e.Charge, "payment_intent": &e.PaymentIntent,
		"setup_intent": &e.SetupIntent, "payment_method": &e.PaymentMethod, "payment_method_type": &e.PaymentMethodType, "source": &e.Source,
	}
	for name, value := range rawjson.Members(inner) {
		if field := fields[string(name)]; field != nil {
			*field, _, _ = identify(value, new(arena), reflect.TypeFor[string]()) // a text, or the id of an object
		}
	}
	e.UserMessage = e.Err.Redact(e.UserMessage)
}

// keyAdvice is the next step where the idempotency key is why the call failed.
// Another key is how a customer is charged twice.
func (e *Error) keyAdvice() string {
	switch {
	case e.Code == "idempotency_key_in_use":
		return "the first request with this idempotency key is still running: repeat it with the same key"
	case e.Type == "idempotency_error":
		return "this idempotency key was used with other parameters: look up what that call did before you use another key"
	case !wasReplayed(e.Err.Header):
		return ""
	case e.Type == "card_error" && word(e.PaymentIntent):
		return "this is the stored answer of an earlier try with the same idempotency key: for another card, confirm " + e.PaymentIntent
	default:
		return "this is the stored answer of an earlier try with the same idempotency key, which Stripe repeats for a day: look up what became of it before you use another key"
	}
}

// wasReplayed reports an answer that was given to an earlier request with the
// same key (https://docs.stripe.com/error-low-level#sending-idempotency-keys).
func wasReplayed(h http.Header) bool { return strings.EqualFold(h.Get("Idempotent-Replayed"), "true") }

// advice is the next step, as far as Stripe's answer names one.
func (e *Error) advice() string {
	var parts []string
	if word(e.DeclineCode) && e.DeclineCode != e.Code {
		parts = append(parts, "the bank says "+e.DeclineCode)
	}
	if word(e.Param) {
		parts = append(parts, "look at the parameter "+e.Param)
	}
	if rest, ok := strings.CutPrefix(e.DocURL, "https://stripe.com/docs/"); ok && word(strings.ReplaceAll(rest, "/", "_")) {
		parts = append(parts, "see "+e.DocURL)
	}
	return strings.Join(parts, "; ")
}

// word reports a short identifier: what a server may put into a line of ours.
func word(s string) bool {
	return s != "" && len(s) <= 60 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]") == ""
}

// Error is one line: operation, status, code, Stripe's message, request id,
// attempts, time and hint.
func (e *Error) Error() string {
	if e.Err == nil {
		return "stripe: " + http.StatusText(e.StatusCode)
	}
	return e.Err.Error()
}

// Unwrap returns the [*aplomb.APIError].
func (e *Error) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}

// Is answers errors.Is for the sentinels of this package.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrCardDeclined:
		return e.Type == "card_error"
	case ErrAuthentication:
		return e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
	case ErrInvalidRequest:
		return e.Type == "invalid_request_error" && e.StatusCode == http.StatusBadRequest && e.Code != "resource_missing"
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound || e.Code == "resource_missing"
	case ErrIdempotency:
		return e.Type == "idempotency_error" || e.Code == "idempotency_key_in_use"
	default:
		return false
	}
}

// Format prints the line for every verb, so that no dump shows the body.
func (e Error) Format(f fmt.State, verb rune) { formatLine(f, verb, e.Error()) }

// LogValue is what slog prints.
func (e Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// MarshalJSON gives the safe fields.
func (e Error) MarshalJSON() ([]byte, error) {
	show := aplomb.Response{}.Redact // the fields themselves are left as they came: programs compare them
	if e.Err != nil {
		show = e.Err.Redact
	}
	return json.Marshal(map[string]any{
		"type": show(e.Type), "code": show(e.Code), "decline_code": show(e.DeclineCode), "advice_code": show(e.AdviceCode), "param": show(e.Param),
		"message": show(e.Message), "status": e.StatusCode, "request_id": e.RequestID, "error": e.Error(),
	})
}
