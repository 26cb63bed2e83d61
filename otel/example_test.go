package otel_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/aplomb-go/aplomb"
	aplombotel "github.com/aplomb-go/aplomb/otel"
)

func ExampleNew() {
	busy := true
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if busy {
			busy = false
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	defer api.Close()

	spans := tracetest.NewInMemoryExporter() // an application has its own
	telemetry, err := aplombotel.New(aplombotel.Settings{Tracers: trace.NewTracerProvider(trace.WithSyncer(spans))})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(api.URL, aplomb.Name("orders"), telemetry.Option())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := aplomb.Get[struct{}](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_1")); err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range spans.GetSpans() {
		fmt.Println(s.SpanKind, s.Name, s.Status.Code)
	}
	// Output:
	// client GET /v1/orders/{id} Error
	// client GET /v1/orders/{id} Unset
	// internal GET /v1/orders/{id} Unset
}
