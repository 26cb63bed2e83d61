package prometheus_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aplomb-go/aplomb"
	aplombprom "github.com/aplomb-go/aplomb/prometheus"
)

// Three calls of one operation, the first of which needs two attempts.
func Example() {
	failed := false
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !failed {
			failed = true
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(`{"id":"o_1"}`))
	}))
	defer api.Close()

	reg := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	metrics, err := aplombprom.New(reg)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(api.URL, aplomb.Name("acme"), metrics.Option())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []string{"o_1", "o_2", "o_3"} {
		if _, err := aplomb.Get[struct{}](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", id)); err != nil {
			fmt.Println(err)
		}
	}

	// What a Prometheus reads at /metrics.
	page := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if strings.HasPrefix(line, "aplomb_calls_total") || strings.HasPrefix(line, "aplomb_attempts_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// aplomb_attempts_total{client="acme",reason="first"} 3
	// aplomb_attempts_total{client="acme",reason="hedge"} 0
	// aplomb_attempts_total{client="acme",reason="probe"} 0
	// aplomb_attempts_total{client="acme",reason="redirect"} 0
	// aplomb_attempts_total{client="acme",reason="retry"} 1
	// aplomb_calls_total{client="acme",operation="GET /v1/orders/{id}",outcome="ok"} 3
}

// A token's end is known before it is felt.
func ExampleMetrics_Tokens() {
	reg := prometheus.NewRegistry()
	metrics, err := aplombprom.New(reg)
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens := &aplomb.Tokens{
		Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
			return aplomb.Token{Value: aplomb.NewSecret("t0ken"), Expiry: time.Now().Add(time.Hour)}, nil
		},
		Watch: metrics.Tokens("acme"),
	}
	if _, err := aplomb.New("https://api.acme.example", aplomb.Name("acme"), metrics.Option(), tokens); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tokens.Token(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	families, err := reg.Gather()
	for _, f := range families {
		if f.GetName() == "aplomb_token_expiry_timestamp_seconds" {
			left := time.Until(time.Unix(int64(f.GetMetric()[0].GetGauge().GetValue()), 0))
			fmt.Println("ends in an hour:", left > 59*time.Minute && left <= time.Hour, err)
		}
	}
	// Output: ends in an hour: true <nil>
}
