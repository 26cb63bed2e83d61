package aplomb_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestPaceComesBackAfterARandomStorm: refusals that come whatever the pace teach no
// rate. When they are over, the client is soon as fast as before.
func TestPaceComesBackAfterARandomStorm(t *testing.T) {
	for _, asked := range []string{"2", "0", ""} {
		t.Run("Retry-After "+asked, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
				c := newClient(t, srv)
				refusal := aplombtest.Status(429)
				if asked != "" {
					refusal = aplombtest.Status(429, "Retry-After", asked)
				}
				report := aplombtest.Outage{Workers: 4, Phases: []aplombtest.Phase{
					{Name: "before", For: 5 * time.Minute},
					{Name: "storm", For: 10 * time.Minute, Fault: aplombtest.Random(1, aplombtest.Odds{P: 0.8, Fault: refusal})},
					{Name: "first minute", For: time.Minute},
					{Name: "after", For: 4 * time.Minute},
				}}.Run(t, func(ctx context.Context) error {
					_, err := aplomb.Get[struct{}](ctx, c, "/")
					return err
				}, srv)
				t.Log(report)
				for _, p := range report.Phases {
					switch p.Name {
					case "before":
						assert.Equal(t, p.Failed, 0)
					case "first minute":
						assert.True(t, p.Requests >= 100, p.Requests) // of 240
					case "after":
						assert.True(t, p.Requests >= 900, p.Requests) // of 960
						assert.Equal(t, p.Failed, 0)
					}
				}
			})
		})
	}
}
