package stripe_test

import (
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// wire remembers what was sent, one line a request.
type wire struct {
	mu    sync.Mutex
	lines []string
	reply string
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.lines = append(w.lines, r.URL.RawQuery+" "+string(body))
	w.mu.Unlock()
	reply := w.reply
	if reply == "" {
		reply = `{"id":"x_1","data":[],"has_more":false}`
	}
	answer(200, "application/json", reply).ServeHTTP(rw, r)
}

// TestHostileEmbeddedExtra: parameters that embed one of this package's lose its
// Extra without a word.
func TestHostileEmbeddedExtra(t *testing.T) {
	t.Parallel()
	type couponParams struct {
		stripe.ListParams
		Active bool `form:"active"`
	}
	w := &wire{}
	sc := serve(t, w)
	p := couponParams{Active: true}
	p.Extra = url.Values{"created[gte]": {"7"}}
	_, err := aplomb.Collect(stripe.List[stripe.Customer](t.Context(), sc, "/v1/coupons", p))
	assert.NoError(t, err)
	assert.Contains(t, w.lines[0], "created")

	type more struct {
		stripe.CustomerUpdateParams
		Tax string `form:"tax_exempt"`
	}
	m := more{Tax: "none"}
	m.Extra = stripe.Clear("description")
	_, err = stripe.Post[stripe.Customer](t.Context(), sc, "/v1/customers/cus_1", m)
	assert.NoError(t, err)
	assert.Contains(t, w.lines[1], "description=")
}

// TestHostileExtraOfAnotherType: a field for extras of another type than
// url.Values is dropped, an unexported one panics.
func TestHostileExtraOfAnotherType(t *testing.T) {
	t.Parallel()
	w := &wire{}
	sc := serve(t, w)
	type loose struct {
		Extra map[string][]string `form:"*"`
	}
	_, err := stripe.Post[stripe.Customer](t.Context(), sc, "/v1/customers", loose{map[string][]string{"email": {"a@example.com"}}})
	assert.True(t, err != nil || strings.Contains(w.lines[0], "email"), "neither sent nor refused")

	type hidden struct {
		extra url.Values `form:"*"`
	}
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %v", p)
		}
	}()
	_, _ = stripe.Post[stripe.Customer](t.Context(), sc, "/v1/customers", hidden{url.Values{}})
}

// TestHostileAmountIsNotDropped: a number type of another package (math/big, a
// decimal) is a struct without exported fields, and is left out without a word:
// a refund of 5.00 becomes one of everything.
func TestHostileAmountIsNotDropped(t *testing.T) {
	t.Parallel()
	w := &wire{}
	sc := serve(t, w)
	for name, value := range map[string]any{
		"*big.Int": big.NewInt(500), "big.Float": *big.NewFloat(500), "Secret": aplomb.NewSecret("500"),
	} {
		n := len(w.lines)
		_, err := stripe.Post[stripe.Refund](t.Context(), sc, "/v1/refunds", map[string]any{"charge": "ch_1", "amount": value})
		if err == nil && !strings.Contains(w.lines[n], "amount=") {
			t.Errorf("%s: sent without the amount: %q", name, w.lines[n])
		}
	}
}

// TestHostileZeroTimeElsewhere: a zero time with a location is zero (IsZero), but
// reflect does not think so.
func TestHostileZeroTimeElsewhere(t *testing.T) {
	t.Parallel()
	w := &wire{}
	sc := serve(t, w)
	_, err := aplomb.Collect(sc.Charges.List(t.Context(), stripe.ChargeListParams{
		Created: stripe.TimeRange{From: time.Time{}.In(time.FixedZone("CET", 3600)), Before: time.Unix(7, 0)}}))
	assert.NoError(t, err)
	assert.NotContains(t, w.lines[0], "-62135596800")
}

