package streams_test

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// few and many are how many items there are, each of about 1 KB.
const few, many = 10_000, 1_000_000

// TestMillionItems: the heap of one who streams a million items peaks no higher than
// that of one who streams ten thousand, but for 8 MB.
func TestMillionItems(t *testing.T) {
	item := `{"id":"` + strings.Repeat("x", 1000) + `"}`
	row := strings.Repeat("x", 1000) + ",b\n"
	for name, tt := range map[string]struct {
		as               aplomb.Format[json.RawMessage] // nil is CSV
		open, item, shut string
	}{
		"lines":  {aplomb.JSONLines[json.RawMessage]{}, "", item + "\n", ""},
		"array":  {aplomb.JSONArray[json.RawMessage]{Items: "data"}, `{"data":[1`, "," + item, `]}`},
		"events": {aplomb.JSONEvents[json.RawMessage]{}, "", "data: " + item + "\n\n", ""},
		"csv":    {nil, "", row, ""},
	} {
		t.Run(name, func(t *testing.T) {
			peak := func(n int) uint64 {
				h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, tt.open)
					block := []byte(strings.Repeat(tt.item, 100))
					for range n / 100 {
						_, _ = w.Write(block)
					}
					_, _ = io.WriteString(w, tt.shut)
				})
				c := client(t, h)
				if tt.as == nil {
					return peakOf(t, n, aplomb.Stream(t.Context(), c, http.MethodGet, "/", aplomb.CSV{}))
				}
				return peakOf(t, n, aplomb.Stream(t.Context(), c, http.MethodGet, "/", tt.as))
			}
			small, large := peak(few), peak(many)
			t.Logf("peak heap: %d KiB with %d items, %d KiB with %d", small>>10, few, large>>10, many)
			if large > small+8<<20 {
				t.Errorf("the heap grew by %d KiB", (large-small)>>10)
			}
		})
	}
}

// TestMillionPaged: the same of a list, page after page: a million within 2 MB of a
// hundred thousand.
func TestMillionPaged(t *testing.T) {
	const pageSize = 1000
	item := `{"id":"` + strings.Repeat("x", 1000) + `"}`
	page := strings.Repeat(item+",", pageSize-1) + item
	peak := func(n int) uint64 {
		c := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
			next := ""
			if at+pageSize < n {
				next = strconv.Itoa(at + pageSize)
			}
			fmt.Fprintf(w, `{"data":[%s],"next_cursor":%q}`, page, next)
		}))
		return peakOf(t, n, aplomb.Items[json.RawMessage](t.Context(), c, "/", aplomb.ByCursor{}))
	}
	small, large := peak(many/10), peak(many)
	t.Logf("peak heap: %d KiB with %d items, %d KiB with %d", small>>10, many/10, large>>10, many)
	if large > small+2<<20 {
		t.Errorf("the heap grew by %d KiB", (large-small)>>10)
	}
}

func client(t *testing.T, h http.Handler) *aplomb.Client {
	t.Helper()
	srv := aplombtest.NewServer(t, h)
	c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// peakOf is the most that was reachable at one of fifty moments.
func peakOf[T any](t *testing.T, n int, seq iter.Seq2[T, error]) (most uint64) {
	t.Helper()
	got := 0
	var m runtime.MemStats
	for _, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		if got++; got%(n/50) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if got < n {
		t.Fatalf("%d items of %d", got, n)
	}
	return most
}
