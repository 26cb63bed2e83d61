package inbox

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestTurns: the quick and the slow by turns, each in the order they came; who gives
// up holds up nobody.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var writer turns
		var mu sync.Mutex // two give up at the same moment
		var order []string
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, s)
		}
		assert.NoError(t, writer.take(t.Context(), quick))
		for _, w := range []struct {
			as   speed
			name string
			wait time.Duration
		}{{slow, "s1", 0}, {slow, "s2", 0}, {slow, "s3", time.Second}, {quick, "q1", 0}, {quick, "q2", 0}, {quick, "q3", time.Second}, {slow, "s4", 0}, {quick, "q4", 0}} {
			go func() {
				ctx, cancel := context.WithCancel(t.Context())
				if w.wait > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), w.wait)
				}
				defer cancel()
				if err := writer.take(ctx, w.as); err != nil {
					note(fmt.Sprint(w.name, " ", err == context.DeadlineExceeded)) //nolint:errorlint // as it is
					return
				}
				note(w.name)
				writer.give()
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, len(order), 2)
		writer.give()
		synctest.Wait()
		assert.Equal(t, order[2:], []string{"s1", "q1", "s2", "q2", "s4", "q4"})
		assert.True(t, !writer.busy)
	})
}
