package stripe_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// A version that has v2 of the API (https://docs.stripe.com/api-v2-overview).
const withV2 = "2026-03-25.dahlia"

// destination is https://docs.stripe.com/api/v2/core/event-destinations.
type destination struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Status        string   `json:"status"`
	EnabledEvents []string `json:"enabled_events"`
}

// v2 answers with the bodies that Stripe's documentation shows, and keeps what it
// was sent.
type v2 struct{ seen []string }

func (v *v2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.seen = append(v.seen, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Content-Type")+" "+string(body))
	if r.Header.Get("Stripe-Version") != withV2 {
		answer(400, "application/json", `{"error":{"type":"invalid_request_error","message":"version"}}`).ServeHTTP(w, r)
		return
	}
	const one = `{"id":"ed_test_1","object":"v2.core.event_destination","name":"mine","status":"enabled","enabled_events":["v1.billing.meter.no_meter_found"],"created":"2026-10-22T16:20:09.931Z","livemode":false}`
	reply := one
	switch r.URL.RequestURI() {
	case "/v2/core/event_destinations?limit=2":
		reply = `{"data":[` + one + `,` + one + `],"next_page_url":"/v2/core/event_destinations?limit=2&page=second","previous_page_url":null}`
	case "/v2/core/event_destinations?limit=2&page=second":
		reply = `{"data":[` + one + `],"next_page_url":null,"previous_page_url":"/v2/core/event_destinations?limit=2&page=first"}`
	case "/v2/core/event_destinations?foreign=true":
		reply = `{"data":[` + one + `],"next_page_url":"https://evil.example/v2/core/event_destinations?page=2"}`
	case "/v2/core/event_destinations/gone":
		answer(404, "application/json", `{"error":{"type":"not_found","code":"not_found","message":"Object with id gone not found.","user_message":"There is no such destination.",
			"request_log_url":"https://dashboard.stripe.com/test/workbench/logs?object=req_v2"}}`, "Request-Id", "req_v2").ServeHTTP(w, r)
		return
	}
	answer(200, "application/json", reply).ServeHTTP(w, r)
}

func TestV2(t *testing.T) {
	t.Parallel()
	api := &v2{}
	sc := serve(t, api, stripe.APIVersion(withV2))
	made, err := stripe.Post[destination](t.Context(), sc, "/v2/core/event_destinations", map[string]any{
		"name": "mine", "enabled_events": []string{"v1.billing.meter.no_meter_found"}, "description": nil,
	})
	assert.NoError(t, err)
	assert.Equal(t, *made, destination{"ed_test_1", "mine", "enabled", []string{"v1.billing.meter.no_meter_found"}})
	_, err = stripe.Post[destination](t.Context(), sc, "/v2/core/event_destinations/{id}/disable", nil, aplomb.Path("id", "ed_test_1"))
	assert.NoError(t, err)
	_, err = stripe.Get[destination](t.Context(), sc, "/v2/core/event_destinations/{id}", map[string]any{"include": []string{"webhook_endpoint.url"}}, aplomb.Path("id", "ed_test_1"))
	assert.NoError(t, err)
	_, err = stripe.Delete[destination](t.Context(), sc, "/v2/core/event_destinations/{id}", nil, aplomb.Path("id", "ed_test_1"))
	assert.NoError(t, err)
	assert.Equal(t, api.seen, []string{
		`POST /v2/core/event_destinations application/json {"description":null,"enabled_events":["v1.billing.meter.no_meter_found"],"name":"mine"}`,
		`POST /v2/core/event_destinations/ed_test_1/disable application/json {}`,
		`GET /v2/core/event_destinations/ed_test_1?include%5B0%5D=webhook_endpoint.url  `,
		`DELETE /v2/core/event_destinations/ed_test_1  `,
	})
	_, err = stripe.Post[destination](t.Context(), sc, "v2/core/event_destinations", map[string]any{"name": "x"}) // without its slash
	assert.NoError(t, err)
	assert.Equal(t, api.seen[4], `POST /v2/core/event_destinations application/json {"name":"x"}`)
	for _, params := range []any{stripe.CustomerCreateParams{Name: "x"}, &stripe.ListParams{}, url.Values{"name": {"x"}}} {
		_, err = stripe.Post[destination](t.Context(), sc, "/v2/core/event_destinations", params)
		assert.Contains(t, fmt.Sprint(err), "makes a form, but /v2/core/event_destinations takes JSON")
	}
	_, err = stripe.Post[destination](t.Context(), sc, "/v2/core/event_destinations", map[string]any{"c": make(chan int)})
	assert.Contains(t, fmt.Sprint(err), "JSON body")
}

func TestV2Lists(t *testing.T) {
	t.Parallel()
	api := &v2{}
	sc := serve(t, api, stripe.APIVersion(withV2))
	all, err := aplomb.Collect(stripe.List[destination](t.Context(), sc, "/v2/core/event_destinations", map[string]any{"limit": 2}))
	assert.NoError(t, err)
	assert.Equal(t, len(all), 3)
	assert.Equal(t, len(api.seen), 2)

	var cursors []string
	for page, err := range stripe.Pages[destination](t.Context(), sc, "/v2/core/event_destinations", map[string]any{"limit": 2}) {
		assert.NoError(t, err)
		cursors = append(cursors, page.Cursor)
	}
	assert.Equal(t, len(cursors), 2)
	rest, err := aplomb.Collect(stripe.List[destination](t.Context(), sc, "/v2/core/event_destinations", nil, aplomb.Resume(cursors[1])))
	assert.NoError(t, err)
	assert.Equal(t, len(rest), 1)

	some, err := aplomb.Collect(stripe.List[destination](t.Context(), sc, "/v2/core/event_destinations", map[string]any{"foreign": true}))
	assert.Equal(t, len(some), 1)
	assert.Contains(t, fmt.Sprint(err), "the next page is on https://evil.example")
}

func TestV2Errors(t *testing.T) {
	t.Parallel()
	sc := serve(t, &v2{}, stripe.APIVersion(withV2))
	_, err := stripe.Get[destination](t.Context(), sc, "/v2/core/event_destinations/{id}", nil, aplomb.Path("id", "gone"))
	assert.ErrorIs(t, err, stripe.ErrNotFound)
	e, ok := errors.AsType[*stripe.Error](err)
	assert.True(t, ok)
	assert.Equal(t, []string{e.Type, e.Code, e.Message, e.UserMessage, e.RequestID, e.RequestLogURL}, []string{"not_found", "not_found",
		"Object with id gone not found.", "There is no such destination.", "req_v2", "https://dashboard.stripe.com/test/workbench/logs?object=req_v2"})
}
