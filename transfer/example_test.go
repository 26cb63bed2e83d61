package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/transfer"
)

// exports is an API whose connections break after 60 000 bytes of a file.
func exports() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e7"`)
		f := bytes.NewReader(make([]byte, 100_000))
		if r.Header.Get("Range") != "" {
			http.ServeContent(w, r, "e7.csv", time.Time{}, f)
			return
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = io.CopyN(w, f, 60_000)
	}))
}

func ExampleDownload_ToFile() {
	api := exports()
	defer api.Close()
	c, err := aplomb.New(api.URL)
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "exports")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	d := transfer.Download{
		Client: c, Path: "/v1/exports/{id}/file", Options: []aplomb.CallOption{aplomb.Path("id", "e7")},
		SHA256: "9192c25b734fcbadbe32dadc28089c60db0e39f90cc20ce2e5733f57261acc0c",
		Progress: func(p transfer.Progress) {
			if p.Broken != nil || p.Complete {
				fmt.Printf("%d of %d bytes\n", p.Done, p.Total)
			}
		},
	}
	result, err := d.ToFile(context.Background(), filepath.Join(dir, "e7.csv"))
	if err != nil {
		panic(err)
	}
	fmt.Println(result.Bytes, result.Breaks, result.Verified)
	// Output:
	// 60000 of 100000 bytes
	// 100000 of 100000 bytes
	// 100000 1 [sha-256]
}

func ExampleDownload_To() {
	api := exports()
	defer api.Close()
	c, err := aplomb.New(api.URL)
	if err != nil {
		panic(err)
	}
	var buf bytes.Buffer // or what unpacks it as it comes
	result, err := transfer.Download{Client: c, Path: "/v1/exports/e7/file", MaxBytes: 1 << 20}.To(context.Background(), &buf)
	if err != nil {
		panic(err)
	}
	fmt.Println(buf.Len(), result.Breaks)
	// Output: 100000 1
}

func ExampleMultipart() {
	busy := true
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, header, err := r.FormFile("file")
		if err != nil || busy {
			busy = false
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		raw, _ := io.ReadAll(file)
		_, _ = fmt.Fprintf(w, `{"id":%q,"lines":%d}`, header.Filename, bytes.Count(raw, []byte("\n")))
	}))
	defer api.Close()
	c, err := aplomb.New(api.URL)
	if err != nil {
		panic(err)
	}

	form := transfer.Multipart(transfer.Field("purpose", "batch"), transfer.Part{
		Name: "file", Filename: "batch.jsonl", ContentType: "application/jsonl",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("{}\n{}\n")), nil },
	})
	form.Progress = func(p transfer.Progress) {
		if p.Complete {
			fmt.Println("sent, attempt", p.Attempt)
		}
	}
	type file struct {
		ID    string `json:"id"`
		Lines int    `json:"lines"`
	}
	got, err := aplomb.Post[file](context.Background(), c, "/v1/files", form.Body(), aplomb.IdempotencyKey("batch-7"))
	if err != nil {
		panic(err)
	}
	fmt.Println(got.ID, got.Lines)
	// Output:
	// sent, attempt 1
	// sent, attempt 2
	// batch.jsonl 2
}

func ExampleUpload_Body() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, `{"bytes":%d,"as":%q,"in":%q}`, n, r.Header.Get("Content-Type"), r.Header.Get("Content-Encoding"))
	}))
	defer api.Close()
	c, err := aplomb.New(api.URL)
	if err != nil {
		panic(err)
	}
	log := strings.Repeat("GET /v1/orders 200\n", 10_000)
	u := transfer.Upload{ContentType: "text/plain", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(log)), nil
	}}
	plain, err := aplomb.Put[map[string]any](context.Background(), c, "/v1/logs/7", u.Body())
	if err != nil {
		panic(err)
	}
	zipped, err := aplomb.Put[map[string]any](context.Background(), c, "/v1/logs/7", u.Body(), aplomb.Gzip())
	if err != nil {
		panic(err)
	}
	fmt.Println(plain["bytes"], plain["as"], zipped["in"], zipped["bytes"].(float64) < 2000)
	// Output: 190000 text/plain gzip true
}
