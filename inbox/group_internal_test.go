package inbox

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// recorder is a group whose batches take a second.
func recorder(fail func(jobs []string) error) (*group[string, string], *[][]string) {
	var batches [][]string
	return &group[string, string]{
		size: func(job string) int { return len(job) },
		do: func(ctx context.Context, jobs []string) ([]string, error) {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			batches = append(batches, jobs)
			if err := fail(jobs); err != nil {
				return nil, err
			}
			return jobs, nil
		},
	}, &batches
}

func never([]string) error { return nil }

// TestGroup: the first job goes on at once, alone, and what comes meanwhile goes
// together.
func TestGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, batches := recorder(never)
		began := time.Now()
		for i := range 300 {
			go func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				job := strconv.Itoa(i)
				got, err := g.add(t.Context(), job)
				assert.NoError(t, err)
				assert.Equal(t, got, job)
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		var sizes []int
		for _, b := range *batches {
			sizes = append(sizes, len(b))
		}
		assert.Equal(t, sizes, []int{1, mostInBatch, 299 - mostInBatch})
		assert.Equal(t, (*batches)[1][0], "1")
		assert.True(t, time.Since(began) == time.Minute)
	})
}

func TestGroupByWeight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, batches := recorder(never)
		big := string(make([]byte, mostWeight-5))
		for _, job := range []string{"first", "0123", big, "456789", string(make([]byte, mostWeight+1)), "last"} {
			go func() { _, _ = g.add(t.Context(), job) }()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		var sizes [][]int
		for _, b := range *batches {
			var of []int
			for _, job := range b {
				of = append(of, len(job))
			}
			sizes = append(sizes, of)
		}
		assert.Equal(t, sizes, [][]int{{5}, {4, mostWeight - 5}, {6}, {mostWeight + 1}, {4}})
	})
}

// TestGroupFailure: a job that cannot be done takes no other with it.
func TestGroupFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		g, batches := recorder(func(jobs []string) error {
			if slices.Contains(jobs, "bad") {
				return broken
			}
			return nil
		})
		go func() { _, _ = g.add(t.Context(), "first") }()
		synctest.Wait()
		results := make([]error, 3)
		for i, job := range []string{"good", "bad", "fine"} {
			go func() { _, results[i] = g.add(t.Context(), job) }()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, results, []error{nil, broken, nil})
		assert.Equal(t, *batches, [][]string{{"first"}, {"good", "bad", "fine"}, {"good"}, {"bad"}, {"fine"}})
	})
}

// TestGroupGivesUp: who has no time left gets an error at once, and is not in the
// next batch; a database that hangs ends with the batch's own time.
func TestGroupGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, batches := recorder(never)
		g.do = func(ctx context.Context, jobs []string) ([]string, error) {
			*batches = append(*batches, jobs)
			if jobs[0] == "hangs" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return jobs, nil
		}
		short, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		began := time.Now()
		for _, job := range []string{"hangs", "too late"} {
			go func() {
				_, err := g.add(short, job)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Since(began), 2500*time.Millisecond)
			}()
			synctest.Wait()
		}
		_, err := g.add(t.Context(), "patient")
		assert.NoError(t, err)
		assert.Equal(t, time.Since(began), batchTimeout)
		assert.Equal(t, *batches, [][]string{{"hangs"}, {"patient"}})
	})
}

func TestGroupIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, _ := recorder(never)
		for range mostQueued + 1 { // one of them is at work
			go func() { _, _ = g.add(t.Context(), "") }()
			synctest.Wait()
		}
		_, err := g.add(t.Context(), "")
		assert.ErrorIs(t, err, ErrFull)
		time.Sleep(time.Hour)
		_, err = g.add(t.Context(), "")
		assert.NoError(t, err)
	})
}
