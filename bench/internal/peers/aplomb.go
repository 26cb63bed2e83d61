package peers

import (
	"context"
	"time"

	"github.com/aplomb-go/aplomb"
)

// newAplomb has no setting but the tenth of its defaults.
func newAplomb(s Setting) (Call, error) {
	opts := []aplomb.Option{aplomb.Transport(s.Transport)}
	if s.Tenth {
		opts = append(opts,
			aplomb.Retry{MinBackoff: 20 * time.Millisecond, ThrottleBackoff: 100 * time.Millisecond, MaxBackoff: 2 * time.Second},
			aplomb.Breaker{Window: time.Second, OpenFor: 50 * time.Millisecond, MaxOpenFor: 150 * time.Millisecond})
	}
	if s.PerSecond > 0 {
		opts = append(opts, aplomb.RateLimit{PerSecond: s.PerSecond, Burst: s.Burst})
	}
	c, err := aplomb.New(s.URL, opts...)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := aplomb.Get[[]byte](ctx, c, "/")
		return err
	}, nil
}
