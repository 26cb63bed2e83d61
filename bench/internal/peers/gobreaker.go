package peers

import (
	"net/http"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/aplomb-go/aplomb/bench/internal/composed"
)

// newGobreaker is gobreaker by itself, which opens after more than five failures in a
// row, for a minute.
func newGobreaker(s Setting) (Call, error) {
	b := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{Timeout: s.wait(time.Minute)})
	return over(&http.Client{Transport: composed.Guard(b, s.Transport)}, s.URL), nil
}
