package stripe_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// TestHostileLaw13_HasMore: what is no boolean ends the list in silence.
func TestHostileLaw13_HasMore(t *testing.T) {
	t.Parallel()
	for _, more := range []string{`"true"`, `1`, `null`, `{}`} {
		sc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := `{"has_more":` + more + `,"data":[{"id":"cus_1"}]}`
			if r.URL.Query().Get("starting_after") != "" {
				body = `{"has_more":false,"data":[{"id":"cus_2"}]}`
			}
			answer(200, "application/json", body).ServeHTTP(w, r)
		}))
		all, err := aplomb.Collect(sc.Customers.List(t.Context(), stripe.CustomerListParams{}))
		if err == nil && len(all) != 2 {
			t.Errorf("has_more %s: %d item, no error", more, len(all))
		}
	}
}

// TestHostileBOM: a single object may begin with one, a page may not.
func TestHostileBOM(t *testing.T) {
	t.Parallel()
	sc := serve(t, answer(200, "application/json", "\xef\xbb\xbf"+`{"id":"cus_0","has_more":false,"data":[{"id":"cus_1"}]}`))
	_, err := sc.Customers.Retrieve(t.Context(), "cus_0")
	assert.NoError(t, err)
	all, err := aplomb.Collect(sc.Customers.List(t.Context(), stripe.CustomerListParams{}))
	assert.True(t, err == nil && len(all) == 1, fmt.Sprint(err))
}

// TestHostileTypes: no T of the caller's panics, whatever comes.
func TestHostileTypes(t *testing.T) {
	t.Parallel()
	type byPointer struct{ *stripe.Customer }
	type byValue struct {
		stripe.Customer
		Mine string `json:"mine"`
	}
	bodies := []string{`{"id":"cus_1","mine":"x","has_more":false,"data":[{"id":"cus_1","mine":"x"}]}`, `{"has_more":false,"data":[1,"a",null,[],{}]}`, `null`, `[]`, `5`, `"x"`, `{}`, ``, ` `, `{"has_more":false,"data":null}`}
	for _, body := range bodies {
		sc := serve(t, answer(200, "application/json", body), aplomb.NoRateLimit())
		try(t, sc, "any", func() { all[any](t, sc) })
		try(t, sc, "map", func() { all[map[string]any](t, sc) })
		try(t, sc, "slice", func() { all[[]int](t, sc) })
		try(t, sc, "int", func() { all[int](t, sc) })
		try(t, sc, "pointer", func() { all[*stripe.Customer](t, sc) })
		try(t, sc, "pointer to pointer", func() { all[**stripe.Customer](t, sc) })
		try(t, sc, "interface", func() { all[json.Unmarshaler](t, sc) })
		try(t, sc, "error", func() { all[error](t, sc) })
		try(t, sc, "channel", func() { all[chan int](t, sc) })
		try(t, sc, "raw", func() { all[json.RawMessage](t, sc) })
		try(t, sc, "Raw", func() { all[stripe.Raw](t, sc) })
		try(t, sc, "bytes", func() { all[[]byte](t, sc) })
		try(t, sc, "expandable", func() { all[stripe.Expandable[stripe.Customer]](t, sc) })
		try(t, sc, "embedded value", func() { all[byValue](t, sc) })
		try(t, sc, "embedded pointer", func() { all[byPointer](t, sc) })
	}
}

func all[T any](t *testing.T, sc *stripe.Client) {
	_, _ = stripe.Get[T](t.Context(), sc, "/v1/x", nil)
	_, _ = stripe.Post[T](t.Context(), sc, "/v1/x", nil)
	_, _ = aplomb.Collect(stripe.List[T](t.Context(), sc, "/v1/x", nil))
	_, _ = aplomb.Collect(stripe.List[T](t.Context(), sc, "/v1/x", map[string]any{"ending_before": "a"}, aplomb.Prefetch()))
}

func try(t *testing.T, _ *stripe.Client, name string, f func()) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: panic: %v", name, p)
		}
	}()
	f()
}

// TestHostileListsProbe compares every way to walk a list with what it must give.
func TestHostileListsProbe(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	sc := serve(t, fake, aplomb.NoRateLimit())
	var ids []string
	for range 13 {
		c, err := sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{})
		assert.NoError(t, err)
		ids = append([]string{c.ID}, ids...) // newest first
	}
	for _, limit := range []int{1, 3, 4, 13} {
		for _, most := range []int{0, 1, 3, 5, 100} {
			for at := -1; at < len(ids); at += 3 {
				for _, way := range []string{"after", "before", "resume", "resume before"} {
					for _, ahead := range []bool{false, true} {
						p := stripe.CustomerListParams{Limit: limit}
						var opts []aplomb.CallOption
						if most > 0 {
							opts = append(opts, aplomb.AtMost(most))
						}
						if ahead {
							opts = append(opts, aplomb.Prefetch())
						}
						want := slices.Clone(ids[at+1:])
						if at >= 0 {
							switch way {
							case "after":
								p.StartingAfter = ids[at]
							case "before", "resume before":
								p.EndingBefore = ids[at]
								if way == "resume before" {
									p.EndingBefore = ids[len(ids)-1]
									opts = append(opts, aplomb.Resume(ids[at]))
								}
								want = slices.Clone(ids[:at])
								slices.Reverse(want)
							case "resume":
								opts = append(opts, aplomb.Resume(ids[at]))
							}
						}
						if most > 0 {
							want = want[:min(most, len(want))]
						}
						got, err := aplomb.Collect(sc.Customers.List(t.Context(), p, opts...))
						var names []string
						for _, c := range got {
							names = append(names, c.ID)
						}
						if err != nil || !slices.Equal(names, want) {
							t.Fatalf("limit %d most %d at %d %s ahead %v: %v %v want %v", limit, most, at, way, ahead, names, err, want)
						}
					}
				}
			}
		}
	}
}
