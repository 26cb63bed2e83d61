package aplombtest

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"syscall"

	"github.com/aplomb-go/aplomb/internal/fixture"
)

// ServeHTTP answers a request to a server as [Recorder.RoundTrip] does that of a
// client, so that there can be faults in front of what was recorded:
//
//	script := aplombtest.NewScript(aplombtest.Fixtures(t), aplombtest.Pass(), aplombtest.Reset())
//	client := aplombtest.NewTLSServer(t, script).Client()
//
// While recording it is a proxy to the host that the request names. A recorded
// failure ends the connection; a request that nothing was recorded for is answered
// 501.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	proxy := httputil.ReverseProxy{
		Transport:     r,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // what there is to say the client sees
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", p.In.Host
			if p.In.TLS != nil {
				p.Out.URL.Scheme = "https"
			}
		},
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			switch _, missed := errors.AsType[*fixture.MissError](err); {
			case missed:
				http.Error(w, err.Error(), http.StatusNotImplemented)
			case errors.Is(err, syscall.ECONNRESET):
				reset(w, req)
			default:
				drop(w)
			}
		},
	}
	proxy.ServeHTTP(w, req)
}
