package aplomb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// An iterator that was told how much is wanted fetches no page beyond it.
func TestAtMost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &shelf{n: 35, size: 10}
		c := newClient(t, aplombtest.NewServer(t, h))
		for name, p := range pagers {
			for _, tt := range []struct{ atMost, items, pages int }{{1, 1, 1}, {10, 10, 1}, {11, 11, 2}, {35, 35, 4}, {99, 35, 4 + p.extra}} {
				for _, prefetch := range []bool{false, true} {
					opts := []aplomb.CallOption{aplomb.AtMost(tt.atMost)}
					if prefetch {
						opts = append(opts, aplomb.Prefetch())
					}
					before := h.served.Load()
					got, err := collect(t, c, p.by, opts...)
					assert.NoError(t, err)
					what := fmt.Sprintf("%s, at most %d, prefetch %v", name, tt.atMost, prefetch)
					assert.Equal(t, got, upTo(tt.items), what)
					assert.Equal(t, h.served.Load()-before, int64(tt.pages), what)
				}
			}
		}
	})
}

func TestAtMostRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(ok)))
		_, err := collect(t, c, aplomb.ByLink{}, aplomb.AtMost(0))
		assert.Contains(t, fmt.Sprint(err), "not a positive number")
		_, err = get(t, c, aplomb.AtMost(1))
		assert.Contains(t, fmt.Sprint(err), "AtMost are for Items")
		next := func(order, aplomb.Response) ([]aplomb.CallOption, error) { return nil, nil }
		for _, err := range aplomb.Follow(context.Background(), c, "GET", "/x", next, aplomb.AtMost(1)) {
			assert.Contains(t, fmt.Sprint(err), "leave the loop")
		}
	})
}

func TestCollect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, &shelf{n: 23, size: 10}))
		all, err := aplomb.Collect(aplomb.Items[order](context.Background(), c, "/v1/orders", aplomb.ByLink{Items: "data.orders"}))
		assert.NoError(t, err)
		assert.Equal(t, len(all), 23)
		broken := errors.New("broken")
		some, err := aplomb.Collect(func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(0, broken)
		})
		assert.ErrorIs(t, err, broken)
		assert.Equal(t, some, []int{1})
	})
}

// backwards is a list of n numbers, newest first, that is asked for what stands
// before one of them.
type backwards struct{ n, size int }

func (b backwards) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	before, err := strconv.Atoi(r.URL.Query().Get("ending_before"))
	if err != nil {
		before = 0 // all of them
	}
	var items []order // from before+size down to before+1
	for i := min(before+b.size, b.n); i > before; i-- {
		items = append(items, order{ID: strconv.Itoa(i), Amount: i})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": items, "has_more": before+b.size < b.n})
}

func TestByCursorBackwards(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, backwards{n: 25, size: 10}))
		by := aplomb.ByCursor{Param: "ending_before", First: "id", More: "has_more"}
		got, err := collect(t, c, by)
		assert.NoError(t, err)
		assert.Equal(t, got, upTo(25))
		got, err = collect(t, c, by, aplomb.Resume("12"), aplomb.AtMost(3))
		assert.NoError(t, err)
		assert.Equal(t, got, []int{13, 14, 15})

		by.Last = "id"
		_, err = collect(t, c, by)
		assert.Contains(t, fmt.Sprint(err), "in one direction")
		_, err = collect(t, c, aplomb.ByCursor{First: "name"})
		assert.Contains(t, fmt.Sprint(err), "the first item has no name")
	})
}

// ticket decodes itself, and notes how it was asked to.
type ticket struct{ raw string }

func (k *ticket) UnmarshalJSON(raw []byte) error {
	if string(raw) == `"torn"` {
		return errors.New("a torn ticket")
	}
	k.raw = string(raw)
	return nil
}

func TestItemsThatDecodeThemselves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(body(`{"items": [ {"a":[1]} , null,"x" ]}`), body(`{"items":["y"]}`), body(`["z"]`), body(`{"items":["x","torn"]}`))))
		list := func() ([]*ticket, error) {
			return aplomb.Collect(aplomb.Items[*ticket](context.Background(), c, "/x", aplomb.ByLink{}))
		}
		all, err := list()
		assert.NoError(t, err)
		assert.Equal(t, all, []*ticket{{`{"a":[1]}`}, nil, {`"x"`}}) // null is nil, as for encoding/json
		values, err := aplomb.Collect(aplomb.Items[ticket](context.Background(), c, "/x", aplomb.ByLink{}))
		assert.NoError(t, err)
		assert.Equal(t, values, []ticket{{`"y"`}})
		all, err = list()
		assert.NoError(t, err)
		assert.Equal(t, all, []*ticket{{`"z"`}})
		_, err = list()
		_, ok := errors.AsType[*aplomb.DecodeError](err)
		assert.True(t, ok, err)
		assert.Contains(t, err.Error(), "a torn ticket")
	})
}
