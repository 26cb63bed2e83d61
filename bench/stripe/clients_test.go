package stripe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	stripego "github.com/stripe/stripe-go/v85"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/stripe"
)

// key is fake, and put together so that no scanner takes it for a real one.
const key = "sk_test_" + "123"

// The names of the libraries, in the tables.
const (
	ours  = "aplomb"
	peer  = "stripe-go"
	plain = "net-http"
)

const pageSize = 100

// lists are the ways to list 100 charges.
func lists(tb testing.TB) []beside.Way {
	tb.Helper()
	body := chargePage(pageSize)
	want := sumOf(tb, body)
	check := func(n int, sum int64, err error) error {
		if err == nil && (n != pageSize || sum != want) {
			return fmt.Errorf("%d charges of %d in all, want %d of %d", n, sum, pageSize, want)
		}
		return err
	}
	sc, theirs, client := clients(tb, canned{body})
	return []beside.Way{
		{Name: ours, Run: func() error {
			n, sum := 0, int64(0)
			for c, err := range sc.Charges.List(context.Background(), stripe.ChargeListParams{Limit: pageSize}) {
				if err != nil {
					return err
				}
				n, sum = n+1, sum+c.Amount
			}
			return check(n, sum, nil)
		}},
		{Name: peer, Run: func() error {
			n, sum := 0, int64(0)
			params := &stripego.ChargeListParams{ListParams: stripego.ListParams{Limit: stripego.Int64(pageSize)}}
			for c, err := range theirs.V1Charges.List(context.Background(), params).All(context.Background()) {
				if err != nil {
					return err
				}
				n, sum = n+1, sum+c.Amount
			}
			return check(n, sum, nil)
		}},
		{Name: plain, Run: func() error { return check(plainList(client)) }},
	}
}

// creates are the ways to create a customer.
func creates(tb testing.TB) []beside.Way {
	tb.Helper()
	sc, theirs, client := clients(tb, canned{[]byte(customer)})
	check := func(id string, err error) error {
		if err == nil && id != "cus_Made0Up000001" {
			return fmt.Errorf("created %q", id)
		}
		return err
	}
	return []beside.Way{
		{Name: ours, Run: func() error {
			c, err := sc.Customers.Create(context.Background(), stripe.CustomerCreateParams{
				Email: "ada@example.com", Name: "Ada", Metadata: map[string]string{"order_id": "order-1"},
			})
			if err != nil {
				return err
			}
			return check(c.ID, nil)
		}},
		{Name: peer, Run: func() error {
			c, err := theirs.V1Customers.Create(context.Background(), &stripego.CustomerCreateParams{
				Email: stripego.String("ada@example.com"), Name: stripego.String("Ada"), Metadata: map[string]string{"order_id": "order-1"},
			})
			if err != nil {
				return err
			}
			return check(c.ID, nil)
		}},
		{Name: plain, Run: func() error { return check(plainCreate(client)) }},
	}
}

// clients are the three over one transport, each as its New makes it, but for
// the rate that ours keeps to for Stripe: here nobody has to be spared.
func clients(tb testing.TB, rt http.RoundTripper) (*stripe.Client, *stripego.Client, *http.Client) {
	tb.Helper()
	sc, err := stripe.New(aplomb.Static(key), aplomb.Transport(rt), aplomb.RateLimit{})
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{Transport: rt}
	backends := stripego.NewBackendsWithConfig(&stripego.BackendConfig{
		HTTPClient:    client,
		LeveledLogger: &stripego.LeveledLogger{Level: stripego.LevelNull},
	})
	return sc, stripego.NewClient(key, stripego.WithBackends(backends)), client
}

// plainCharge is what a program without a library would decode of a charge.
type plainCharge struct {
	ID       string `json:"id"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Status   string `json:"status"`
	Customer string `json:"customer"`
	Created  int64  `json:"created"`
	Paid     bool   `json:"paid"`
}

type plainPage struct {
	Data    []plainCharge `json:"data"`
	HasMore bool          `json:"has_more"`
}

func plainList(client *http.Client) (n int, sum int64, err error) {
	var page plainPage
	err = plainDo(client, http.MethodGet, "/v1/charges?"+url.Values{"limit": {"100"}}.Encode(), "", &page)
	for i := range page.Data {
		sum += page.Data[i].Amount
	}
	return len(page.Data), sum, err
}

func plainCreate(client *http.Client) (id string, err error) {
	form := url.Values{"email": {"ada@example.com"}, "name": {"Ada"}, "metadata[order_id]": {"order-1"}}
	var c struct {
		ID      string `json:"id"`
		Email   string `json:"email"`
		Name    string `json:"name"`
		Created int64  `json:"created"`
	}
	err = plainDo(client, http.MethodPost, "/v1/customers", form.Encode(), &c)
	return c.ID, err
}

func plainDo(client *http.Client, method, path, form string, v any) error {
	req, err := http.NewRequestWithContext(context.Background(), method, "https://api.stripe.com"+path, strings.NewReader(form))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// sumOf adds up the amounts of a page.
func sumOf(tb testing.TB, body []byte) (sum int64) {
	tb.Helper()
	var page plainPage
	if err := json.Unmarshal(body, &page); err != nil {
		tb.Fatal(err)
	}
	for i := range page.Data {
		sum += page.Data[i].Amount
	}
	return sum
}
