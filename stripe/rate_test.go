package stripe_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// TestRateOfTheMode: 100 a second in live mode, 25 in a sandbox, unless told
// otherwise; a second's worth may go at once.
func TestRateOfTheMode(t *testing.T) {
	t.Parallel()
	asked := 0
	vault := func(ctx context.Context) (string, error) {
		if ctx.Err() != nil {
			return "", errors.New("asked in vain")
		}
		asked++
		return "sk_test_" + "51NotARealKey", nil
	}
	for name, tt := range map[string]struct {
		key  aplomb.SecretSource
		opts []aplomb.Option
		want time.Duration // for 125 requests
	}{
		"live":            {aplomb.Static("sk_" + "live_51NotARealKey"), nil, 250 * time.Millisecond},
		"restricted live": {aplomb.Static("rk_" + "live_51NotARealKey"), nil, 250 * time.Millisecond},
		"sandbox":         {aplomb.Static(testKey), nil, 4 * time.Second},
		"of a vault":      {aplomb.SecretFunc(vault), nil, 250 * time.Millisecond},
		"told":            {aplomb.Static(testKey), []aplomb.Option{aplomb.RateLimit{PerSecond: 50, Burst: 1}}, 124 * 20 * time.Millisecond},
		"none":            {aplomb.Static(testKey), []aplomb.Option{aplomb.NoRateLimit()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := aplombtest.NewServer(t, answer(200, "application/json", `{"id":"cus_1"}`))
				sc, err := stripe.NewAt(srv.URL, tt.key, append(tt.opts, aplomb.Transport(srv.Transport()))...)
				assert.NoError(t, err)
				t.Cleanup(sc.API().CloseIdleConnections)
				start := time.Now()
				for range 125 {
					_, err := sc.Customers.Retrieve(t.Context(), "cus_1")
					assert.NoError(t, err)
				}
				assert.Equal(t, time.Since(start), tt.want)
			})
		})
	}
}
