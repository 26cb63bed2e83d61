// Command base creates one customer with net/http and encoding/json alone: what
// the other two programs cost is counted beyond it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

type customer struct {
	ID string `json:"id"`
}

func main() {
	c, err := create(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.ID)
}

func create(ctx context.Context) (*customer, error) {
	form := url.Values{"email": {"ada@example.com"}, "name": {"Ada"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.stripe.com/v1/customers", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("STRIPE_SECRET_KEY"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	c := new(customer)
	return c, json.NewDecoder(resp.Body).Decode(c)
}
