package aplomb_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// streamed is what a client gets of an answer.
func streamed[T any](t *testing.T, h http.Handler, as aplomb.Format[T], opts ...aplomb.CallOption) ([]T, error) {
	t.Helper()
	c := newClient(t, aplombtest.NewServer(t, h))
	return aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodGet, "/v1/export", as, opts...))
}

// plainly answers with a body as it is.
func plainly(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body)
	}
}

func TestStreamJSONArray(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for body, at := range map[string]string{
			`[1,2,3]`: "", " [1 ,\n2, 3 ] \n": "", `{"a":{"x":[0],"b":[1,2,3],"y":{"b":[9]}},"z":"}"}`: "a.b", `{"b":{"a":[9]},"a":[1,2,3],"has_more":false}`: "a",
		} {
			got, err := streamed(t, plainly("application/json", body), aplomb.JSONArray[int]{Items: at})
			assert.NoError(t, err, body)
			assert.Equal(t, got, []int{1, 2, 3})
		}
		for body, tt := range map[string]struct {
			at   string
			n    int
			says string
		}{
			`[1,2`:                     {"", 2, "the stream ended after 2 items and 4 bytes: unexpected EOF"},
			`[1,`:                      {"", 1, "unexpected EOF"},
			deep(`{"b":`, ``):          {"a", 0, "the document is nested more than 10000 deep"},
			deep(`{"a":[1],"b":`, `}`): {"a", 1, "the document is nested more than 10000 deep"},
			`[1,2]]`:                   {"", 2, "invalid character ']'"},
			`[1,2] {}`:                 {"", 2, "a JSON object follows on the document"},
			`{"a":[1,2]`:               {"a", 2, "unexpected EOF"},
			`{"a":[1,2],"b":`:          {"a", 2, "unexpected EOF"},
			`{"a":[1]}`:                {"", 0, "expected an array (Items names one within a document), found a JSON object"},
			`{"b":[1]}`:                {"a", 0, "the document has no a where Items says"},
			`{"b":[1]`:                 {"a", 0, "unexpected EOF"},
			`{"a":{"c":1}}`:            {"a.c", 0, "expected the array, found a JSON number"},
			`[1,{"secret":"x"]`:        {"", 1, "invalid character ']'"},
			`[1,"x"]`:                  {"", 1, "field (the whole) of the item is a JSON string, not a Go int"},
			``:                         {"", 0, "after 0 items and 0 bytes: unexpected EOF"},
		} {
			got, err := streamed(t, plainly("application/json", body), aplomb.JSONArray[int]{Items: tt.at})
			broken, ok := errors.AsType[*aplomb.StreamError](err)
			if assert.True(t, ok, body, err) {
				assert.Contains(t, fmt.Sprint(err), tt.says)
				assert.Contains(t, err.Error(), "test: GET /v1/export: the stream ended after")
				assert.Equal(t, len(got), tt.n, body)
				assert.Equal(t, broken.Items, int64(tt.n))
			}
		}
	})
}

// deep is a document of more brackets than anybody means.
func deep(before, after string) string {
	return before + strings.Repeat("[", 10_010) + strings.Repeat("]", 10_010) + after
}

func TestStreamJSONLines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		got, err := streamed(t, plainly("application/x-ndjson", "\ufeff{\"id\":\"1\"}\n\r\n\n{\"id\":\"2\"}\r\n  {\"id\":\"3\"}"), aplomb.JSONLines[order]{})
		assert.NoError(t, err)
		assert.Equal(t, len(got), 3)
		assert.Equal(t, got[2].ID, "3")
		raw, err := streamed(t, plainly("application/x-ndjson", "{\"id\": 1}\n[2]\n"), aplomb.JSONLines[json.RawMessage]{})
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("%s", raw), `[{"id": 1} [2]]`)
		many := strings.Repeat("[1]\n", 10_000) + strings.Repeat("[2]\n", 10_000) // more than is read at once
		raw, err = streamed(t, plainly("application/x-ndjson", many), aplomb.JSONLines[json.RawMessage]{})
		assert.NoError(t, err)
		text, err := streamed(t, plainly("application/x-ndjson", many), aplomb.JSONLines[[]byte]{})
		assert.NoError(t, err)
		assert.Equal(t, string(raw[0])+string(raw[19_999])+string(text[0])+string(text[19_999]), "[1][2][1][2]")
		raw, err = streamed(t, plainly("application/x-ndjson", "[1]\n[2"), aplomb.JSONLines[json.RawMessage]{})
		assert.Equal(t, len(raw), 1)
		assert.Contains(t, err.Error(), "unexpected end of JSON input")
		long := `{"id":"` + strings.Repeat("x", 100_000) + `"}`
		got, err = streamed(t, plainly("application/x-ndjson", long+"\n"+long+"\n"), aplomb.JSONLines[order]{})
		assert.NoError(t, err)
		assert.Equal(t, len(got), 2)
		got, err = streamed(t, plainly("application/x-ndjson", "{\"id\":\"1\"}\n{\"id\":"), aplomb.JSONLines[order]{})
		assert.Equal(t, len(got), 1)
		assert.Contains(t, err.Error(), "the stream ended after 1 items and 17 bytes: unexpected end of JSON input")
	})
}

