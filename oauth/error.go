package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/aplomb-go/aplomb"
)

// Error is a refusal of the authorization server (RFC 6749, section 5.2). Of its
// answer it holds only the code and the description, without anything that the
// request carried.
type Error struct {
	// Server is the authorization server's host.
	Server string
	// StatusCode is the answer's; 0 where a browser brought the refusal.
	StatusCode int
	// Code is the error parameter, such as invalid_grant, and Description the
	// error_description, "" where the answer had none.
	Code, Description string
}

// hints say, by code, where to look.
var hints = map[string]string{
	"invalid_client":      "look at Config.ClientID and Config.Auth",
	"invalid_scope":       "look at Config.Scopes",
	"unauthorized_client": "the server does not allow this client that flow: look at its registration there",
}

// Error is one line.
func (e *Error) Error() string {
	line := fmt.Sprintf("oauth: %s answered %d", e.Server, e.StatusCode)
	if e.StatusCode == 0 {
		line = "oauth: " + e.Server + " refused:"
	}
	if e.Code != "" {
		line += " " + e.Code
	}
	if e.Description != "" {
		line += fmt.Sprintf(" %q", e.Description)
	}
	switch hint := hints[e.Code]; {
	case hint != "":
		line += ": " + hint
	case e.StatusCode/100 == 3 && e.Code == "":
		line += ": its redirects are not followed, since they would take the client's secret along; set the endpoint's own address"
	}
	return line
}

// Temporary reports that the server was busy or broken, so that another try may
// do.
func (e *Error) Temporary() bool {
	return e.StatusCode >= 500 || e.StatusCode == http.StatusTooManyRequests || e.Code == "temporarily_unavailable" || e.Code == "server_error"
}

// passing reports a failure that says nothing of the login.
func passing(err error) bool {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Temporary()
	}
	_, ok := errors.AsType[*aplomb.CallError](err)
	return ok
}

// refusal keeps of x/oauth2's error what may be shown: it prints the whole
// answer, which may echo the form.
func (c *Client) refusal(err error, answer *aplomb.Response, secrets []string) error {
	if re, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return newError(c.token.Host, answer, re.ErrorCode, re.ErrorDescription, secrets...)
	}
	if ce, ok := errors.AsType[*aplomb.CallError](err); ok {
		return ce
	}
	// What is left is an answer that cannot be read; its text quotes none of it.
	return newError(c.token.Host, answer, "", err.Error())
}

// newError takes out of the server's words what the request carried: what answer
// knows to be secret, and the rest of secrets.
func newError(server string, answer *aplomb.Response, code, description string, secrets ...string) *Error {
	code, description = mask(code, secrets), mask(description, secrets)
	return &Error{Server: server, StatusCode: answer.StatusCode, Code: shorten(answer.Redact(code)), Description: shorten(answer.Redact(description))}
}

// mask takes secrets out of text, as they are and as a form has
// them. One of less than four bytes hides nothing and would tear the text to pieces.
func mask(text string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) < 4 {
			continue
		}
		text = strings.ReplaceAll(text, secret, aplomb.Secret{}.String())
		text = strings.ReplaceAll(text, url.QueryEscape(secret), aplomb.Secret{}.String())
	}
	return text
}

// maxDescription bounds what is shown of the server's words.
const maxDescription = 200

func shorten(s string) string {
	if len(s) <= maxDescription {
		return s
	}
	return strings.ToValidUTF8(s[:maxDescription], "") + "..."
}
