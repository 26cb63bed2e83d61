package aplombtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// object is a JSON object of which a test looks at a few fields.
type object map[string]any

// at follows keys into nested objects; what is not there is nil.
func (o object) at(keys ...string) any {
	var v any = map[string]any(o)
	for _, key := range keys {
		inner, _ := v.(map[string]any)
		v = inner[key]
	}
	return v
}

// ids returns the ids of a list's data.
func (o object) ids() (ids []string) {
	for _, item := range o["data"].([]any) {
		ids = append(ids, item.(map[string]any)["id"].(string))
	}
	return ids
}

// ask sends one request straight to the handler. form goes to the query of a GET
// or DELETE and to the body of a POST; header is key, value, key, value.
func ask(t *testing.T, api http.Handler, method, path, form string, header ...string) (*http.Response, object) {
	t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form)
	} else if form != "" {
		path += "?" + form
	}
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Authorization", "Bearer sk_test_123")
	if form != "" && body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	var o object
	assert.Equal(t, json.Unmarshal(w.Body.Bytes(), &o), nil, w.Body.String())
	return w.Result(), o
}

// Example_lostResponse resends a payment whose answer was lost. The key makes
// it one charge.
func Example_lostResponse() {
	stripe := aplombtest.NewStripe()
	script := aplombtest.NewScript(stripe, aplombtest.LostResponse())
	srv := httptest.NewServer(script) // in a test: aplombtest.NewServer(t, script)
	defer srv.Close()

	pay := func() (*http.Response, error) {
		form := "amount=2500&currency=usd&payment_method=pm_card_visa&confirm=true"
		req, _ := http.NewRequest("POST", srv.URL+"/v1/payment_intents", io.NopCloser(strings.NewReader(form)))
		req.Header.Set("Authorization", "Bearer sk_test_123")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Idempotency-Key", "order-7")
		return srv.Client().Do(req)
	}
	_, err := pay()
	fmt.Println("lost:", err != nil)
	res, err := pay()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status, "replayed:", res.Header.Get("Idempotent-Replayed"))
	fmt.Println("charges:", stripe.Effects().Charges, "of", stripe.Effects().ChargedMinor)
	// Output:
	// lost: true
	// 200 OK replayed: true
	// charges: 1 of 2500
}

func TestStripeCustomers(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	res, o := ask(t, api, "POST", "/v1/customers", "email=alice@example.com&name=Alice&metadata[plan]=gold&metadata[seat]=7&address[city]=Oslo&expand[]=x",
		"Stripe-Version", "2026-01-01.x")
	assert.Equal(t, res.StatusCode, 200)
	assert.Equal(t, res.Header.Get("Request-Id"), "req_1")
	assert.Equal(t, res.Header.Get("Stripe-Version"), "2026-01-01.x")
	assert.Equal(t, res.Header.Get("Content-Type"), "application/json")
	assert.Equal(t, []any{o["id"], o["object"], o["email"], o["name"], o["livemode"], o["phone"]},
		[]any{"cus_1", "customer", "alice@example.com", "Alice", false, nil})
	assert.Equal(t, o["metadata"], any(map[string]any{"plan": "gold", "seat": "7"}))
	assert.Equal(t, o.at("address", "city"), any("Oslo"))
	assert.True(t, time.Now().Unix()-int64(o["created"].(float64)) < 60, "created is in unix seconds")

	_, o = ask(t, api, "POST", "/v1/customers/cus_1", "metadata[plan]=&metadata[new]=1&name=&description=d")
	assert.Equal(t, o["metadata"], any(map[string]any{"seat": "7", "new": "1"}), "metadata[k]= deletes one key")
	assert.Equal(t, []any{o["name"], o["description"], o["email"]}, []any{nil, "d", "alice@example.com"})
	_, o = ask(t, api, "POST", "/v1/customers/cus_1", "metadata=")
	assert.Equal(t, o["metadata"], any(map[string]any{}), "metadata= deletes all")
	_, o = ask(t, api, "GET", "/v1/customers/cus_1", "")
	assert.Equal(t, o["description"], any("d"))

	api.SeedCustomer("bob@example.com")
	ask(t, api, "POST", "/v1/customers", "email=alice@example.com")
	_, o = ask(t, api, "GET", "/v1/customers", "email=alice@example.com")
	assert.Equal(t, o.ids(), []string{"cus_3", "cus_1"})
	assert.Equal(t, []any{o["object"], o["has_more"], o["url"]}, []any{"list", false, "/v1/customers"})

	_, o = ask(t, api, "DELETE", "/v1/customers/cus_1", "")
	assert.Equal(t, o, object{"id": "cus_1", "object": "customer", "deleted": true})
	_, o = ask(t, api, "GET", "/v1/customers/cus_1", "")
	assert.Equal(t, o, object{"id": "cus_1", "object": "customer", "deleted": true})
	_, o = ask(t, api, "GET", "/v1/customers", "")
	assert.Equal(t, o.ids(), []string{"cus_3", "cus_2"})
	res, _ = ask(t, api, "POST", "/v1/customers/cus_1", "name=x")
	assert.Equal(t, res.StatusCode, 404)
	assert.Equal(t, api.Effects(), aplombtest.StripeEffects{Customers: 2, Requests: 10})
}