func TestStreamCSV(t *testing.T) {
	bubble(t, func(t *testing.T) {
		body := plainly("text/csv", "\ufeffid,name\r\n1,\"a,\nb\"\r\n2,\"\"\"c\"\"\"\r\n")
		rows, err := streamed(t, body, aplomb.CSV{})
		assert.NoError(t, err)
		assert.Equal(t, rows, [][]string{{"id", "name"}, {"1", "a,\nb"}, {"2", `"c"`}})
		named, err := streamed(t, body, aplomb.CSVMaps{})
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprint(named), "[map[id:1 name:a,\nb] map[id:2 name:\"c\"]]")
		rows, err = streamed(t, plainly("text/csv", "a;b\n1;2;3\n"), aplomb.CSV{Comma: ';'})
		assert.Equal(t, len(rows), 1)
		assert.Contains(t, err.Error(), "wrong number of fields")
		_, err = streamed(t, plainly("text/csv", "id,amount,amount\n1,2,3\n"), aplomb.CSVMaps{})
		assert.Contains(t, err.Error(), "two columns are named alike (the second is number 3)")
		rows, err = streamed(t, plainly("text/csv", "id,amount,amount\n1,2,3"), aplomb.CSV{})
		assert.NoError(t, err)
		assert.Equal(t, len(rows), 2)
		named, err = streamed(t, plainly("text/csv", ""), aplomb.CSVMaps{})
		assert.NoError(t, err)
		assert.Equal(t, len(named), 0)
		rows, err = streamed(t, plainly("text/csv", "a \"b\" c\n"), aplomb.CSV{LazyQuotes: true})
		assert.NoError(t, err)
		assert.Equal(t, rows, [][]string{{`a "b" c`}})
		_, err = streamed(t, body, aplomb.CSV{Comma: '\n'})
		assert.Equal(t, err.Error(), `aplomb: CSV: Comma '\n' cannot separate fields`)
	})
}

// TestStreamBoundsItems: not the answer, but each item in it.
func TestStreamBoundsItems(t *testing.T) {
	bubble(t, func(t *testing.T) {
		small, large := `"`+strings.Repeat("a", 900)+`"`, `"`+strings.Repeat("a", 5000)+`"`
		many := strings.Repeat(small+"\n", 100)
		for _, tt := range []struct {
			as         aplomb.Format[string]
			fine, over string
		}{
			{aplomb.JSONLines[string]{}, many, many + large + "\n"},
			{aplomb.JSONArray[string]{}, "[" + strings.ReplaceAll(strings.TrimSpace(many), "\n", ",") + "]", "[" + strings.ReplaceAll(many, "\n", ",") + large + "]"},
			{aplomb.JSONArray[string]{Items: "a"}, `{"b":` + small + `,"a":[` + small + `]}`, `{"b":"` + strings.Repeat("a", 9000) + `","a":[]}`},
			{aplomb.JSONArray[string]{Items: "a"}, `{"b":[` + strings.Repeat("1,", 5000) + `1],"a":[` + strings.Repeat(small+", ", 9) + small + `]}`, `{"a":[` + small + `],"b":"` + strings.Repeat("a", 9000) + `"}`},
			{aplomb.JSONEvents[string]{}, "data: " + small + "\n\n", "data: " + small + "\n\ndata: " + small + "\ndata: " + small + "\n\n"},
			{aplomb.JSONEvents[string]{}, "data: " + small + "\n\n", "data: " + large + "\n\n"},
		} {
			kind := "application/json"
			if _, ok := tt.as.(aplomb.JSONEvents[string]); ok {
				kind = "text/event-stream"
			}
			_, err := streamed(t, plainly(kind, tt.fine), tt.as, aplomb.MaxBody(1000))
			assert.NoError(t, err)
			_, err = streamed(t, plainly(kind, tt.over), tt.as, aplomb.MaxBody(1000))
			assert.ErrorIs(t, err, aplomb.ErrTooLarge)
		}
		for as, body := range map[aplomb.Format[string]]string{ // what a decoder has at once
			aplomb.JSONArray[string]{}: "[\"" + strings.Repeat("x", 99) + "\"]",
			aplomb.JSONLines[string]{}: "\"" + strings.Repeat("x", 99) + "\"",
		} {
			_, err := streamed(t, plainly("application/json", body), as, aplomb.MaxBody(101))
			assert.NoError(t, err)
			_, err = streamed(t, plainly("application/json", body), as, aplomb.MaxBody(100))
			assert.ErrorIs(t, err, aplomb.ErrTooLarge)
		}
		row := plainly("text/csv", strings.Repeat("x", 100)+"\n")
		_, err := streamed(t, row, aplomb.CSV{}, aplomb.MaxBody(101))
		assert.NoError(t, err)
		_, err = streamed(t, plainly("text/csv", strings.Repeat("a,b\n", 5000)), aplomb.CSV{}, aplomb.MaxBody(100))
		assert.NoError(t, err)
		_, err = streamed(t, row, aplomb.CSV{}, aplomb.MaxBody(100))
		assert.ErrorIs(t, err, aplomb.ErrTooLarge)
		_, err = streamed(t, plainly("text/csv", strings.Repeat("a,b\n", 5000)+"a,\""+strings.Repeat("b\n", 20_000)), aplomb.CSV{}, aplomb.MaxBody(1000))
		assert.ErrorIs(t, err, aplomb.ErrTooLarge)
	})
}

