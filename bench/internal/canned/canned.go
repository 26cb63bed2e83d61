// Package canned is the API that the calls are made to, without a socket: it
// answers at once, so that what is measured is the client's own work. It also
// sees to it that the work is done: a request without the credential or with
// another body is refused.
package canned

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// Base is the address of the API.
const Base = "https://api.acme.example"

// Path is that of the one resource it has.
const Path = "/v1/orders/o_1"

// Token is the credential that it wants, or the beginning of one.
const Token = "tok_" + "1234567890abcdef1234567890abcdef"

// Order is what it answers with.
type Order struct {
	ID       string `json:"id"`
	Amount   int    `json:"amount"`
	Currency string `json:"currency"`
	Status   string `json:"status"`
	Created  int64  `json:"created"`
}

// Known is the order that it has.
var Known = Order{ID: "o_1", Amount: 2500, Currency: "usd", Status: "paid", Created: 1772445600}

// reply is an answer made beforehand, since it is not what is measured.
type reply struct {
	status int
	line   string
	length string
	body   []byte
}

func newReply(status int, body string) *reply {
	return &reply{status, strconv.Itoa(status) + " " + http.StatusText(status), strconv.Itoa(len(body)), []byte(body)}
}

var (
	good    = newReply(http.StatusOK, `{"id":"o_1","amount":2500,"currency":"usd","status":"paid","created":1772445600}`)
	refusal = newReply(http.StatusTooManyRequests, `{"error":{"code":"too_many_requests","message":"Slow down."}}`)
	other   = newReply(http.StatusBadRequest, `{"error":{"code":"bad_request","message":"This is not what was asked for."}}`)
)

// API answers each request with the order it has.
type API struct {
	// Body is how long a request's must be; a json.Encoder's line feed may follow.
	Body int64
	// Busy has it answer every other request with 429, beginning with the first:
	// to wait for no time, and then for the shortest that there is, for those who
	// take none for a word missing. Its good answers say that a quota is far from
	// used up, or it would be one that has to be kept to.
	Busy bool

	asked atomic.Uint64
}

// RoundTrip answers one request.
func (a *API) RoundTrip(r *http.Request) (*http.Response, error) {
	n, err := length(r)
	if err != nil {
		return nil, err
	}
	switch {
	case n != a.Body && n != a.Body+1 || a.Body == 0 && n > 0 || !signed(r):
		return other.to(r), nil
	case !a.Busy:
		return good.to(r), nil
	case a.asked.Add(1)%2 == 1:
		resp := refusal.to(r)
		resp.Header["Retry-After"] = []string{"0"}
		resp.Header["Retry-After-Ms"] = []string{"0.001"}
		return resp, nil
	}
	resp := good.to(r)
	resp.Header["X-Ratelimit-Limit"] = []string{"1000000"}
	resp.Header["X-Ratelimit-Remaining"] = []string{"900000"}
	resp.Header["X-Ratelimit-Reset"] = []string{"3600"}
	return resp, nil
}

// length reads a request's body, as a transport has to.
func length(r *http.Request) (n int64, err error) {
	if r.Body == nil {
		return 0, nil
	}
	n, err = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return n, err
}

// to is the response.
func (p *reply) to(r *http.Request) *http.Response {
	resp := &http.Response{
		Status: p.line, StatusCode: p.status, Proto: "HTTP/2.0", ProtoMajor: 2, Request: r,
		Header: http.Header{
			"Content-Type":   {"application/json"},
			"Content-Length": {p.length},
			"Date":           {"Mon, 02 Mar 2026 10:00:00 GMT"},
			"X-Request-Id":   {"req_1aB2cD3eF4gH5i"},
		},
		ContentLength: int64(len(p.body)),
	}
	b := &body{}
	b.Reset(p.body)
	resp.Body = b
	return resp
}

type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

func signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "+Token)
}

// Serve has a server on this machine answer in the API's place, and returns its
// address.
func Serve(tb testing.TB) string {
	tb.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := good
		if !signed(r) || r.URL.Path != Path {
			p = other
		}
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Content-Length"] = []string{p.length}
		w.Header()["X-Request-Id"] = []string{"req_1aB2cD3eF4gH5i"}
		w.WriteHeader(p.status)
		_, _ = w.Write(p.body)
	}))
	tb.Cleanup(s.Close)
	return s.URL
}

// Sign puts the credential on by hand.
func Sign(h http.Header) { h.Set("Authorization", "Bearer "+Token) }

// Read is how an answer is decoded by hand.
func Read(resp *http.Response, err error) (Order, error) {
	var o Order
	if err != nil {
		return o, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return o, fmt.Errorf("status %d", resp.StatusCode)
	}
	err = json.NewDecoder(resp.Body).Decode(&o)
	return o, err
}

// Check is what a way says of what it got.
func Check(got Order, err error) error {
	if err == nil && got != Known {
		return fmt.Errorf("got %+v", got)
	}
	return err
}
