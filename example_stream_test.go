package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"

	"github.com/aplomb-go/aplomb"
)

// An export of three rows, of which the connection brings two and a half.
func ExampleStream() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		const rows = "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n"
		w.Header().Set("Content-Length", strconv.Itoa(len(rows)))
		_, _ = io.WriteString(w, rows[:22])
	}))
	defer srv.Close()
	c, err := aplomb.New(srv.URL, aplomb.Name("exports"))
	if err != nil {
		fmt.Println(err)
		return
	}
	type Row struct {
		ID int `json:"id"`
	}
	for row, err := range aplomb.Stream(context.Background(), c, http.MethodGet, "/v1/export", aplomb.JSONLines[Row]{}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(row.ID)
	}
	// Output:
	// 1
	// 2
	// exports: GET /v1/export: the stream ended after 2 items and 22 bytes: unexpected EOF
}

// A server that says how far a job is.
func ExampleServerEvents() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: progress\ndata: 40 %\n\nevent: progress\ndata: 100 %\n\ndata: [DONE]\n\n")
	}))
	defer srv.Close()
	c, err := aplomb.New(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	for event, err := range aplomb.Stream(context.Background(), c, http.MethodGet, "/v1/jobs/7/events", aplomb.ServerEvents{Done: "[DONE]"}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(event.Type, event.Data)
	}
	// Output:
	// progress 40 %
	// progress 100 %
}

// Records by the names in the first line, none larger than a kilobyte.
func ExampleCSVMaps() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "id;amount\n1;40\n2;25\n")
	}))
	defer srv.Close()
	c, err := aplomb.New(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	records := aplomb.Stream(context.Background(), c, http.MethodGet, "/v1/report.csv", aplomb.CSVMaps{Comma: ';'}, aplomb.MaxBody(1<<10))
	for record, err := range records {
		if errors.Is(err, aplomb.ErrTooLarge) {
			fmt.Println("a record of more than a kilobyte")
		}
		if err != nil {
			break
		}
		fmt.Println(record["id"], record["amount"])
	}
	// Output:
	// 1 40
	// 2 25
}