// TestStreamOfAConnection: where an answer ends with its connection, the last line has
// to have an end, or it may be half of one. Others say where they end.
func TestStreamOfAConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for as, item := range map[aplomb.Format[[]string]]string{aplomb.JSONLines[[]string]{}: "[\"a\"]", aplomb.CSV{}: "a"} {
			body := item + "\n" + item
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			_, _ = io.WriteString(z, body)
			_ = z.Close()
			const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
			for answer, whole := range map[string]bool{
				head + "\r\n" + body + "\n":                               true,
				head + "\r\n" + body:                                      false,
				head + "Content-Encoding: gzip\r\n\r\n" + packed.String(): false, // another member may be missing
				head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body): true,
			} {
				got, err := streamed(t, aplombtest.NewScript(nil, aplombtest.Raw(answer)), as)
				assert.Equal(t, errors.Is(err, io.ErrUnexpectedEOF), !whole, answer)
				assert.Equal(t, len(got) == 2, whole, answer)
			}
			srv := aplombtest.NewTLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = http.NewResponseController(w).Flush() // so that it has no length
				_, _ = io.WriteString(w, body)
			}))
			got, err := aplomb.Collect(aplomb.Stream(t.Context(), newClient(t, srv), http.MethodGet, "/", as))
			assert.NoError(t, err)
			assert.Equal(t, len(got), 2)
		}
	})
}

// bomb is a small answer whose one item, begun by prefix, unpacks to 256 MiB. peak is
// the most that was reachable as it went off.
func bomb(prefix string, peak *atomic.Uint64) http.HandlerFunc {
	pack := func(raw []byte) []byte {
		var member bytes.Buffer
		z := gzip.NewWriter(&member)
		_, _ = z.Write(raw)
		_ = z.Close()
		return member.Bytes()
	}
	head, body := pack([]byte(prefix)), pack(bytes.Repeat([]byte("1"), 1<<20))
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write(head)
		for range 256 {
			if _, err := w.Write(body); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			peak.Store(max(peak.Load(), reachable()))
		}
	}
}

// reachable is how much of the heap is in use.
func reachable() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Law 7: a small answer that unpacks to something huge costs no more than its
// items may take.
func TestLaw07_Bombs(t *testing.T) { //nolint:paralleltest // it measures memory
	call := func(c *aplomb.Client) error {
		_, err := aplomb.Get[string](t.Context(), c, "/v1/export")
		return err
	}
	pages := func(c *aplomb.Client) error {
		_, err := aplomb.Collect(aplomb.Items[string](t.Context(), c, "/v1/export", aplomb.ByCursor{}))
		return err
	}
	stream := func(as aplomb.Format[[]string]) func(c *aplomb.Client) error {
		return func(c *aplomb.Client) error {
			_, err := aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodGet, "/v1/export", as))
			return err
		}
	}
	for name, tt := range map[string]struct {
		prefix string
		run    func(*aplomb.Client) error
	}{
		"call":   {`"`, call},
		"pages":  {`{"data":["`, pages},
		"lines":  {`["`, stream(aplomb.JSONLines[[]string]{})},
		"array":  {`[["`, stream(aplomb.JSONArray[[]string]{})},
		"passed": {`{"b":"`, stream(aplomb.JSONArray[[]string]{Items: "a"})},
		"csv":    {`"`, stream(aplomb.CSV{})},
		"events": {`data: `, stream(aplomb.JSONEvents[[]string]{})},
	} {
		t.Run(name, func(t *testing.T) {
			var peak atomic.Uint64
			before := reachable()
			err := tt.run(newClient(t, aplombtest.NewServer(t, bomb(tt.prefix, &peak))))
			assert.ErrorIs(t, err, aplomb.ErrTooLarge)
			most := peak.Load()
			t.Logf("%d MiB: %v", (most-before)>>20, err)
			assert.True(t, most > before && most-before < 40<<20, most)
		})
	}
}

