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
//	prometheus --config.file=prometheus.yml --storage.tsdb.path="$(mktemp -d)" --web.listen-address=127.0.0.1:9091
//
// It is at port 9091, for Debian's package starts a service of its own at 9090
// (systemctl disable --now prometheus ends that). The alerts are at
// http://127.0.0.1:9091/classic/alerts with Debian's 2.42, which has not the newer
// pages, and at http://127.0.0.1:9091/alerts with Prometheus' own releases. Be patient:
// the first, AplombErrorRateSustained, is pending within a minute and fires after five
// minutes more, as the live page's own does. The dashboard for Grafana is
// prometheus/dashboard.json.
//
// Where you copy this folder to a module of your own, copy the rules beside
// prometheus.yml and name them rules.yml there, under rule_files:
//
//	cp "$(go list -m -f '{{.Dir}}' github.com/aplomb-go/aplomb/prometheus)/rules.yml" .
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
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/monitor"
	aplombprom "github.com/aplomb-go/aplomb/prometheus"
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

// run goes on until ctx is over, and returns when all that it started has ended.
func run(ctx context.Context, out io.Writer, listen string) error {
	seen, err := monitor.New(monitor.Settings{Alert: func(a monitor.Alert) {
		fmt.Fprintf(out, "alert: %s, firing: %t, %.0f %% of calls fail\n", a.Client, a.Firing, 100*a.ShortRatio)
	}})
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	metrics, err := aplombprom.New(registry)
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
	var serving sync.WaitGroup
	serving.Go(func() { ended <- server.Serve(l) })
	defer serving.Wait()
	defer func() { _ = server.Close() }()
	fmt.Fprintf(out, "live page: http://%s/\nmetrics:   http://%s/metrics\n", l.Addr(), l.Addr())
	return orders(ctx, c, ended)
}

// orders makes calls until ctx is over or ended has an error, and then waits for those
// under way.
func orders(ctx context.Context, c *aplomb.Client, ended <-chan error) error {
	ctx, stop := context.WithCancel(ctx)
	var calls sync.WaitGroup
	defer calls.Wait()
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-tick.C:
			calls.Go(func() { order(ctx, c) }) // one that waits holds up no other
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
