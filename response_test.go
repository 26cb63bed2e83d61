package aplomb_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestResponseTellsWhatFollows(t *testing.T) {
	t.Parallel()
	bubbleCase(t, "of a response", func(t *testing.T) {
		h := status(http.StatusAccepted, "Retry-After", "7", "Link", `<status/7>; rel="monitor"`)
		c := newClient(t, aplombtest.NewServer(t, h))
		var r aplomb.Response
		_, err := aplomb.Post[struct{}](t.Context(), c, "/v1/exports/new", aplomb.Query("a", "b"), aplomb.Capture(&r))
		assert.NoError(t, err)
		assert.Equal(t, r.RetryAfter(), 7*time.Second)
		for got, want := range map[string]string{
			r.Link("monitor"):              "http://api.test/v1/exports/status/7",
			r.Link("next"):                 "",
			r.Resolve("/v1/x?y=z"):         "http://api.test/v1/x?y=z",
			r.Resolve("//other.test/v1"):   "http://other.test/v1",
			r.Resolve("https://b.test/#f"): "https://b.test/#f",
			r.Resolve(""):                  "http://api.test/v1/exports/new?a=b",
			r.Resolve("http://a b/%zz"):    "",
		} {
			assert.Equal(t, got, want)
		}
	})
	t.Run("of none", func(t *testing.T) {
		t.Parallel()
		var r aplomb.Response
		assert.Equal(t, r.RetryAfter(), 0)
		assert.Equal(t, r.Link("next")+r.Resolve("/x"), "")
	})
}