// Law 13: an error once, then the end; leaving closes the connection.
func TestLaw13_Stream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		closed := make(chan time.Duration, 10)
		endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 0; r.Context().Err() == nil; i++ {
				fmt.Fprintf(w, "[\ndata: %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(time.Second):
				}
			}
			closed <- time.Since(start)
		})
		c := newClient(t, aplombtest.NewServer(t, endless))
		n := 0
		for ev, err := range aplomb.Stream(t.Context(), c, http.MethodGet, "/", aplomb.ServerEvents{}) {
			assert.NoError(t, err)
			assert.Equal(t, ev, aplomb.ServerEvent{Type: "message", Data: strconv.Itoa(n)})
			if n++; n == 3 {
				break
			}
		}
		assert.Equal(t, <-closed, 2*time.Second)

		for _, as := range []aplomb.Format[[]string]{aplomb.JSONLines[[]string]{}, aplomb.JSONArray[[]string]{}, aplomb.JSONEvents[[]string]{}, aplomb.CSV{}} {
			script := aplombtest.NewScript(plainly("text/event-stream", "[\n\"a,b\",\n\"c\"]\n"), aplombtest.TruncatedBody(9))
			errs := 0
			for _, err := range aplomb.Stream(t.Context(), newClient(t, aplombtest.NewServer(t, script)), http.MethodGet, "/", as) {
				if err != nil {
					errs++
				} else {
					assert.Equal(t, errs, 0, "an item after the error")
				}
			}
			assert.Equal(t, errs, 1)
		}
		for _, err := range aplomb.Stream[int](t.Context(), c, http.MethodGet, "/", nil) {
			assert.Contains(t, err.Error(), "no Format")
		}
	})
}

// TestStreamAnswers: an answer that is none is an error as of any call.
func TestStreamAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, err := streamed(t, aplombtest.NewScript(nil, aplombtest.Status(404)), aplomb.JSONLines[int]{})
		api, ok := errors.AsType[*aplomb.APIError](err)
		assert.True(t, ok && api.StatusCode == 404, err)
		_, err = streamed(t, plainly("text/html", "<h1>Sign in</h1>"), aplomb.JSONLines[int]{})
		_, ok = errors.AsType[*aplomb.DecodeError](err)
		assert.True(t, ok, err)
		assert.Contains(t, err.Error(), `expected application/x-ndjson, got text/html ("<h1>Sign in")`)
		_, err = streamed(t, plainly("application/json", "{}"), aplomb.JSONEvents[int]{ServerEvents: aplomb.ServerEvents{}})
		assert.Contains(t, err.Error(), "expected text/event-stream, got application/json")
		// A failure before the answer is retried as always.
		got, err := streamed(t, aplombtest.NewScript(plainly("application/x-ndjson", "1\n2\n"), aplombtest.Status(503), aplombtest.LostResponse()), aplomb.JSONLines[int]{})
		assert.NoError(t, err)
		assert.Equal(t, got, []int{1, 2})
		// Silence ends it, when it has lasted too long.
		start := time.Now()
		got, err = streamed(t, aplombtest.NewScript(plainly("application/x-ndjson", "1\n2\n"), aplombtest.StallBody(2, 0)), aplomb.JSONLines[int]{})
		assert.Equal(t, len(got), 1)
		assert.Equal(t, time.Since(start), 30*time.Second)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// eventAPI answers the n-th request with the n-th stream, each cut off where it ends
// in "!", and keeps what was asked.
func eventAPI(streams ...string) (http.Handler, *[]string) {
	var asked []string
	start := time.Now()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := len(asked)
		asked = append(asked, fmt.Sprintf("%v %s", time.Since(start).Round(time.Second), r.Header.Get("Last-Event-ID")))
		if n >= len(streams) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		body, cut := strings.CutSuffix(streams[n], "!")
		w.Header().Set("Content-Type", "text/event-stream")
		if cut {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		}
		_, _ = io.WriteString(w, body)
	}), &asked
}

func TestStreamEventsAreParsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, _ := eventAPI("\ufeff: comment\nevent: a\ndata: 1\rdata:2\ndata:  3\n\nevent: lost\n\ndata\n\nid: 7\r\ndata: x\r\n\r\nid: b\x00d\ndata: y\nfoo: bar\n\ndata: half")
		got, err := streamed(t, h, aplomb.ServerEvents{Once: true})
		assert.NoError(t, err)
		assert.Equal(t, got, []aplomb.ServerEvent{{Type: "a", Data: "1\n2\n 3"}, {Type: "message"}, {ID: "7", Type: "message", Data: "x"}, {ID: "7", Type: "message", Data: "y"}})
		h, _ = eventAPI("data: {\"id\":\"1\"}\n\ndata: {\"id\":\"2\"}\n\ndata: [DONE]\n\ndata: x\n\n")
		typed, err := streamed(t, h, aplomb.JSONEvents[order]{ServerEvents: aplomb.ServerEvents{Done: "[DONE]"}})
		assert.NoError(t, err)
		assert.Equal(t, len(typed), 2)
		h, _ = eventAPI("data: 1\n\ndata: x\n\n")
		numbers, err := streamed(t, h, aplomb.JSONEvents[int]{ServerEvents: aplomb.ServerEvents{}})
		assert.Equal(t, numbers, []int{1})
		assert.Contains(t, err.Error(), "the stream ended after 1 items and 18 bytes: ")
	})
}

