// Command monitoring shows an API that goes down and comes back, on a live page and to
// Prometheus:
//
//	go run ./examples/monitoring
//
// It serves the live page at http://127.0.0.1:8090/ and metrics at /metrics, and calls an
// API on this machine that is healthy, down and throttled in turns. A Prometheus of
// your system's, without a container, reads it with the rules of package prometheus:
//
//	apt-get install prometheus
//	cd examples/monitoring
//	prometheus --config.file=prometheus.yml --storage.tsdb.path="$(mktemp -d)" --web.listen-address=127.0.0.1:9090
//
// Then http://127.0.0.1:9090/alerts shows the alerts; the dashboard for Grafana is
// prometheus/dashboard.json.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/monitor"
	"github.com/aplomb-go/aplomb/prometheus"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "where the page and the metrics are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *listen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "monitoring:", err)
		os.Exit(1)
	}
}

// run goes on until ctx is over.
func run(ctx context.Context, out io.Writer, listen string) error {
	seen, err := monitor.New(monitor.Settings{Alert: func(a monitor.Alert) {
		fmt.Fprintf(out, "alert: %s, firing: %t, %.0f %% of calls fail\n", a.Client, a.Firing, 100*a.ShortRatio)
	}})
	if err != nil {
		return err
	}
	registry := client.NewRegistry()
	metrics, err := prometheus.New(registry)
	if err != nil {
		return err
	}
	api, err := newWarehouse()
	if err != nil {
		return err
	}
	defer api.close()
	c, err := aplomb.New(api.address, aplomb.Name("warehouse"), seen.Option(), metrics.Option())
	if err != nil {
		return err
	}
	if err := seen.Explain(c); err != nil {
		return err
	}

	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", seen.Page())
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	defer func() { _ = server.Close() }()
	fmt.Fprintf(out, "live page: http://%s/\nmetrics:   http://%s/metrics\n", l.Addr(), l.Addr())

	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-tick.C:
			go order(ctx, c) // one that waits holds up no other
		}
	}
}

type shelf struct {
	Mugs int `json:"mugs"`
}

// order makes one call; what comes of it is on the page.
func order(ctx context.Context, c *aplomb.Client) {
	_, _ = aplomb.Get[shelf](ctx, c, "/v1/shelves/{id}", aplomb.Path("id", "mugs"))
}
