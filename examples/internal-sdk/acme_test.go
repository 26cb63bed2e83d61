package acme

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// orderAPI is a fake of the company's API: it keeps orders by their
// Idempotency-Key and lists them in pages of two.
type orderAPI struct {
	mu     sync.Mutex
	orders []Order
	byKey  map[string]Order
	seen   []*http.Request
}

func (f *orderAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "acme-"+strconv.Itoa(len(f.seen)))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/orders", f.create)
	mux.HandleFunc("GET /v1/orders", f.list)
	mux.HandleFunc("GET /v1/orders/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":{"code":"order_unknown","message":"no such order"}}`))
	})
	mux.ServeHTTP(w, r)
}

func (f *orderAPI) create(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	o, again := f.byKey[key]
	if !again {
		_ = json.NewDecoder(r.Body).Decode(&o)
		o.Status = "placed"
		f.byKey[key] = o
		f.orders = append(f.orders, o)
	}
	_ = json.NewEncoder(w).Encode(o)
}

func (f *orderAPI) list(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	until := min(from+2, len(f.orders))
	page := map[string]any{"orders": f.orders[from:until]}
	if until < len(f.orders) {
		page["next"] = strconv.Itoa(until)
	}
	_ = json.NewEncoder(w).Encode(page)
}

// start makes the fake, behind faults, and a client for it.
func start(t *testing.T, faults ...aplombtest.Fault) (*orderAPI, *Client) {
	t.Helper()
	api := &orderAPI{byKey: map[string]Order{}}
	srv := aplombtest.NewServer(t, aplombtest.NewScript(api, faults...))
	c, err := New(srv.URL, aplomb.Static("t0ken"), aplomb.Transport(srv.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	return api, c
}

// inBubble runs f under virtual time: backoff costs nothing.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func TestLostResponsePlacesOneOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		api, c := start(t, aplombtest.LostResponse())
		got, err := c.CreateOrder(t.Context(), Order{ID: "o-7", SKU: "mug", Quantity: 2})
		if err != nil {
			t.Fatal(err)
		}
		if want := (Order{ID: "o-7", SKU: "mug", Quantity: 2, Status: "placed"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if len(api.orders) != 1 || len(api.seen) != 2 {
			t.Errorf("%d orders of %d requests, want 1 of 2", len(api.orders), len(api.seen))
		}
		for i, r := range api.seen {
			if key := r.Header.Get("Idempotency-Key"); key != "o-7" {
				t.Errorf("attempt %d: key %q, want the order's id", i+1, key)
			}
		}
	})
}

func TestVersionAndTokenOnEveryAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		api, c := start(t, aplombtest.LostResponse(), aplombtest.LostResponse())
		if _, err := c.CreateOrder(t.Context(), Order{ID: "o-1"}); err != nil {
			t.Fatal(err)
		}
		if len(api.seen) != 3 {
			t.Fatalf("%d attempts, want 3", len(api.seen))
		}
		for i, r := range api.seen {
			if v := r.Header.Get("X-Api-Version"); v != Version {
				t.Errorf("attempt %d: X-Api-Version %q, want %q", i+1, v, Version)
			}
			if v := r.Header.Get("Authorization"); v != "Bearer t0ken" {
				t.Errorf("attempt %d: Authorization %q", i+1, v)
			}
		}
	})
}

func TestOrderWithoutIDIsNotSent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		api, c := start(t)
		if _, err := c.CreateOrder(t.Context(), Order{SKU: "mug"}); err == nil {
			t.Error("no error")
		}
		if len(api.seen) != 0 {
			t.Errorf("%d requests, want none", len(api.seen))
		}
	})
}

func TestOrdersOverAllPages(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		api, c := start(t)
		want := []string{"o-1", "o-2", "o-3", "o-4", "o-5"}
		for _, id := range want {
			api.orders = append(api.orders, Order{ID: id})
		}
		var got []string
		for o, err := range c.Orders(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o.ID)
		}
		if !slices.Equal(got, want) || len(api.seen) != 3 {
			t.Errorf("got %v in %d requests, want %v in 3", got, len(api.seen), want)
		}
	})
}

func TestErrorIsAcmesAndAplombs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, c := start(t)
		_, err := c.Order(t.Context(), "a/b")
		own, ok := errors.AsType[*Error](err)
		if !ok || own.Code != "order_unknown" || own.Message != "no such order" || own.RequestID != "acme-1" {
			t.Errorf("got %#v of %v", own, err)
		}
		if e, ok := errors.AsType[*aplomb.APIError](err); !ok || e.StatusCode != http.StatusNotFound {
			t.Errorf("no *aplomb.APIError of a 404 in %v", err)
		}
		want := `acme: GET /v1/orders/{id}: 404 order_unknown "no such order" (request acme-1, 1 attempt, 0s)`
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	})
}

func TestServicesOptionsWin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		api := &orderAPI{byKey: map[string]Order{}}
		srv := aplombtest.NewServer(t, aplombtest.NewScript(api, aplombtest.LostResponse()))
		c, err := New(srv.URL, aplomb.Static("t0ken"), aplomb.Transport(srv.Transport()), aplomb.Name("shop"), aplomb.NoRetry())
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.CreateOrder(t.Context(), Order{ID: "o-1"})
		if err == nil || !strings.HasPrefix(err.Error(), "shop: ") || len(api.seen) != 1 {
			t.Errorf("%d attempts, error %v; want one and the service's own name", len(api.seen), err)
		}
	})
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := New("http://api.test", nil); err == nil {
		t.Error("no error without a token")
	}
	if _, err := New("", aplomb.Static("t0ken")); err == nil {
		t.Error("no error without a URL")
	}
}
