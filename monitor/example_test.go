package monitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/monitor"
)

func Example() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer api.Close()

	m, err := monitor.New(monitor.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(api.URL, aplomb.Name("stripe"), aplomb.NoRetry(), m.Option())
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 20 {
		_, _ = aplomb.Get[struct{}](context.Background(), c, "/v1/charges/{id}", aplomb.Path("id", "ch_1"))
	}
	health := m.Health()
	fmt.Println(health.Status)
	text, _, _ := strings.Cut(health.Reasons[0].Text, ";")
	fmt.Println(text)
	// Output:
	// down
	// the circuit is open: 20 of 20 attempts failed
}

func ExampleMonitor_Page() {
	m, err := monitor.New(monitor.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/debug/aplomb/", m.Page())

	r := httptest.NewRequest(http.MethodGet, "http://localhost/debug/aplomb/", http.NoBody)
	r.RemoteAddr = "192.0.2.1:4711" // not from this machine
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 403
}

// A readiness probe that says why. It answers 200 whatever the health is: one API that
// is down takes no replica out of service.
func ExampleMonitor_Health() {
	m, err := monitor.New(monitor.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ready := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(m.Health())
	}

	m.Tokens("github")(aplomb.TokenEvent{Err: errors.New("no route to host")})
	w := httptest.NewRecorder()
	ready(w, httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody))
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 200 {"status":"down","reasons":[{"status":"down","kind":"token","name":"github","text":"there is no token: no route to host"}]}
}

// Who is woken is told once that errors have lasted, and once that they are over.
func ExampleSettings() {
	page := func(text string) { fmt.Println(text) } // your pager
	m, err := monitor.New(monitor.Settings{
		Errors: monitor.ErrorRule{Ratio: 0.2, For: -1}, // at once, for the example's sake
		Alert: func(a monitor.Alert) {
			if a.Firing {
				page(fmt.Sprintf("%s: %.0f %% of calls failed", a.Client, 100*a.ShortRatio))
				return
			}
			page(a.Client + ": it is over")
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New("http://api.test", aplomb.Name("stripe"), aplomb.NoRetry(), m.Option(), aplomb.Transport(
		aplomb.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") })))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Name(), m.Health().Status)
	// Output: stripe healthy
}