// TestStreamEventsGoOn: from where they were, at the time that the server has said,
// and nothing comes twice.
func TestStreamEventsGoOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, asked := eventAPI("id: 1\ndata: a\n\nid: 2\ndata: b\n\ndata: b2\n\n!", "retry: 10000\nid: 2\ndata: b\n\nid: 3\ndata: c\n\nid: 3\ndata: c2\n\n", "!", "id: 4\ndata: d\n\n")
		got, err := streamed(t, h, aplomb.ServerEvents{LastEventID: "0"})
		assert.NoError(t, err)
		var data []string
		for _, ev := range got {
			data = append(data, ev.ID+ev.Data)
		}
		assert.Equal(t, data, []string{"1a", "2b", "2b2", "3c", "3c2", "4d"})
		assert.Equal(t, len(*asked), 5)
		for i, want := range []struct {
			id       string
			from, to int
		}{{"0", 0, 0}, {"2", 3, 4}, {"3", 13, 15}, {"3", 33, 38}, {"4", 43, 49}} {
			var at time.Duration
			var id string
			_, _ = fmt.Sscanf(strings.Replace((*asked)[i], "s ", " ", 1), "%d %s", &at, &id)
			assert.Equal(t, id, want.id)
			assert.True(t, int(at) >= want.from && int(at) <= want.to, i, *asked)
		}
	})
}

// TestStreamEventsGiveUp: after five connections without an event, at an error that
// is the server's own, and at once where there are no ids.
func TestStreamEventsGiveUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, asked := eventAPI("id: 1\ndata: a\n\n!", "!", "!", "!", "!", "!", "!")
		got, err := streamed(t, h, aplomb.ServerEvents{})
		assert.Equal(t, len(got), 1)
		assert.Contains(t, err.Error(), "the stream ended after 1 items and 15 bytes: 5 connections in a row brought nothing, the last: ")
		assert.Equal(t, len(*asked), 6)

		// One that never began is the call's own to retry.
		sent := 0
		_, err = streamed(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			sent++
			w.WriteHeader(http.StatusServiceUnavailable)
		}), aplomb.ServerEvents{LastEventID: "7"})
		api, ok := errors.AsType[*aplomb.APIError](err)
		assert.True(t, ok && api.StatusCode == 503, err)
		assert.Equal(t, sent, 4)

		first, asked := eventAPI("id: 1\ndata: a\n\n!")
		script := aplombtest.NewScript(first, aplombtest.Pass(), aplombtest.Status(410))
		_, err = streamed(t, script, aplomb.ServerEvents{})
		api, ok = errors.AsType[*aplomb.APIError](err)
		assert.True(t, ok && api.StatusCode == 410, err)
		assert.Equal(t, len(*asked), 1)

		// What passes is gone on from.
		first, asked = eventAPI("id: 1\ndata: a\n\n!", "id: 2\ndata: b\n\n!")
		script = aplombtest.NewScript(first, aplombtest.Pass(), aplombtest.Status(503), aplombtest.Status(408), aplombtest.Status(429), aplombtest.Reset(), aplombtest.Pass())
		got, err = streamed(t, script, aplomb.ServerEvents{}, aplomb.NoRetry())
		assert.NoError(t, err)
		assert.Equal(t, len(got), 2)
		assert.Equal(t, len(*asked), 3)

		for _, once := range []bool{true, false} {
			body := "data: a\n\n!"
			if once {
				body = "id: 1\n" + body
			}
			h, asked = eventAPI(body)
			_, err = streamed(t, h, aplomb.ServerEvents{Once: once})
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Equal(t, len(*asked), 1)
		}
		h, _ = eventAPI("id: 1\ndata: a\n\n!")
		c := newClient(t, aplombtest.NewServer(t, h))
		_, err = aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodPost, "/", aplomb.ServerEvents{}))
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		h, asked = eventAPI("id: 1\ndata: a\n\n!")
		c = newClient(t, aplombtest.NewServer(t, h))
		_, err = aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodPost, "/", aplomb.ServerEvents{}, aplomb.Safe()))
		assert.NoError(t, err)
		assert.Equal(t, len(*asked), 2)

		// What the server says of the pause is bounded.
		for retry, want := range map[string][2]time.Duration{"1": {time.Second, 1100 * time.Millisecond}, "3600000": {time.Minute, 66 * time.Second}} {
			h, _ = eventAPI("retry: " + retry + "\nid: 1\ndata: a\n\n!")
			start := time.Now()
			_, err = streamed(t, h, aplomb.ServerEvents{})
			assert.NoError(t, err)
			took := time.Since(start)
			assert.True(t, took >= want[0] && took <= want[1], retry, took)
		}

		// Law 3: a wait that would end too late is not begun.
		h, _ = eventAPI("id: 1\nretry: 20000\ndata: a\n\n!")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		c = newClient(t, aplombtest.NewServer(t, h))
		_, err = aplomb.Collect(aplomb.Stream(ctx, c, http.MethodGet, "/", aplomb.ServerEvents{}))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), 0)
		// And one that has begun ends with its context.
		h, _ = eventAPI("id: 1\nretry: 20000\ndata: a\n\n!")
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		c = newClient(t, aplombtest.NewServer(t, h))
		_, err = aplomb.Collect(aplomb.Stream(ctx, c, http.MethodGet, "/", aplomb.ServerEvents{}))
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, time.Since(start), time.Second)
		synctest.Wait()
	})
}

