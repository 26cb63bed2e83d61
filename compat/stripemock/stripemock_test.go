package stripemock_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/compat/stripemock"
)

// TestCreateCustomer speaks plain net/http: it tests the server, not us.
func TestCreateCustomer(t *testing.T) {
	t.Parallel()
	base := stripemock.Start(t)
	form := url.Values{"email": {"ada@example.com"}, "metadata[plan]": {"pro"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/customers", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+"sk_test_"+"123")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Object, Email string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || got.Object != "customer" || got.Email != "ada@example.com" {
		t.Errorf("status %d, %+v; want 200 and ada's customer", resp.StatusCode, got)
	}
}

// TestUnknownParameter shows what the server is for.
func TestUnknownParameter(t *testing.T) {
	t.Parallel()
	base := stripemock.Start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/customers?colour=blue", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+"sk_test_"+"123")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", resp.StatusCode)
	}
}
