package aplomb_test

import (
	"context"
	"io"
	"net/http"
	"sync"
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
					case "after":
						assert.True(t, p.Requests >= 600, p.Requests) // of 960; it was 8 to 63
						assert.True(t, p.Failed <= p.Uses/5, p.Failed, p.Uses)
					}
				}
			})
		})
	}
}

// TestPaceOfSmallQuotas: what a storm asks for is not done to a quota that is small, or
// becomes so: once its pace is known, refusals are few.
func TestPaceOfSmallQuotas(t *testing.T) {
	drop := func(since time.Duration) float64 {
		if since > 5*time.Minute {
			return 1
		}
		return 20
	}
	for name, quota := range map[string]struct {
		size float64
		rate func(since time.Duration) float64 // per second
	}{
		"2 at 1 a second":            {2, func(time.Duration) float64 { return 1 }},
		"1 at 1 in 10 s":             {1, func(time.Duration) float64 { return 0.1 }},
		"20 a second to a twentieth": {20, drop},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				begun, last, left := time.Now(), time.Now(), quota.size
				granted, refused := 0, 0
				var mu sync.Mutex
				srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					mu.Lock()
					defer mu.Unlock()
					since := time.Since(begun)
					left = min(quota.size, left+time.Since(last).Seconds()*quota.rate(since))
					last = time.Now()
					late := since > 20*time.Minute
					if left < 1 {
						if late {
							refused++
						}
						w.Header().Set("Retry-After", "1")
						w.WriteHeader(http.StatusTooManyRequests)
						return
					}
					if left--; late {
						granted++
					}
					_, _ = io.WriteString(w, "{}")
				}))
				c := newClient(t, srv)
				for time.Since(begun) < 30*time.Minute {
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					_, _ = aplomb.Get[struct{}](ctx, c, "/")
					cancel()
					pause(50 * time.Millisecond)
				}
				assert.True(t, refused <= 25, "refused:", refused, "granted:", granted)
			})
		})
	}
}