// TestStreamGoesOn: where the server allows it, with the same bytes and no others.
func TestStreamGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var lines strings.Builder
		for i := range 2000 {
			fmt.Fprintf(&lines, "%d\n", i)
		}
		etag, asked := `"v1"`, []string{}
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
			if etag != "" {
				w.Header().Set("ETag", etag)
			}
			w.Header().Set("Content-Type", "application/x-ndjson")
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(lines.String()))
		})
		read := func(h http.Handler) ([]int, error) {
			asked = nil
			return streamed(t, h, aplomb.JSONLines[int]{}, aplomb.Header("Accept-Encoding", "identity"))
		}
		got, err := read(aplombtest.NewScript(h, aplombtest.TruncatedBody(1000), aplombtest.ResetBody(500), aplombtest.Status(503), aplombtest.Pass()))
		assert.NoError(t, err)
		assert.Equal(t, len(got), 2000)
		for i, n := range got {
			assert.Equal(t, n, i)
		}
		assert.Equal(t, asked, []string{" ", `bytes=1000- "v1"`, `bytes=1500- "v1"`})

		// Another document is no rest of this one.
		got, err = read(aplombtest.NewScript(h, aplombtest.TruncatedBody(1000), aplombtest.Answer(func(w http.ResponseWriter, r *http.Request) {
			etag = `"v2"`
			h(w, r)
		})))
		assert.Contains(t, err.Error(), "cannot be gone on with: it is another document by now")
		assert.True(t, len(got) > 100 && len(got) < 2000, len(got))
		// A weak validator, or none, allows nothing.
		for _, etag = range []string{`W/"v1"`, ""} {
			_, err = read(aplombtest.NewScript(h, aplombtest.TruncatedBody(1000)))
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Equal(t, len(asked), 1)
		}
		// It gives up.
		sent := 0
		refused := aplombtest.NewScript(h, aplombtest.TruncatedBody(1000)).Always(aplombtest.Status(503))
		_, err = read(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sent++; etag = `"v1"`; refused.ServeHTTP(w, r) }))
		api, ok := errors.AsType[*aplomb.APIError](err)
		assert.True(t, ok && api.StatusCode == 503, err)
		assert.Equal(t, sent, 6)
		etag = `"v1"`
		_, err = read(aplombtest.NewScript(h, aplombtest.TruncatedBody(1000)).Always(aplombtest.TruncatedBody(0)))
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, len(asked), 6)
	})
}

// brittle is an answer's body that breaks with an error of some transport's.
type brittle struct {
	io.Reader
	err error
}

func (b *brittle) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func (b *brittle) Close() error { return nil }

// outspoken is a type whose decoder says too much.
type outspoken struct{}

func (*outspoken) UnmarshalJSON(raw []byte) error { return fmt.Errorf("cannot take %s", raw) }

// TestStreamErrorLine: it says whose answer it was and what to do, and shows nothing of
// the items or the credential.
func TestStreamErrorLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const token = "pl4nt-secret-token"
		c := newClientAt(t, "http://api.test", aplomb.Name("test"), aplomb.Bearer(aplomb.Static(token)), aplomb.Transport(aplomb.RoundTripFunc(
			func(r *http.Request) (*http.Response, error) {
				h := http.Header{"X-Request-Id": {"req_1"}}
				body := &brittle{strings.NewReader("\"pl4nt-item\"\n"), errors.New("lost " + r.Header.Get("Authorization"))}
				return &http.Response{StatusCode: 200, Header: h, Body: body, ContentLength: -1, ProtoMajor: 2, Request: r}, nil
			})))
		_, err := aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodGet, "/v1/export", aplomb.JSONLines[string]{}))
		assert.Equal(t, err.Error(), "test: GET /v1/export: the stream ended after 1 items and 13 bytes: lost [redacted] (request req_1)")
		_, err = aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodGet, "/v1/export", aplomb.JSONLines[outspoken]{}))
		assert.Equal(t, err.Error(), "test: GET /v1/export: the stream ended after 0 items and 13 bytes: the item is refused by its decoder (*errors.errorString, which Unwrap gives) (request req_1)")
		assert.Contains(t, errors.Unwrap(err).Error(), "pl4nt-item")
		_, err = streamed(t, plainly("", `"0123456789"`), aplomb.JSONLines[string]{}, aplomb.MaxBody(5))
		assert.Equal(t, err.Error(), "test: GET /v1/export: the stream ended after 0 items and 12 bytes: status 200, the body is larger than MaxBody's 5 bytes. Hint: raise MaxBody, which bounds one item")
	})
}