// TestHostileCyclicParams: a map that holds itself ends the process; encoding/json
// says so in an error.
func TestHostileCyclicParams(t *testing.T) {
	t.Parallel()
	if os.Getenv("HOSTILE_CYCLE") != "" {
		debug.SetMaxStack(32 << 20)
		m := map[string]any{}
		m["a"] = m
		_, err := stripe.Post[stripe.Customer](t.Context(), new(stripe.Client), "/v1/customers", m)
		fmt.Println("survived", err)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestHostileCyclicParams$")
	cmd.Env = append(os.Environ(), "HOSTILE_CYCLE=1")
	out, _ := cmd.CombinedOutput()
	if !strings.Contains(string(out), "survived") {
		first, _, _ := strings.Cut(string(out), "\n\n")
		t.Errorf("the process died: %.200s", first)
	}
}

// TestHostileV2Params: of what Post says it takes, half makes another body on a
// /v2 path than on /v1, or nonsense.
func TestHostileV2Params(t *testing.T) {
	t.Parallel()
	w := &wire{}
	sc := serve(t, w)
	type params struct {
		DisplayName string `form:"display_name"`
	}
	for _, tt := range []struct {
		name   string
		params any
		want   string
	}{
		{"nil map", map[string]any(nil), "{}"},
		{"nil pointer", (*params)(nil), "{}"},
		{"form tags", params{"Ada"}, `{"display_name":"Ada"}`},
		{"url.Values", url.Values{"display_name": {"Ada"}}, `{"display_name":"Ada"}`},
	} {
		n := len(w.lines)
		_, err := stripe.Post[stripe.Customer](t.Context(), sc, "/v2/core/accounts", tt.params)
		if err == nil && strings.TrimSpace(w.lines[n]) != tt.want {
			t.Errorf("%s: sent %s, want %s or an error", tt.name, w.lines[n], tt.want)
		}
	}
}

// TestHostileBothCursors: of two cursors one is dropped in a struct, while a map
// sends both; Stripe refuses them, rightly.
func TestHostileBothCursors(t *testing.T) {
	t.Parallel()
	w := &wire{}
	sc := serve(t, w)
	_, err := aplomb.Collect(sc.Charges.List(t.Context(), stripe.ChargeListParams{StartingAfter: "ch_1", EndingBefore: "ch_2"}))
	assert.True(t, err != nil || strings.Contains(w.lines[0], "starting_after"), "starting_after was dropped")
}

// TestHostileEmptyEndingBefore: a poller's first run, with no cursor yet, gets the
// newest page alone and no error (law 13).
func TestHostileEmptyEndingBefore(t *testing.T) {
	t.Parallel()
	sc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := `{"data":[{"id":"evt_3"},{"id":"evt_2"}],"has_more":true}` // evt_1 is older
		switch r.URL.Query().Get("ending_before") + r.URL.Query().Get("starting_after") {
		case "evt_3":
			body = `{"data":[],"has_more":false}`
		case "evt_2":
			body = `{"data":[{"id":"evt_1"}],"has_more":false}`
		}
		answer(200, "application/json", body).ServeHTTP(w, r)
	}))
	all, err := aplomb.Collect(stripe.List[stripe.Event](t.Context(), sc, "/v1/events", map[string]any{"ending_before": ""}))
	assert.True(t, err != nil || len(all) == 3, fmt.Sprint(all), err)
}

// TestHostileRelatedClimbs: the url of an event is the server's word; encoded dots
// leave the base URL's path.
func TestHostileRelatedClimbs(t *testing.T) {
	t.Parallel()
	var path string
	sc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		answer(200, "application/json", `{}`).ServeHTTP(w, r)
	}))
	e, err := stripe.ParseEvent([]byte(`{"id":"evt_1","type":"x","related_object":{"id":"y","type":"z","url":"/v1/%2e%2e/%2e%2e/admin/y"}}`))
	assert.NoError(t, err)
	_, err = stripe.Related[stripe.Customer](t.Context(), sc, e)
	assert.True(t, err != nil, "the server saw the path "+path)
}

// TestHostileRefundOfZero: a part that comes to nothing gives back everything.
// Stripe itself refuses amount=0; a zero that is not sent takes that guard away.
func TestHostileRefundOfZero(t *testing.T) {
	t.Parallel()
	w := &wire{}
	sc := serve(t, w)
	part, err := stripe.ParseAmount("0.00", "usd") // what is left to give back, by the caller's sums
	assert.NoError(t, err)
	_, err = sc.Refunds.Create(t.Context(), stripe.RefundCreateParams{Charge: "ch_1", Amount: &part})
	if err == nil && !strings.Contains(w.lines[0], "amount=0") {
		t.Errorf("a refund of 0.00 was sent as one of all: %q", w.lines[0])
	}
}
