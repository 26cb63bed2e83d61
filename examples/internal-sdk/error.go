package acme

import "github.com/aplomb-go/aplomb"

// Error is a refusal by the order API. errors.As finds it, and also the
// *aplomb.APIError it wraps, which has the status, the headers and the body.
type Error struct {
	// Code is what programs should look at, such as "out_of_stock".
	Code string
	// Message is the server's sentence, scrubbed of credentials.
	Message string
	// RequestID finds the request in the API's logs.
	RequestID string
	Err       *aplomb.APIError
}

// decodeError makes an Error of every answer that is no success. The company's
// {"error":{"code","message"}} is a shape that aplomb reads; what else is in
// the body would be decoded here, from e.Body.
func decodeError(e *aplomb.APIError) error {
	return &Error{Code: e.Code, Message: e.Message, RequestID: e.RequestID, Err: e}
}

// Error is aplomb's one safe line.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the *aplomb.APIError.
func (e *Error) Unwrap() error { return e.Err }
