package prometheus_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/monitor"
)

// results are all that a call can end with.
var results = []aplomb.Result{
	aplomb.ResultOK, aplomb.ResultClientError, aplomb.ResultServerError, aplomb.ResultRateLimited, aplomb.ResultTimeout, aplomb.ResultNetwork,
	aplomb.ResultBreakerOpen, aplomb.ResultBulkheadFull, aplomb.ResultCanceled, aplomb.ResultDecodeError, aplomb.ResultRefused, aplomb.ResultPanic,
}

// Package monitor rings without a Prometheus, and for the same as AplombErrorRateSustained:
// what fails is the same.
func TestFailuresAreTheMonitors(t *testing.T) {
	t.Parallel()
	sets := regexp.MustCompile(`outcome=~"([a-z_|]+)"`).FindAllStringSubmatch(read(t, "rules.yml"), -1)
	if len(sets) != 2 {
		t.Fatalf("%d sets of outcomes in rules.yml, want one for each window", len(sets))
	}
	for _, set := range sets {
		failing := strings.Split(set[1], "|")
		for _, name := range failing {
			if !slices.Contains(results, aplomb.Result(name)) {
				t.Errorf("rules.yml names the outcome %q, which no call has", name)
			}
		}
		for _, result := range results {
			if got, want := monitorCallsItFailed(t, result), slices.Contains(failing, string(result)); got != want {
				t.Errorf("%s: a failure to package monitor is %t, to rules.yml %t", result, got, want)
			}
		}
	}
}

func monitorCallsItFailed(t *testing.T, result aplomb.Result) (failed bool) {
	t.Helper()
	m, err := monitor.New(monitor.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	caller(t, m)(result)
	clients := m.Snapshot().Clients
	if len(clients) != 1 {
		t.Fatalf("%d clients after a call of one", len(clients))
	}
	return clients[0].ErrorRatio > 0
}

// caller makes calls that a monitor is told of, each of which ends as is asked.
func caller(t *testing.T, m *monitor.Monitor) (call func(aplomb.Result)) {
	t.Helper()
	var want, got aplomb.Result
	ends := aplomb.PerCall(func(http.RoundTripper) http.RoundTripper {
		return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) { return ending(r, want) })
	})
	c, err := aplomb.New("https://api.acme.example", ends, m.Option(), aplomb.Hooks{
		CallDone: func(_ context.Context, e aplomb.CallEvent) { got = e.Result },
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(result aplomb.Result) {
		want = result
		func() {
			defer func() { _ = recover() }()
			_ = get(c, "o_1")
		}()
		if got != want {
			t.Fatalf("the call ended %q, and was to end %q", got, want)
		}
	}
}

// ending is what has a call end so.
func ending(r *http.Request, result aplomb.Result) (*http.Response, error) {
	switch result {
	case aplomb.ResultTimeout:
		return nil, context.DeadlineExceeded
	case aplomb.ResultNetwork:
		return nil, errors.New("the connection broke")
	case aplomb.ResultBreakerOpen:
		return nil, aplomb.ErrCircuitOpen
	case aplomb.ResultBulkheadFull:
		return nil, aplomb.ErrBulkheadFull
	case aplomb.ResultCanceled:
		return nil, context.Canceled
	case aplomb.ResultRefused:
		return nil, aplomb.ErrNoCredential
	case aplomb.ResultPanic:
		panic("boom")
	case aplomb.ResultOK, aplomb.ResultClientError, aplomb.ResultServerError, aplomb.ResultRateLimited, aplomb.ResultDecodeError: // an answer
	}
	w := httptest.NewRecorder()
	status := map[aplomb.Result]int{aplomb.ResultClientError: 404, aplomb.ResultServerError: 500, aplomb.ResultRateLimited: 429}[result]
	answer(cmp.Or(status, 200), map[bool]string{true: "<h1>", false: "{}"}[result == aplomb.ResultDecodeError]).ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// rule is the numbers of AplombErrorRateSustained, as rules.yml has them.
func rule(t *testing.T) (r monitor.ErrorRule) {
	t.Helper()
	_, text, _ := strings.Cut(read(t, "rules.yml"), "- alert: AplombErrorRateSustained\n")
	m := regexp.MustCompile(`error_ratio_rate(\w+) > ([\d.]+)\s+and \S+:error_ratio_rate(\w+) > ([\d.]+)\s+and \S+:rate(\w+) > ([\d.]+)\s+for: (\w+)`).FindStringSubmatch(text)
	if m == nil || m[2] != m[4] || m[1] != m[5] {
		t.Fatalf("AplombErrorRateSustained is not what this test can read: %q", m)
	}
	duration := func(s string) time.Duration {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	number := func(s string) float64 {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return monitor.ErrorRule{Short: duration(m[1]), Long: duration(m[3]), Ratio: number(m[2]), PerSecond: number(m[6]), For: duration(m[7])}
}

// Its windows, its thresholds and how long it has to last are the monitor's defaults.
func TestThresholdsAreTheMonitors(t *testing.T) {
	t.Parallel()
	r := rule(t)
	percent := int(100*r.Ratio + 0.5)
	between := func(perSecond float64) time.Duration { return time.Duration(float64(time.Second) / perSecond) }
	for name, tt := range map[string]struct {
		every time.Duration
		bad   int // of a hundred
		fires bool
	}{
		"more fail":  {100 * time.Millisecond, percent + 1, true},
		"as many":    {100 * time.Millisecond, percent, false},
		"more calls": {between(1.1 * r.PerSecond), 100, true},
		"less calls": {between(0.9 * r.PerSecond), 100, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alert, fired := alertOf(t, tt.every, tt.bad, r.Short+2*r.For)
			if fired != tt.fires {
				t.Fatalf("the monitor's alert fires: %t, and rules.yml's: %t", fired, tt.fires)
			}
			if !fired {
				return
			}
			if alert.Short != r.Short || alert.Long != r.Long {
				t.Errorf("the monitor's windows are %v and %v, those of rules.yml %v and %v", alert.Short, alert.Long, r.Short, r.Long)
			}
			if lasted := alert.At.Sub(alert.Since); lasted < r.For || lasted > r.For+tt.every+10*time.Second {
				t.Errorf("the monitor rings after %v, rules.yml after %v", lasted, r.For)
			}
		})
	}
}

// alertOf is what a monitor with its defaults says of calls of which bad in a hundred
// fail.
func alertOf(t *testing.T, every time.Duration, bad int, long time.Duration) (alert monitor.Alert, fired bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		m, err := monitor.New(monitor.Settings{Alert: func(a monitor.Alert) {
			mu.Lock()
			defer mu.Unlock()
			if a.Firing {
				alert, fired = a, true
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		call := caller(t, m)
		for i, began := 0, time.Now(); time.Since(began) < long; i++ {
			result := aplomb.ResultOK
			if i*bad%100 < bad { // spread evenly
				result = aplomb.ResultServerError
			}
			call(result)
			time.Sleep(every)
		}
		mu.Lock()
		defer mu.Unlock()
	})
	return alert, fired
}
