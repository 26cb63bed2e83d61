package stripe_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

var clientSecret = "pi_3MtwBwLkdIwHu7ix28a3tqPa_" + "secret_YrKJUKribcBjcG8HVhfZluoGH"

// TestHostileLaw05_UnexportedField: fmt calls no methods below an unexported
// field, and Raw is a []byte. Secret is a function for that very reason.
func TestHostileLaw05_UnexportedField(t *testing.T) {
	t.Parallel()
	var pi stripe.PaymentIntent
	assert.NoError(t, json.Unmarshal([]byte(`{"id":"pi_1","client_secret":"`+clientSecret+`"}`), &pi))
	type order struct {
		intent  stripe.PaymentIntent
		intents []stripe.PaymentIntent
	}
	o := order{intent: pi, intents: []stripe.PaymentIntent{pi}}
	numbers := strings.Trim(strings.Join(strings.Fields(fmt.Sprint([]byte(clientSecret))), " "), "[]")
	var hexes []string
	for _, b := range []byte(clientSecret) {
		hexes = append(hexes, "0x"+strconv.FormatInt(int64(b), 16))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		got := fmt.Sprintf(verb, o)
		if strings.Contains(got, clientSecret) || strings.Contains(got, numbers) || strings.Contains(got, fmt.Sprintf("%x", clientSecret)) ||
			strings.Contains(got, strings.Join(hexes, ", ")) {
			t.Errorf("%s shows the client secret: %.300s", verb, got)
		}
	}
}

// TestHostileLaw05_XML: every encoder, says Raw; encoding/xml and whatever else
// asks for TextMarshaler writes it out.
func TestHostileLaw05_XML(t *testing.T) {
	t.Parallel()
	var pi stripe.PaymentIntent
	assert.NoError(t, json.Unmarshal([]byte(`{"id":"pi_1","client_secret":"`+clientSecret+`"}`), &pi))
	got, err := xml.Marshal(struct{ Raw stripe.Raw }{pi.Raw})
	assert.True(t, err != nil || !strings.Contains(string(got), clientSecret), string(got))
}

// TestHostileLaw05_ErrorByValue: the guards are on *Error, the fields are raw.
func TestHostileLaw05_ErrorByValue(t *testing.T) {
	t.Parallel()
	sc := serve(t, answer(400, "application/json", `{"error":{"type":"invalid_request_error","code":"`+testKey+`","param":"`+testKey+`"}}`))
	_, err := sc.Customers.Retrieve(t.Context(), "cus_1")
	e, ok := errors.AsType[*stripe.Error](err)
	assert.True(t, ok)
	raw, _ := json.Marshal(struct{ Err stripe.Error }{*e})
	for _, got := range []string{fmt.Sprintf("%v", *e), fmt.Sprintf("%+v", *e), fmt.Sprintf("%#v", *e), string(raw)} {
		assert.NotContains(t, got, testKey)
	}
}

// TestHostileLaw06_KeyOfTheServers: the name of a metadata pair is the server's,
// and goes unscrubbed into the error's line.
func TestHostileLaw06_KeyOfTheServers(t *testing.T) {
	t.Parallel()
	sc := serve(t, answer(200, "application/json", `{"id":"cus_1","metadata":{"`+testKey+`\nlevel=INFO msg=\"all is well\"":5}}`))
	for name, try := range map[string]func() error{
		"get": func() error { _, err := sc.Customers.Retrieve(t.Context(), "cus_1"); return err },
		"list": func() error {
			sc := serve(t, answer(200, "application/json", `{"has_more":false,"data":[{"id":"cus_1","metadata":{"`+testKey+`\nlevel=INFO":5}}]}`))
			_, err := aplomb.Collect(sc.Customers.List(t.Context(), stripe.CustomerListParams{}))
			return err
		},
	} {
		err := try()
		assert.True(t, err != nil)
		assert.NotContains(t, err.Error(), testKey, name, "law 5")
		assert.NotContains(t, err.Error(), "\n", name, "law 6")
	}
}

// TestHostileLaw06_EventLine: an event's own words make a second line.
func TestHostileLaw06_EventLine(t *testing.T) {
	t.Parallel()
	e, err := stripe.ParseEvent([]byte(`{"id":"evt_1\nlevel=ERROR msg=forged","type":"customer.created","api_version":"` + testKey + `","data":{"object":[]}}`))
	assert.NoError(t, err)
	var h stripe.Handlers
	stripe.On(&h, stripe.EventCustomerCreated, func(context.Context, *stripe.Event, *stripe.Customer) error { return nil })
	err = h.Handle(t.Context(), e)
	assert.NotContains(t, fmt.Sprint(err), "\n")
	assert.NotContains(t, fmt.Sprint(err), testKey)
	assert.NotContains(t, e.String(), "\n")
	var p stripe.Customer
	assert.NoError(t, json.Unmarshal([]byte(`{"id":"cus_1","email":"a@example.com\nlevel=ERROR"}`), &p))
	assert.NotContains(t, p.String(), "\n")
}
