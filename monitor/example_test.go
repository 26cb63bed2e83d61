package monitor_test

import (
	"context"
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