func TestStripePaymentIntents(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	customer := api.SeedCustomer("alice@example.com")
	_, o := ask(t, api, "POST", "/v1/payment_intents", "amount=2500&currency=USD&customer="+customer+
		"&payment_method=pm_card_visa&confirm=true&receipt_email=a@example.com&metadata[order]=7&automatic_payment_methods[enabled]=true")
	assert.Equal(t, []any{o["id"], o["object"], o["amount"], o["amount_received"], o["currency"], o["status"], o["customer"]},
		[]any{"pi_1", "payment_intent", 2500.0, 2500.0, "usd", "succeeded", "cus_1"})
	assert.Equal(t, []any{o["client_secret"], o["latest_charge"]}, []any{"pi_1_secret_1", "ch_1"})
	_, o = ask(t, api, "GET", "/v1/charges/ch_1", "")
	assert.Equal(t, []any{o["object"], o["amount"], o["amount_captured"], o["status"], o["paid"], o["payment_intent"], o["customer"]},
		[]any{"charge", 2500.0, 2500.0, "succeeded", true, "pi_1", "cus_1"})
	assert.Equal(t, []any{o["balance_transaction"], o["receipt_email"], o.at("metadata", "order")}, []any{"txn_1", "a@example.com", "7"})

	_, o = ask(t, api, "POST", "/v1/payment_intents", "amount=999&currency=eur")
	assert.Equal(t, []any{o["status"], o["latest_charge"]}, []any{"requires_payment_method", nil})
	_, o = ask(t, api, "POST", "/v1/payment_intents/pi_2", "amount=1000&payment_method=pm_card_visa")
	assert.Equal(t, []any{o["status"], o["amount"]}, []any{"requires_confirmation", 1000.0})
	_, o = ask(t, api, "POST", "/v1/payment_intents/pi_2/confirm", "")
	assert.Equal(t, []any{o["status"], o["latest_charge"]}, []any{"succeeded", "ch_2"})
	res, o := ask(t, api, "POST", "/v1/payment_intents/pi_2/confirm", "")
	assert.Equal(t, []any{res.StatusCode, o.at("error", "code"), o.at("error", "payment_intent", "id")},
		[]any{400, "payment_intent_unexpected_state", "pi_2"})
	res, o = ask(t, api, "POST", "/v1/payment_intents/pi_2/cancel", "")
	assert.Equal(t, res.StatusCode, 400)
	assert.Contains(t, o.at("error", "message").(string), "You cannot cancel this PaymentIntent because it has a status of succeeded.")
	res, _ = ask(t, api, "POST", "/v1/payment_intents/pi_2", "amount=1")
	assert.Equal(t, res.StatusCode, 400)

	ask(t, api, "POST", "/v1/payment_intents", "amount=999&currency=eur")
	_, o = ask(t, api, "POST", "/v1/payment_intents/pi_3/cancel", "cancellation_reason=duplicate")
	assert.Equal(t, []any{o["status"], o["cancellation_reason"]}, []any{"canceled", "duplicate"})
	assert.True(t, o["canceled_at"] != nil)
	res, _ = ask(t, api, "POST", "/v1/payment_intents/pi_3/confirm", "payment_method=pm_card_visa")
	assert.Equal(t, res.StatusCode, 400)

	_, o = ask(t, api, "GET", "/v1/payment_intents", "")
	assert.Equal(t, o.ids(), []string{"pi_3", "pi_2", "pi_1"})
	_, o = ask(t, api, "GET", "/v1/payment_intents", "customer="+customer)
	assert.Equal(t, o.ids(), []string{"pi_1"})
	_, o = ask(t, api, "GET", "/v1/charges", "payment_intent=pi_2")
	assert.Equal(t, o.ids(), []string{"ch_2"})
	effects := api.Effects()
	assert.Equal(t, []any{effects.PaymentIntents, effects.Charges, effects.ChargedMinor}, []any{3, 2, int64(3500)})
}

