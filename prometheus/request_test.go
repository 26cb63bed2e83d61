package prometheus_test

import (
	"context"
	"net/http"
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

// What went wrong has a class that does not change with net/http's types.
func TestErrorTypes(t *testing.T) {
	t.Parallel()
	fault := func(f aplombtest.Fault) func(*testing.T, *aplombtest.Network) {
		return func(t *testing.T, n *aplombtest.Network) {
			n.Serve("https://api.test", aplombtest.NewScript(answer(200, `{"id":"o_1"}`), f))
		}
	}
	trouble := func(tr aplombtest.Trouble) func(*testing.T, *aplombtest.Network) {
		return func(t *testing.T, n *aplombtest.Network) {
			n.Serve("https://api.test", answer(200, "{}"))
			n.Break("api.test", tr)
		}
	}
	for name, tt := range map[string]struct {
		meets func(*testing.T, *aplombtest.Network)
		want  string // its error_type
	}{
		"answered":        {fault(aplombtest.Pass()), ""},
		"404":             {fault(aplombtest.Status(404)), "404"},
		"503":             {fault(aplombtest.Status(503)), "503"},
		"unknown status":  {fault(aplombtest.Status(499)), "499"},
		"reset":           {fault(aplombtest.Reset()), "connection_reset"},
		"silent":          {fault(aplombtest.Stall(0)), "timeout"},
		"broken off":      {fault(aplombtest.TruncatedBody(3)), "connection_closed"},
		"too much":        {fault(aplombtest.Answer(answer(200, `"`+strings.Repeat("x", 2000)+`"`).ServeHTTP)), "too_large"},
		"refused":         {trouble(aplombtest.DialRefused), "connection_refused"},
		"no such host":    {trouble(aplombtest.DNSNotFound), "name_resolution"},
		"dial hangs":      {trouble(aplombtest.DialHangs), "timeout"},
		"certificate old": {trouble(aplombtest.TLSExpired), "tls"},
		"not TLS":         {trouble(aplombtest.TLSPlain), "tls"},
		"TLS alert":       {trouble(aplombtest.TLSAlert), "tls"},
		"TLS hangs":       {trouble(aplombtest.TLSHangs), "timeout"},
		"not HTTP":        {fault(aplombtest.Raw("220 mail.test ESMTP\r\n")), "_OTHER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := aplombtest.NewNetwork(t)
				tt.meets(t, n)
				r := newRig(t)
				transport := n.Transport()
				transport.Protocols = new(http.Protocols)
				transport.Protocols.SetHTTP1(true)
				c := r.client("https://api.test", aplomb.Transport(transport), aplomb.NoRetry(), aplomb.MaxBody(1000))
				_, _ = aplomb.Get[order](context.Background(), c, "/v1/orders")
				labels := r.only("http_client_request_duration_seconds")
				got := ""
				if rest, ok := strings.CutPrefix(labels, "error_type="); ok {
					got, _, _ = strings.Cut(rest, ",")
				}
				if got != tt.want {
					t.Errorf("error_type is %q, want %q; of %s", got, tt.want, labels)
				}
				if !strings.Contains(labels, "http_request_method=GET,") || !strings.HasSuffix(labels, "server_address=api.test,server_port=443") {
					t.Error("labels are", labels)
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

func TestServerLabels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ method, scheme, host, want string }{
		{"GET", "https", "api.test", "http_request_method=GET,http_response_status_code=200,server_address=api.test,server_port=443"},
		{"", "http", "API.test", "http_request_method=GET,http_response_status_code=200,server_address=api.test,server_port=80"},
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
