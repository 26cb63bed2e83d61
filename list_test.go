package aplomb_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// A cursor that names an address is held to the same origins as a next link.
func TestLaw04_ForeignResumeIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		foreign := script(body("[]"))
		n := aplombtest.NewNetwork(t)
		n.Serve("https://evil.test", foreign)
		c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), aplomb.Header("X-Api-Key", "key"))
		for _, by := range []aplomb.Pager{aplomb.ByLink{}, aplomb.ByURL{}} {
			_, err := collect(t, c, by, aplomb.Resume("https://evil.test/2"))
			assert.Contains(t, fmt.Sprint(err), "the next page is on https://evil.test")
		}
		assert.Equal(t, foreign.count(), 0)
	})
}

// Bodies that do not tell their length differ: their pages are not the same.
func TestFollowWithOpaqueBodies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		n := 0
		next := func(order, aplomb.Response) ([]aplomb.CallOption, error) {
			if n++; n == 4 {
				return nil, nil
			}
			text := strings.Repeat("x", n)
			return []aplomb.CallOption{aplomb.Body("text/plain", func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader(text))), nil
			})}, nil
		}
		for _, err := range aplomb.Follow(context.Background(), newClient(t, aplombtest.NewServer(t, h)), "POST", "/x", next) {
			assert.NoError(t, err)
		}
		assert.Equal(t, h.count(), 4)
	})
}

// One list may be ranged over by several goroutines, again after a break, and
// after a panic in the loop.
func TestListIsRangedOverAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, &shelf{n: 23, size: 10}))
		list := aplomb.Items[order](context.Background(), c, "/v1/orders", aplomb.ByLink{Items: "data.orders"}, aplomb.Prefetch())
		survives(func() {
			for range list {
				panic("in the loop")
			}
		})
		for range list {
			break
		}
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				n := 0
				for _, err := range list {
					assert.True(t, err == nil, err)
					n++
				}
				assert.Equal(t, n, 23)
			})
		}
		readers.Wait()
	})
}

// The next page's address has the last word over the parameters of the first.
func TestNextLinkKeepsItsQuery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(body(`[{"amount":1}]`, "Link", `</x?since=1>; rel="next"`), body(`[{"amount":2}]`))
		got, err := collect(t, newClient(t, aplombtest.NewServer(t, h)), aplomb.ByLink{}, aplomb.Query("since", "0"), aplomb.Query("tag", "a"))
		assert.NoError(t, err)
		assert.Equal(t, got, []int{1, 2})
		assert.Equal(t, h.request(1).URL.RawQuery, "since=1&tag=a")
	})
}

// A list resumed by page number ends at its total as well.
func TestResumedPagesEndAtTheTotal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shelves := &shelf{n: 6, size: 2}
		got, err := collect(t, newClient(t, aplombtest.NewServer(t, shelves)), aplomb.ByPage{Items: "data.orders", Total: "total"}, aplomb.Resume("2"))
		assert.NoError(t, err)
		assert.Equal(t, got, []int{3, 4, 5, 6})
		assert.Equal(t, shelves.served.Load(), 2)
	})
}

// A parameter of the context is for the call's request, not for where it is
// redirected to; and one with a semicolon counts as given.
func TestContextQueryStaysOffRedirects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(302, "Location", "/x?v=2"), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Query("filter", "default"))
		req, _ := http.NewRequestWithContext(aplomb.NewContext(context.Background(), aplomb.Query("v", "1")), "GET", "http://api.test/x?filter=a;b", nil)
		resp, err := c.Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, h.request(0).URL.RawQuery, "filter=a;b&v=1")
		assert.Equal(t, h.request(1).URL.RawQuery, "v=2")
	})
}