func TestStripeCharges(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	customer := api.SeedCustomer("alice@example.com")
	_, o := ask(t, api, "POST", "/v1/charges", "amount=700&currency=usd&source=tok_visa&description=d")
	assert.Equal(t, []any{o["id"], o["status"], o["description"], o["customer"]}, []any{"ch_1", "succeeded", "d", nil})
	_, o = ask(t, api, "POST", "/v1/charges", "amount=800&currency=usd&customer="+customer)
	assert.Equal(t, []any{o["id"], o["customer"]}, []any{"ch_2", "cus_1"})
	res, o := ask(t, api, "POST", "/v1/charges", "amount=800&currency=usd")
	assert.Equal(t, []any{res.StatusCode, o.at("error", "message")}, []any{400, "Must provide source or customer."})
	assert.Equal(t, api.Effects().ChargedMinor, 1500)
}

func TestStripeDeclines(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	res, o := ask(t, api, "POST", "/v1/payment_intents", "amount=2500&currency=usd&payment_method=pm_card_chargeDeclined&confirm=true")
	assert.Equal(t, res.StatusCode, 402)
	assert.Equal(t, []any{o.at("error", "type"), o.at("error", "code"), o.at("error", "decline_code"), o.at("error", "message"), o.at("error", "charge")},
		[]any{"card_error", "card_declined", "generic_decline", "Your card was declined.", "ch_1"})
	assert.Equal(t, []any{o.at("error", "payment_intent", "id"), o.at("error", "payment_intent", "status"), o.at("error", "payment_intent", "last_payment_error", "code")},
		[]any{"pi_1", "requires_payment_method", "card_declined"})
	assert.Equal(t, o.at("error", "doc_url"), any("https://stripe.com/docs/error-codes/card-declined"))

	_, o = ask(t, api, "GET", "/v1/charges/ch_1", "")
	assert.Equal(t, []any{o["status"], o["paid"], o["failure_code"]}, []any{"failed", false, "card_declined"})
	_, o = ask(t, api, "POST", "/v1/payment_intents/pi_1/confirm", "payment_method=pm_card_visa")
	assert.Equal(t, []any{o["status"], o["last_payment_error"]}, []any{"succeeded", nil}, "another card pays")

	res, o = ask(t, api, "POST", "/v1/charges", "amount=2500&currency=usd&source=tok_visa_chargeDeclinedInsufficientFunds")
	assert.Equal(t, []any{res.StatusCode, o.at("error", "decline_code")}, []any{402, "insufficient_funds"})
	effects := api.Effects()
	assert.Equal(t, []any{effects.Charges, effects.Declined, effects.ChargedMinor}, []any{1, 2, int64(2500)})
}

func TestStripeErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		request, form string
		status        int
		code, param   any
		message       string
	}{
		{"GET /v1/customers/cus_x", "", 404, "resource_missing", "id", "No such customer: 'cus_x'"},
		{"GET /v1/payment_intents/pi_x", "", 404, "resource_missing", "intent", "No such payment_intent: 'pi_x'"},
		{"GET /v1/charges/ch_x", "", 404, "resource_missing", "id", "No such charge: 'ch_x'"},
		{"POST /v1/customers/cus_x", "name=x", 404, "resource_missing", "id", "No such customer: 'cus_x'"},
		{"DELETE /v1/customers/cus_x", "", 404, "resource_missing", "id", "No such customer: 'cus_x'"},
		{"POST /v1/payment_intents", "currency=usd", 400, "parameter_missing", "amount", "Missing required param: amount."},
		{"POST /v1/payment_intents", "amount=100", 400, "parameter_missing", "currency", "Missing required param: currency."},
		{"POST /v1/payment_intents", "amount=&currency=usd", 400, "parameter_invalid_empty", "amount", "You passed an empty string for 'amount'."},
		{"POST /v1/payment_intents", "amount=ten&currency=usd", 400, "parameter_invalid_integer", "amount", "Invalid integer: ten"},
		{"POST /v1/payment_intents", "amount=0&currency=usd", 400, "parameter_invalid_integer", "amount", "This value must be greater than or equal to 1."},
		{"POST /v1/payment_intents", "amount=49&currency=usd", 400, "amount_too_small", "amount", "Amount must be at least $0.50 usd"},
		{"POST /v1/payment_intents", "amount=100&currency=dollar", 400, nil, "currency", "Invalid currency: dollar"},
		{"POST /v1/payment_intents", "amount=100&currency=usd&confirm=yes", 400, nil, "confirm", "Invalid boolean: yes"},
		{"POST /v1/payment_intents", "amount=100&currency=usd&confirm=true", 400, "payment_intent_unexpected_state", nil, "missing a payment method"},
		{"POST /v1/payment_intents", "amount=100&currency=usd&customer=cus_x", 400, "resource_missing", "customer", "No such customer: 'cus_x'"},
		{"POST /v1/payment_intents", "amount=100&currency=usd&payment_method=x", 400, "resource_missing", "payment_method", "No such PaymentMethod: 'x'"},
		{"POST /v1/payment_intents", "amount=100&currency=usd&capture_method=later", 400, nil, "capture_method", "must be one of automatic"},
		{"POST /v1/customers", "colour=red", 400, "parameter_unknown", "colour", "Received unknown parameter: colour"},
		{"GET /v1/charges", "created[zz]=1", 400, "parameter_unknown", "created[zz]", "Received unknown parameter: created[zz]"},
		{"GET /v1/charges", "created[gte]=soon", 400, "parameter_invalid_integer", "created[gte]", "Invalid integer: soon"},
		{"GET /v1/charges", "limit=101", 400, "parameter_invalid_integer", "limit", "This value must be less than or equal to 100 (it currently is '101')."},
		{"GET /v1/charges", "limit=0", 400, "parameter_invalid_integer", "limit", "This value must be greater than or equal to 1."},
		{"GET /v1/charges", "starting_after=ch_x", 400, "resource_missing", "starting_after", "No such charge: 'ch_x'"},
		{"GET /v1/charges", "ending_before=ch_x", 400, "resource_missing", "ending_before", "No such charge: 'ch_x'"},
		{"GET /v1/charges", "ending_before=a&starting_after=b", 400, nil, nil, "only specify one of these"},
		{"GET /v1/customers/search", "query=x", 404, nil, nil, "aplombtest.Stripe does not serve it"},
		{"GET /v1/plans", "", 404, nil, nil, "Unrecognized request URL (GET: /v1/plans)."},
		{"PUT /v1/customers", "", 404, nil, nil, "Unrecognized request URL (PUT: /v1/customers)."},
	}
	api := aplombtest.NewStripe()
	for _, test := range tests {
		method, path, _ := strings.Cut(test.request, " ")
		res, o := ask(t, api, method, path, test.form)
		assert.Equal(t, []any{res.StatusCode, o.at("error", "code"), o.at("error", "param"), o.at("error", "type")},
			[]any{test.status, test.code, test.param, "invalid_request_error"}, test.request, test.form)
		assert.Contains(t, fmt.Sprint(o.at("error", "message")), test.message, test.request, test.form)
		assert.True(t, res.Header.Get("Request-Id") != "", "a request id")
	}
	assert.Equal(t, api.Effects(), aplombtest.StripeEffects{Requests: len(tests)}, "no refusal has an effect")

	res, o := ask(t, api, "POST", "/v1/customers", `{"name":"x"}`, "Content-Type", "application/json")
	assert.Equal(t, res.StatusCode, 400)
	assert.Contains(t, o.at("error", "message").(string), "application/x-www-form-urlencoded")
}

