package graphql

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/aplomb-go/aplomb"
)

// File is an upload: the value of a variable of the server's scalar Upload, or of
// a field of one, at any depth of maps, slices, structs, pointers and [Opt]. Only in
// a type with a MarshalJSON of its own it is not found.
//
//	vars := graphql.Vars{"file": graphql.File{Name: "a.txt", Open: func() (io.ReadCloser, error) { return os.Open("a.txt") }}}
//
// A request with files goes as multipart/form-data by the GraphQL multipart request
// spec (https://github.com/jaydenseric/graphql-multipart-request-spec): null stands
// for each file among the variables, and the files follow, streamed. They are all
// opened when an attempt begins and closed after it, so that a retry sends the same
// bytes; a mutation is no more repeated than without files. Where every file is an
// *os.File, *bytes.Reader or the like, the length is announced.
//
// A slip, such as no Open, is an error before anything is sent, and so is what Open
// returns.
type File struct {
	// Name is what the server is told the file is called; not empty.
	Name string
	// ContentType is by default what Name's extension says, or else
	// application/octet-stream.
	ContentType string
	// Open gives the contents from their beginning, each time it is called.
	Open func() (io.ReadCloser, error)
}

// MarshalJSON gives null, which is what stands among the variables for a file.
func (f File) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

func (f File) upload() File { return f }

// attachment is a file and where it is among the variables.
type attachment struct {
	File
	path string // such as variables.in.files.0
}

func (a attachment) check() error {
	switch {
	case a.Open == nil:
		return fmt.Errorf("graphql: the File at %s has no Open: set it to what opens the contents", safe(a.path))
	case a.Name == "":
		return fmt.Errorf("graphql: the File at %s has no Name: servers take a part without a file name for a text", safe(a.path))
	case strings.ContainsAny(a.ContentType, "\r\n\x00"):
		return fmt.Errorf("graphql: the File at %s: its ContentType has a line break", safe(a.path))
	}
	return nil
}

func (a attachment) contentType() string {
	return cmp.Or(a.ContentType, mime.TypeByExtension(filepath.Ext(a.Name)), "application/octet-stream")
}

// form is a multipart body (RFC 7578): operations, map and files, in the order
// that the spec asks for, so that a server can stream them too.
type form struct {
	contentType string
	operations  []byte
	heads       [][]byte // what goes before each file
	files       []attachment
	tail        []byte
}

func newForm(operations []byte, files []attachment) *form {
	f := &form{operations: operations, files: files}
	var text bytes.Buffer // which fails no write
	w := multipart.NewWriter(&text)
	take := func() []byte {
		taken := bytes.Clone(text.Bytes())
		text.Reset()
		return taken
	}
	places := map[string][]string{}
	for i, file := range files {
		places[strconv.Itoa(i)] = []string{file.path}
	}
	paths, _ := json.Marshal(places) //nolint:errchkjson // strings
	_ = w.WriteField("operations", string(operations))
	_ = w.WriteField("map", string(paths))
	for i, file := range files {
		part := textproto.MIMEHeader{}
		part.Set("Content-Disposition", multipart.FileContentDisposition(strconv.Itoa(i), file.Name))
		part.Set("Content-Type", file.contentType())
		_, _ = w.CreatePart(part)
		f.heads = append(f.heads, take())
	}
	_ = w.Close()
	f.tail, f.contentType = take(), w.FormDataContentType()
	return f
}

// options send the form. The header tells a server that guards against cross-site
// requests, for which browsers send such bodies unasked, that this is none
// (https://www.apollographql.com/docs/graphos/routing/security/csrf).
func (f *form) options() []aplomb.CallOption {
	return []aplomb.CallOption{aplomb.Body(f.contentType, f.open), aplomb.Header("Apollo-Require-Preflight", "1")}
}

// open opens every file before a byte is sent: one that is missing then costs no
// request, and is no failure of the server's.
func (f *form) open() (io.ReadCloser, error) {
	body := &formBody{operations: f.operations, size: len(f.tail)}
	var parts []io.Reader
	for i, a := range f.files {
		content, err := a.Open()
		if err == nil && content == nil {
			err = errors.New("its Open returned neither contents nor an error")
		}
		if err != nil {
			_ = body.Close()
			return nil, fmt.Errorf("the File %q at %s: %w", safe(a.Name), safe(a.path), err)
		}
		body.files = append(body.files, content)
		size := sizeOf(content)
		body.size = sum(body.size, len(f.heads[i]), size)
		parts = append(parts, bytes.NewReader(f.heads[i]), bounded(content, size))
	}
	body.Reader = io.MultiReader(append(parts, bytes.NewReader(f.tail))...)
	return body, nil
}

// bounded is content as long as it was when its length was told: a log may grow.
func bounded(content io.Reader, size int) io.Reader {
	if size < 0 {
		return content
	}
	return io.LimitReader(content, int64(size))
}

// sizeOf is how many bytes content holds, -1 where it does not say.
func sizeOf(content io.Reader) int {
	switch c := content.(type) {
	case *os.File:
		info, err := c.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return -1
		}
		at, err := c.Seek(0, io.SeekCurrent)
		if err != nil || info.Size()-at > math.MaxInt || info.Size() < at {
			return -1
		}
		return int(info.Size() - at)
	case interface{ Len() int }:
		return c.Len()
	}
	return -1
}

// sum adds up lengths; it is -1 where one of them is.
func sum(sizes ...int) int {
	total := 0
	for _, size := range sizes {
		if size < 0 || size > math.MaxInt-total {
			return -1
		}
		total += size
	}
	return total
}

// formBody is a form being sent once.
type formBody struct {
	io.Reader
	operations []byte
	size       int
	files      []io.Closer
	once       sync.Once
}

// Len is the whole length, -1 where a file does not tell its own.
func (b *formBody) Len() int { return b.size }

// JSON is the part that may hold secrets which a server's error quotes.
func (b *formBody) JSON() []byte { return b.operations }

// Close closes the files.
func (b *formBody) Close() error {
	b.once.Do(func() {
		for _, file := range b.files {
			_ = file.Close()
		}
	})
	return nil
}
