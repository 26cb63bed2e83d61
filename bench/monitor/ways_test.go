package monitor_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/monitor"
)

type order struct {
	ID     string `json:"id"`
	Amount int    `json:"amount"`
}

const answer = `{"id":"1","amount":1250}`

// near calls a server on this machine.
func near(tb testing.TB) []beside.Way {
	tb.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	tb.Cleanup(s.Close)
	return ways(tb, s.URL, func() aplomb.Option {
		transport := &http.Transport{}
		tb.Cleanup(transport.CloseIdleConnections)
		return aplomb.Transport(transport)
	})
}

// nowhere has each call answered at once.
func nowhere(tb testing.TB) []beside.Way {
	tb.Helper()
	return ways(tb, "http://api.test", func() aplomb.Option {
		return aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
		}))
	})
}

// ways are a call that is watched, and one that is not.
func ways(tb testing.TB, base string, transport func() aplomb.Option) []beside.Way {
	tb.Helper()
	m, err := monitor.New(monitor.Settings{})
	if err != nil {
		tb.Fatal(err)
	}
	with, without := way(tb, "with", base, transport(), m.Option()), way(tb, "without", base, transport())
	for range 500 { // its lists fill up
		if err := with.Run(); err != nil {
			tb.Fatal(err)
		}
	}
	return []beside.Way{with, without}
}

func way(tb testing.TB, name, base string, opts ...aplomb.Option) beside.Way {
	tb.Helper()
	c, err := aplomb.New(base, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := tb.Context()
	return beside.Way{Name: name, Run: func() error {
		_, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "1"))
		return err
	}}
}