// TestStreamOptions: they are those of when the stream was made, each time.
func TestStreamOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Query().Get("n")) })
		opts := []aplomb.CallOption{aplomb.Query("n", "1")}
		seq := aplomb.Stream(t.Context(), newClient(t, aplombtest.NewServer(t, h)), http.MethodGet, "/", aplomb.JSONLines[int]{}, opts...)
		opts[0] = aplomb.Query("n", "2")
		for range 2 {
			got, err := aplomb.Collect(seq)
			assert.NoError(t, err)
			assert.Equal(t, got, []int{1})
		}
		for _, as := range []aplomb.Format[[]string]{aplomb.JSONLines[[]string]{}, aplomb.JSONArray[[]string]{Items: "a"}, aplomb.CSV{}} {
			got, err := streamed(t, status(204), as)
			assert.NoError(t, err)
			assert.Equal(t, len(got), 0)
		}
	})
}

// ranged answers the first request with all of body, cut after n bytes, and those after
// it with rest.
func ranged(body string, n int, rest http.HandlerFunc) http.Handler {
	first := true
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !first {
			rest(w, r)
			return
		}
		first = false
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body[:n])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// TestStreamGoesOnWithWhatItAskedFor: a part that is too short is gone on from, and one of
// something else is no rest.
func TestStreamGoesOnWithWhatItAskedFor(t *testing.T) {
	const lines = "1\n2\n3\n4\n5\n6\n"
	part := func(from, to int, total string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			from, to := from, to
			if asked := r.Header.Get("Range"); from < 0 { // what was asked for, two bytes of it
				_, _ = fmt.Sscanf(asked, "bytes=%d-", &from)
				to = from + 2
			}
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", from, to-1, total))
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, lines[from:min(to, len(lines))])
		}
	}
	for name, tt := range map[string]struct {
		rest http.HandlerFunc
		n    int
		says string
	}{
		"all of it":                {part(4, 12, "12"), 6, ""},
		"two bytes at a time":      {part(-1, 0, "12"), 6, ""},
		"without its length":       {part(4, 12, "*"), 6, ""},
		"another document":         {part(4, 12, "12", "ETag", `"v2"`), 2, "it is another document by now"},
		"of another length":        {part(4, 12, "13"), 2, "it is another document by now"},
		"packed":                   {part(4, 12, "12", "Content-Encoding", "br"), 2, "the server packs it now"},
		"from elsewhere":           {part(2, 12, "12"), 2, "the server sent another part than it was asked for"},
		"without saying of what":   {part(4, 12, "12", "Content-Range", "all"), 2, "the server sent another part than it was asked for"},
		"a whole one":              {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, lines) }, 2, "it is another document by now"},
		"which is there no longer": {status(410), 2, "410"},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			start := time.Now()
			got, err := streamed(t, ranged(lines, 4, tt.rest), aplomb.JSONLines[int]{}, aplomb.Header("Accept-Encoding", "identity"), aplomb.Expect(200))
			assert.Equal(t, len(got), tt.n)
			if tt.says == "" {
				assert.NoError(t, err)
				assert.True(t, time.Since(start) <= time.Second, time.Since(start)) // one break, and no pause for a short part
				return
			}
			broken, ok := errors.AsType[*aplomb.StreamError](err)
			assert.True(t, ok && broken.Items == 2, err)
			assert.Contains(t, fmt.Sprint(err), tt.says)
		})
	}
	bubbleCase(t, "which is nothing, where all has come", func(t *testing.T) {
		n := 0
		got, err := streamed(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n++
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Accept-Ranges", "bytes")
			_ = http.NewResponseController(w).Flush() // so that it has no length
			_, _ = io.WriteString(w, lines)
		}), aplomb.JSONLines[int]{}, aplomb.Header("Accept-Encoding", "identity"))
		assert.NoError(t, err)
		assert.Equal(t, len(got), 6)
		assert.Equal(t, n, 1)
	})
	bubbleCase(t, "that ends with its connection", func(t *testing.T) {
		const cut = "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nETag: \"v1\"\r\nContent-Range: bytes 4-11/12\r\n\r\n3\n4"
		script := aplombtest.NewScript(ranged(lines, 4, part(7, 12, "12")), aplombtest.Pass(), aplombtest.Raw(cut), aplombtest.Pass())
		got, err := streamed(t, script, aplomb.JSONLines[int]{}, aplomb.Header("Accept-Encoding", "identity"))
		assert.NoError(t, err)
		assert.Equal(t, got, []int{1, 2, 3, 4, 5, 6})
	})
}

