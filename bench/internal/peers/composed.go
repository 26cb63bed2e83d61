package peers

import (
	"context"
	"time"

	"github.com/aplomb-go/aplomb/bench/internal/composed"
)

// newComposed is the stack that one makes by hand of the packages that everybody
// names, with a breaker that is open for so long.
func newComposed(openFor time.Duration) func(s Setting) (Call, error) {
	return func(s Setting) (Call, error) {
		ask := repeating(composed.New(s.Transport, composed.Settings{
			Token: "none", PerSecond: s.PerSecond, Burst: s.Burst, OpenFor: openFor, Tenth: s.Tenth,
		}), s.URL)
		total := s.wait(composed.Total)
		return func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, total)
			defer cancel()
			return ask(ctx)
		}, nil
	}
}
