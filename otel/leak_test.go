package otel_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// echo answers with all that the request carried, as the worst of servers do.
func echo(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		all := fmt.Sprintf("%s %v %s", r.URL, r.Header, raw)
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Set-Cookie", "sid=pl4nt-set-cookie")
		h.Set("X-Request-ID", r.Header.Get("X-Api-Key"))
		h.Set("Location", "https://u:pl4nt-userinfo@api.test/?token=pl4nt-location")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": all, "code": r.URL.RawQuery}})
	}
}

// TestNoSecret: of twelve secrets, planted where a call can carry one and said again by
// the server, none is in a span or a metric.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, n := newTelemetry(t), aplombtest.NewNetwork(t)
		n.Serve("https://api.test", aplombtest.NewScript(http.HandlerFunc(ok),
			aplombtest.Answer(echo(401)), aplombtest.Answer(echo(500)), aplombtest.Answer(echo(429)), aplombtest.Answer(echo(400)), aplombtest.Answer(echo(302))))
		c, err := aplomb.New("https://u:pl4nt-userinfo@api.test", aplomb.Transport(n.Transport()), o.option,
			aplomb.APIKey("X-Api-Key", aplomb.Static("pl4nt-api-key")), aplomb.APIKeyQuery("key", aplomb.Static("pl4nt-query-key")),
			aplomb.Header("Cookie", "c=pl4nt-cookie"), aplomb.Header("X-Tenant-Token", "pl4nt-header"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseIdleConnections)
		for range 4 {
			_, _ = aplomb.Post[struct{}](t.Context(), c, "/v1/{id}", aplomb.Path("id", "pl4nt-api-key"), aplomb.Query("access_token", "pl4nt-access"),
				aplomb.Query("sig", "pl4nt-signature"), aplomb.JSON(map[string]string{"password": "pl4nt-json"}))
			_, _ = aplomb.Post[struct{}](t.Context(), c, "/v1/login", aplomb.Form(url.Values{"password": {"pl4nt-form"}}), aplomb.IdempotencyKey("pl4nt-idempotency-key"))
			time.Sleep(time.Minute)
		}
		if told := o.told(t); len(told) < 5000 || strings.Contains(told, "pl4nt") || strings.Contains(told, base64.StdEncoding.EncodeToString([]byte("u:pl4nt-userinfo"))) {
			t.Errorf("a secret, or too little to hold one:\n%s", told)
		}
	})
}
