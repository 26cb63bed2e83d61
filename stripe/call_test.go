package stripe_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// TestGenericCalls reach what has no method, with an object of the caller's own.
func TestGenericCalls(t *testing.T) {
	t.Parallel()
	type person struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	}
	type wanted struct {
		Email    string            `form:"email"`
		Metadata map[string]string `form:"metadata"`
	}
	fake := aplombtest.NewStripe()
	sc := serve(t, fake)
	var got aplomb.Response
	made, err := stripe.Post[person](t.Context(), sc, "/v1/customers", wanted{"ada@example.com", map[string]string{"plan": "pro"}}, aplomb.Capture(&got))
	assert.NoError(t, err)
	assert.Equal(t, made.Email, "ada@example.com")
	assert.Equal(t, got.RequestID, "req_1")
	read, err := stripe.Get[json.RawMessage](t.Context(), sc, "/v1/customers/{id}", nil, aplomb.Path("id", made.ID))
	assert.NoError(t, err)
	assert.Contains(t, string(*read), `"plan": "pro"`)
	gone, err := stripe.Delete[stripe.Customer](t.Context(), sc, "/v1/customers/{id}", nil, aplomb.Path("id", made.ID))
	assert.NoError(t, err)
	assert.True(t, gone.Deleted)

	_, err = stripe.Post[person](t.Context(), sc, "/v1/customers", 5)
	assert.Contains(t, fmt.Sprint(err), "parameters cannot be a int")
	for _, err := range stripe.List[person](t.Context(), sc, "/v1/customers", 5) {
		assert.Contains(t, fmt.Sprint(err), "parameters cannot be a int")
	}
	for _, err := range stripe.Pages[person](t.Context(), sc, "/v1/customers", 5) {
		assert.Contains(t, fmt.Sprint(err), "parameters cannot be a int")
	}
	var none *stripe.Client
	_, err = stripe.Get[person](t.Context(), none, "/v1/customers", nil)
	assert.Contains(t, fmt.Sprint(err), "no Client")
	_, err = none.With()
	assert.Contains(t, fmt.Sprint(err), "no Client")
	_, err = new(stripe.Client).Customers.Retrieve(t.Context(), "cus_1")
	assert.Contains(t, fmt.Sprint(err), "no Client")
	for _, err := range new(stripe.Client).Customers.List(t.Context(), stripe.CustomerListParams{}) {
		assert.Contains(t, fmt.Sprint(err), "no Client")
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	var seen []url.Values
	sc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Query())
		body := `{"object":"search_result","has_more":true,"next_page":"p2","data":[{"id":"cus_1"},{"id":"cus_2"}]}`
		if r.URL.Query().Get("page") == "p2" {
			body = `{"object":"search_result","has_more":false,"next_page":null,"data":[{"id":"cus_3"}]}`
		}
		answer(200, "application/json", body).ServeHTTP(w, r)
	}))
	query := "email:" + stripe.Quote(`o'hara\`)
	assert.Equal(t, query, `email:'o\'hara\\'`)
	found, err := aplomb.Collect(sc.Customers.Search(t.Context(), stripe.SearchParams{Query: query, Limit: 2}))
	assert.NoError(t, err)
	assert.Equal(t, fmt.Sprint(found), "[customer cus_1 customer cus_2 customer cus_3]")
	assert.Equal(t, seen, []url.Values{{"query": {query}, "limit": {"2"}}, {"query": {query}, "limit": {"2"}, "page": {"p2"}}})

	var cursor string
	for page, err := range stripe.Pages[stripe.Customer](t.Context(), sc, "/v1/customers/search", stripe.SearchParams{Query: query}) {
		assert.NoError(t, err)
		cursor = page.Cursor
	}
	assert.Equal(t, cursor, "p2")
	for _, start := range []func() ([]*stripe.Customer, error){
		func() ([]*stripe.Customer, error) {
			return aplomb.Collect(sc.Customers.Search(t.Context(), stripe.SearchParams{Query: query}, aplomb.Resume(cursor)))
		},
		func() ([]*stripe.Customer, error) {
			return aplomb.Collect(stripe.Search[stripe.Customer](t.Context(), sc, "/v1/customers/search", map[string]any{"query": query, "page": cursor}))
		},
	} {
		rest, err := start()
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(rest), "[customer cus_3]")
	}
}

// TestWhoseCallItIs: account, context, version and key for a client and for a call.
func TestWhoseCallItIs(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	sc := serve(t, fake)
	connected, err := sc.With(stripe.Account("acct_1"))
	assert.NoError(t, err)
	create := func(c *stripe.Client, opts ...aplomb.CallOption) {
		t.Helper()
		_, err := c.Customers.Create(t.Context(), stripe.CustomerCreateParams{}, opts...)
		assert.NoError(t, err)
	}
	create(sc)
	create(connected)
	create(connected, stripe.Account(""))
	create(sc, stripe.Account("acct_2"), stripe.Context("acct_3/acct_4"), stripe.APIVersion("2025-01-01"), aplomb.IdempotencyKey("mine"),
		aplomb.Bearer(aplomb.Static("sk_test_"+"other")))
	var got []string
	for _, r := range fake.Received() {
		h := r.Header
		got = append(got, h.Get("Stripe-Account")+"|"+h.Get("Stripe-Context")+"|"+h.Get("Stripe-Version")+"|"+h.Get("Authorization"))
	}
	assert.Equal(t, got, []string{
		"||2024-06-20|Bearer " + testKey,
		"acct_1||2024-06-20|Bearer " + testKey,
		"||2024-06-20|Bearer " + testKey,
		"acct_2|acct_3/acct_4|2025-01-01|Bearer sk_test_other",
	})
	assert.Equal(t, fake.Received()[3].Header.Get("Idempotency-Key"), "mine")
	assert.Equal(t, fake.Received()[0].Header.Get("User-Agent"), fake.Received()[1].Header.Get("User-Agent"))
	for name := range fake.Received()[0].Header {
		assert.NotContains(t, name, "Telemetry")
		assert.NotContains(t, name, "X-Stripe-Client")
	}
}