func TestStripeAuthentication(t *testing.T) {
	t.Parallel()
	basic := httptest.NewRequest("GET", "/", nil)
	basic.SetBasicAuth("sk_test_123", "")
	tests := []struct {
		authorization string
		status        int
		message       string
	}{
		{"", 401, "You did not provide an API key."},
		{"Basic bad", 401, "You did not provide an API key."},
		{"Bearer sk_live_0123456789abcd", 401, "Invalid API Key provided: sk_live_**********abcd"},
		{"Bearer short", 401, "Invalid API Key provided: *****"},
		{"Bearer rk_test_1", 200, ""},
		{basic.Header.Get("Authorization"), 200, ""},
	}
	for _, test := range tests {
		res, o := ask(t, aplombtest.NewStripe(), "GET", "/v1/customers", "", "Authorization", test.authorization)
		assert.Equal(t, res.StatusCode, test.status, test.authorization)
		assert.Equal(t, res.Header.Get("WWW-Authenticate") != "", test.status == 401)
		if test.message != "" {
			assert.Contains(t, o.at("error", "message").(string), test.message)
		}
	}
}

func TestStripePagination(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	customer := api.SeedCustomer("alice@example.com")
	api.SeedCharges("", 3)
	want := api.SeedCharges(customer, 23)
	api.SeedCharges("", 3)
	newestFirst := make([]string, 0, len(want))
	for _, id := range slices.Backward(want) {
		newestFirst = append(newestFirst, id)
	}

	forward, pages := []string{}, 0
	query := url.Values{"customer": {customer}}
	for more := true; more; pages++ {
		_, o := ask(t, api, "GET", "/v1/charges", query.Encode())
		forward = append(forward, o.ids()...)
		query.Set("starting_after", forward[len(forward)-1])
		more = o["has_more"].(bool)
	}
	assert.Equal(t, forward, newestFirst)
	assert.Equal(t, pages, 3, "10 a page")

	query = url.Values{"customer": {customer}, "limit": {"9"}, "ending_before": {want[0]}}
	backward := []string{}
	for more := true; more; {
		_, o := ask(t, api, "GET", "/v1/charges", query.Encode())
		backward = append(o.ids(), backward...)
		query.Set("ending_before", backward[0])
		more = o["has_more"].(bool)
	}
	assert.Equal(t, backward, newestFirst[:22], "the same, but for the charge it began before")

	_, o := ask(t, api, "GET", "/v1/charges", "limit=100&customer=cus_none")
	assert.Equal(t, o["data"], any([]any{}), "empty, not null")
}

