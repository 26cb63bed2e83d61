package prometheus_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// only is the one series of a metric.
func (r *rig) only(name string) string {
	r.t.Helper()
	all := r.series(name)
	if len(all) != 1 {
		r.t.Fatalf("%s has %d series, want one:\n%s", name, len(all), table(all))
	}
	for labels := range all {
		return labels
	}
	return ""
}

// Labels are those of the conventions, and error_type is the event's.
func TestRequestLabels(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]aplombtest.Fault{
		"http_request_method=GET,http_response_status_code=200,server_address=api.test,server_port=443":                      aplombtest.Pass(),
		"error_type=404,http_request_method=GET,http_response_status_code=404,server_address=api.test,server_port=443":       aplombtest.Status(404),
		"error_type=truncated,http_request_method=GET,http_response_status_code=200,server_address=api.test,server_port=443": aplombtest.TruncatedBody(3),
		"error_type=timeout,http_request_method=GET,server_address=api.test,server_port=443":                                 aplombtest.Stall(0),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := aplombtest.NewNetwork(t)
				n.Serve("https://api.test", aplombtest.NewScript(answer(200, `{"id":"o_1"}`), f))
				r := newRig(t)
				c := r.client("https://api.test", aplomb.Transport(n.Transport()), aplomb.NoRetry())
				_, _ = aplomb.Get[order](context.Background(), c, "/v1/orders")
				if labels := r.only("http_client_request_duration_seconds"); labels != want {
					t.Errorf("labels are %s, want %s", labels, want)
				}
			})
		})
	}
}

// The caller's own cancel is none of the server's errors, and has a class of its own.
func TestCanceledAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, "{}"), aplombtest.Stall(0)))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()))
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		_, _ = aplomb.Get[order](ctx, c, "/v1/orders")
		if labels := r.only("http_client_request_duration_seconds"); labels != "error_type=canceled,http_request_method=GET,server_address=api.test,server_port=80" {
			t.Error("labels are", labels)
		}
	})
}

// A judge's verdict on a 200 is an error as well.
func TestJudgedAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, answer(200, "{}"))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.NoRetry(),
			aplomb.Judge(func(*aplomb.Attempt) aplomb.Verdict { return aplomb.Verdict{Outcome: aplomb.OutcomeThrottled} }))
		_, _ = aplomb.Get[order](context.Background(), c, "/v1/orders")
		if labels := r.only("http_client_request_duration_seconds"); !strings.HasPrefix(labels, "error_type=throttled,") {
			t.Error("labels are", labels)
		}
	})
}

// However its address is written, a server has one name.
func TestServerHasOneName(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"https://API.Test", "https://api.test:443", "https://api.test"} {
		r := newRig(t)
		if err := get(r.client(base, aplomb.Transport(roundTripper{})), "o_1"); err != nil {
			t.Fatal(err)
		}
		if got, want := r.only("http_client_request_duration_seconds"), "http_request_method=GET,http_response_status_code=200,server_address=api.test,server_port=443"; got != want {
			t.Errorf("%s is\n%s, want\n%s", base, got, want)
		}
	}
}

func TestServerLabels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ method, scheme, host, want string }{
		{"GET", "https", "api.test", "http_request_method=GET,http_response_status_code=200,server_address=api.test,server_port=443"},
		{"", "http", "api.test", "http_request_method=GET,http_response_status_code=200,server_address=api.test,server_port=80"},
		{"PATCH", "https", "api.test:8443", "http_request_method=PATCH,http_response_status_code=200,server_address=api.test,server_port=8443"},
		{"PURGE", "https", "[2001:db8::1]:8443", "http_request_method=_OTHER,http_response_status_code=200,server_address=2001:db8::1,server_port=8443"},
		{"get", "https", "[2001:db8::1]", "http_request_method=_OTHER,http_response_status_code=200,server_address=2001:db8::1,server_port=443"},
	} {
		r := newRig(t)
		r.hooks().AttemptDone(context.Background(), aplomb.AttemptEvent{Client: "acme", Method: tt.method, Scheme: tt.scheme, Host: tt.host, Status: 200})
		if got := r.only("http_client_request_duration_seconds"); got != tt.want {
			t.Errorf("%s %s://%s is\n%s, want\n%s", tt.method, tt.scheme, tt.host, got, tt.want)
		}
	}
}