// TestLaw03_StreamTimeout: a Timeout is for all of a stream, however often it goes on.
func TestLaw03_StreamTimeout(t *testing.T) {
	bubbleCase(t, "by ranges", func(t *testing.T) {
		n := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Accept-Ranges", "bytes")
			if n > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-199/200", 2*n))
				w.WriteHeader(http.StatusPartialContent)
			} else {
				w.Header().Set("Content-Length", "200")
			}
			n++
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, "1\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		start := time.Now()
		_, err := streamed(t, h, aplomb.JSONLines[int]{}, aplomb.Timeout(10*time.Second), aplomb.Header("Accept-Encoding", "identity"))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, time.Since(start) <= 10*time.Second, time.Since(start))
	})
	bubbleCase(t, "by events", func(t *testing.T) {
		n := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n++
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "retry: 1000\nid: %d\ndata: x\n\n", n)
		})
		start := time.Now()
		got, err := streamed(t, h, aplomb.ServerEvents{}, aplomb.Timeout(10*time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, time.Since(start) <= 10*time.Second && len(got) > 5, time.Since(start), len(got))
	})
}

// TestStreamEventsAreNotLost: an id that comes again is the same event only with the same
// data, and only before anything new.
func TestStreamEventsAreNotLost(t *testing.T) {
	for name, tt := range map[string]struct {
		streams []string
		want    string
	}{
		"one id for a batch":       {[]string{"id: 1\ndata: a\n\n!", "id: 1\ndata: a\n\nid: 1\ndata: b\n\n"}, "a b"},
		"a count per connection":   {[]string{"id: 1\ndata: mon\n\nid: 2\ndata: tue\n\n!", "id: 1\ndata: wed\n\nid: 2\ndata: thu\n\n"}, "mon tue wed thu"},
		"the same said twice":      {[]string{"id: 1\ndata: a\n\n!", "id: 2\ndata: b\n\nid: 1\ndata: a\n\n"}, "a b a"},
		"the last ones once more":  {[]string{"id: 1\ndata: a\n\nid: 2\ndata: b\n\n!", "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n"}, "a b c"},
		"another type":             {[]string{"id: 1\ndata: a\n\n!", "id: 1\nevent: x\ndata: a\n\n"}, "a a"},
		"without an id of its own": {[]string{"id: 1\ndata: a\n\ndata: b\n\n!", "data: b\n\n"}, "a b b"},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h, _ := eventAPI(tt.streams...)
			got, err := streamed(t, h, aplomb.ServerEvents{})
			assert.NoError(t, err)
			var data []string
			for _, e := range got {
				data = append(data, e.Data)
			}
			assert.Equal(t, strings.Join(data, " "), tt.want)
		})
	}
	bubbleCase(t, "cut with its connection", func(t *testing.T) {
		for rest, whole := range map[string]bool{"": true, ": c\n": true, "data: tw": false, "data: two\n": false, "id: 7": false} {
			raw := aplombtest.Raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: one\n\n" + rest)
			got, err := streamed(t, aplombtest.NewScript(nil, raw), aplomb.ServerEvents{})
			assert.Equal(t, len(got), 1)
			assert.Equal(t, err == nil, whole, rest)
		}
	})
	bubbleCase(t, "while a quota is closed", func(t *testing.T) {
		first, asked := eventAPI("id: 1\ndata: a\n\n!", "id: 2\ndata: b\n\n")
		soon := aplombtest.Answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		start := time.Now()
		got, err := streamed(t, aplombtest.NewScript(first, aplombtest.Pass(), soon, aplombtest.Pass()), aplomb.ServerEvents{})
		assert.NoError(t, err)
		assert.Equal(t, len(got), 2)
		assert.True(t, time.Since(start) > 22*time.Second && time.Since(start) < 40*time.Second, time.Since(start))
		assert.Equal(t, len(*asked), 3)

		first, _ = eventAPI("id: 1\ndata: a\n\n!")
		late := aplombtest.Answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		start = time.Now()
		script := aplombtest.NewScript(first, aplombtest.Pass(), late)
		_, err = streamed(t, script, aplomb.ServerEvents{})
		assert.Contains(t, err.Error(), "the server's rate limit allows the next request in 59m")
		assert.True(t, time.Since(start) < time.Minute, time.Since(start))
	})
}