func TestStripeCreatedFilters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := aplombtest.NewStripe()
		api.SeedCharges("", 5) // seconds now-4 ... now
		now := time.Now().Unix()
		for filter, want := range map[string][]string{
			"created=%d":              {"ch_3"},
			"created[gt]=%d":          {"ch_5", "ch_4"},
			"created[gte]=%d":         {"ch_5", "ch_4", "ch_3"},
			"created[lt]=%d":          {"ch_2", "ch_1"},
			"created[lte]=%d&limit=2": {"ch_3", "ch_2"},
		} {
			_, o := ask(t, api, "GET", "/v1/charges", fmt.Sprintf(filter, now-2))
			assert.Equal(t, o.ids(), want, filter)
		}
	})
}

func TestStripeIdempotency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := aplombtest.NewStripe()
		pay := "amount=2500&currency=usd&source=tok_visa"
		first, o := ask(t, api, "POST", "/v1/charges", pay, "Idempotency-Key", "k")
		assert.Equal(t, []string{first.Header.Get("Idempotency-Key"), first.Header.Get("Original-Request"), first.Header.Get("Idempotent-Replayed")},
			[]string{"k", "req_1", ""})

		again, same := ask(t, api, "POST", "/v1/charges", "source=tok_visa&currency=usd&amount=2500", "Idempotency-Key", "k")
		assert.Equal(t, same, o, "the order of parameters does not matter")
		assert.Equal(t, []string{again.Header.Get("Request-Id"), again.Header.Get("Original-Request"), again.Header.Get("Idempotent-Replayed")},
			[]string{"req_2", "req_1", "true"})

		res, o := ask(t, api, "POST", "/v1/charges", "amount=2600&currency=usd&source=tok_visa", "Idempotency-Key", "k")
		assert.Equal(t, []any{res.StatusCode, o.at("error", "type")}, []any{400, "idempotency_error"})
		assert.Equal(t, o.at("error", "message"), any("Keys for idempotent requests can only be used with the same parameters they were "+
			"first used with. Try using a key other than 'k' if you meant to execute a different request."))
		_, o = ask(t, api, "POST", "/v1/customers", "", "Idempotency-Key", "k")
		assert.Contains(t, o.at("error", "message").(string), "the same endpoint they were first used for ('/v1/customers' vs '/v1/charges')")
		assert.Equal(t, api.Effects().Charges, 1)

		ask(t, api, "POST", "/v1/charges", pay, "Idempotency-Key", "k", "Stripe-Account", "acct_2")
		assert.Equal(t, api.Effects().Charges, 2, "another account has other keys")
		ask(t, api, "POST", "/v1/charges", pay)
		assert.Equal(t, api.Effects().Charges, 3, "no key, no memory")

		time.Sleep(24 * time.Hour)
		ask(t, api, "POST", "/v1/charges", pay, "Idempotency-Key", "k")
		assert.Equal(t, api.Effects().Charges, 4, "after a day the key is forgotten")
		res, _ = ask(t, api, "POST", "/v1/charges", pay, "Idempotency-Key", strings.Repeat("k", 256))
		assert.Equal(t, res.StatusCode, 400)
	})
}

