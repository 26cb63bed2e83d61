package call_test

import (
	"net/http"
	"testing"
)

// bare is net/http alone.
func bare(_ testing.TB, rt http.RoundTripper) client {
	return client{name: "net-http", http: &http.Client{Transport: rt}, signed: true, fails: true}.over()
}