// TestStripeStoresWhatBegan: a decline is stored, a failed check is not.
func TestStripeStoresWhatBegan(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	for i := range 2 {
		res, o := ask(t, api, "POST", "/v1/charges", "amount=2500&currency=usd&source=tok_chargeDeclined", "Idempotency-Key", "declined")
		assert.Equal(t, []any{res.StatusCode, o.at("error", "charge")}, []any{402, "ch_1"}, i)
	}
	for range 2 {
		res, _ := ask(t, api, "POST", "/v1/charges", "amount=2500&currency=usd", "Idempotency-Key", "invalid")
		assert.Equal(t, []any{res.StatusCode, res.Header.Get("Idempotent-Replayed")}, []any{400, ""})
	}
	res, _ := ask(t, api, "POST", "/v1/charges", "amount=2500&currency=usd&source=tok_visa", "Idempotency-Key", "invalid")
	assert.Equal(t, res.StatusCode, 200, "the key of an invalid request is free for a valid one")
	res, _ = ask(t, api, "POST", "/v1/charges", "", "Idempotency-Key", "anonymous", "Authorization", "")
	assert.Equal(t, res.StatusCode, 401)
	effects := api.Effects()
	assert.Equal(t, []int{effects.Declined, effects.Replays, effects.Charges}, []int{1, 1, 1})
}

func TestStripeKeyInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := aplombtest.NewStripe()
		api.Delay(time.Minute)
		pay := func() (*http.Response, object) {
			return ask(t, api, "POST", "/v1/charges", "amount=2500&currency=usd&source=tok_visa", "Idempotency-Key", "k")
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			res, _ := pay()
			assert.Equal(t, res.StatusCode, 200)
		})
		time.Sleep(time.Second)
		res, o := pay()
		assert.Equal(t, []any{res.StatusCode, o.at("error", "type"), o.at("error", "code")}, []any{409, "idempotency_error", "idempotency_key_in_use"})
		wg.Wait()
		res, _ = pay()
		assert.Equal(t, []any{res.StatusCode, res.Header.Get("Idempotent-Replayed")}, []any{200, "true"})
		assert.Equal(t, api.Effects().Charges, 1)
	})
}

// TestStripeChargesAlthoughTheClientLeft is the timeout nobody should retry
// without a key.
func TestStripeChargesAlthoughTheClientLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := aplombtest.NewStripe()
		api.Delay(time.Minute)
		srv := aplombtest.NewServer(t, api)
		client := srv.Client()
		client.Timeout = time.Second
		req, _ := http.NewRequest("POST", srv.URL+"/v1/charges", strings.NewReader("amount=2500&currency=usd&source=tok_visa"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("sk_test_1", "")
		_, err := client.Do(req)
		assert.True(t, err != nil, "a timeout")
		assert.Equal(t, api.Effects().Charges, 0)
		time.Sleep(time.Minute)
		assert.Equal(t, api.Effects().Charges, 1)
	})
}

func TestStripeConcurrently(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	srv := aplombtest.NewServer(t, aplombtest.NewScript(api))
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for n := range 25 {
				form := url.Values{"amount": {"100"}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}, "confirm": {"true"}}
				req, _ := http.NewRequest("POST", srv.URL+"/v1/payment_intents", strings.NewReader(form.Encode()))
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Authorization", "Bearer sk_test_1")
				req.Header.Set("Idempotency-Key", fmt.Sprint(worker/2, "-", n)) // two workers share each key
				res, err := srv.Client().Do(req)
				if !assert.True(t, err == nil, err) {
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				assert.True(t, res.StatusCode == 200 || res.StatusCode == 409, res.Status)
				api.Received()
			}
		})
	}
	wg.Wait()
	effects := api.Effects()
	assert.Equal(t, []any{effects.Charges, effects.ChargedMinor, effects.Requests}, []any{100, int64(10000), 200})
}

func TestStripeReceived(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	for range 1005 {
		ask(t, api, "GET", "/v1/customers", "limit=1")
	}
	ask(t, api, "POST", "/v1/customers", "name=x", "Stripe-Version", "v")
	received := api.Received()
	assert.Equal(t, len(received), 1000)
	last := received[999]
	assert.Equal(t, []string{last.Method, last.Path, last.Query, last.Body, last.Header.Get("Stripe-Version")},
		[]string{"POST", "/v1/customers", "", "name=x", "v"})
	assert.Equal(t, received[0].Query, "limit=1")
	assert.Equal(t, api.Effects().Requests, 1006)
}
