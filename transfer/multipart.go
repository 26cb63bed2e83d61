package transfer

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Part is a field or a file of a form. [Field] and [File] make the usual ones.
type Part struct {
	// Name is the field's.
	Name string
	// Filename is what the server is told that a file is called; "" makes it no file.
	Filename string
	// ContentType is the part's media type. Default: none for a field, and
	// application/octet-stream for a file.
	ContentType string
	// Open returns the part from its beginning, anew for each attempt.
	Open func() (io.ReadCloser, error)
	// Size is its length in bytes, as of [Upload]; where the parts all know theirs
	// the request has a Content-Length. 0 is not known.
	Size int64

	path string // of a file, whose size is asked for when it is sent
	text *string
}

// Field is a form's field with a value, which is sent as it is.
func Field(name, value string) Part { return Part{Name: name, text: &value} }

// File is a form's file, read from path for each attempt. Its name is the last
// element of path, and its media type that of the name's extension.
func File(name, path string) Part {
	return Part{
		Name: name, Filename: filepath.Base(path), ContentType: mime.TypeByExtension(filepath.Ext(path)), path: path,
		Open: func() (io.ReadCloser, error) { return os.Open(path) }, //nolint:gosec // the caller names its own file
	}
}

// Multipart is a form (multipart/form-data, RFC 7578), streamed from its parts, in
// their order. The boundary is made once, so that each attempt sends the same
// bytes. Names are quoted as browsers do (the HTML standard, section 4.10.22.8).
// What is wrong with a part is the error of the call.
func Multipart(parts ...Part) Upload {
	f := &form{parts: slices.Clone(parts), boundary: "aplomb" + rand.Text()}
	return Upload{ContentType: "multipart/form-data; boundary=" + f.boundary, Open: f.open}
}

type form struct {
	parts    []Part
	boundary string
}

// open is the body from its beginning; each file is opened when its turn comes.
func (f *form) open() (io.ReadCloser, error) {
	b := &formBody{}
	for i, p := range f.parts {
		what := fmt.Sprintf("Multipart: part %d", i+1)
		size, err := p.size()
		if err != nil {
			return nil, fmt.Errorf("transfer: %s: %w", what, err)
		}
		b.text("--" + f.boundary + "\r\n" + p.header() + "\r\n")
		if p.text != nil {
			b.text(*p.text)
		} else {
			b.file(promised{what: what, size: size}, p.Open)
		}
		b.text("\r\n")
	}
	b.text("--" + f.boundary + "--\r\n")
	return b, nil
}

// size is the part's length, -1 unknown.
func (p *Part) size() (int64, error) {
	switch {
	case p.Name == "":
		return 0, errors.New("it has no name")
	case strings.ContainsAny(p.ContentType, "\r\n\x00"):
		return 0, errors.New("its ContentType has a line break")
	case p.text != nil:
		return int64(len(*p.text)), nil
	case p.Open == nil:
		return 0, errors.New("its Open is nil")
	case p.Size > 0:
		return p.Size, nil
	case p.path != "":
		info, err := os.Stat(p.path)
		switch {
		case err != nil:
			return 0, err
		case info.IsDir():
			return 0, errors.New("it is a folder")
		case info.Mode().IsRegular():
			return info.Size(), nil
		}
	}
	return -1, nil
}

// quoted escapes what would end a name or its line.
var quoted = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")

func (p *Part) header() string {
	text := `Content-Disposition: form-data; name="` + quoted.Replace(p.Name) + `"`
	if p.Filename != "" {
		text += `; filename="` + quoted.Replace(p.Filename) + `"`
	}
	kind := p.ContentType
	if kind == "" && p.Filename != "" {
		kind = "application/octet-stream"
	}
	if kind != "" {
		text += "\r\nContent-Type: " + kind
	}
	return text + "\r\n"
}

// formBody is the pieces of a form one after another. Text is gathered, so that
// small forms are one piece. Over HTTP/2 net/http closes a body while it reads it.
type formBody struct {
	pieces []*piece
	holes  int // pieces of unknown length
	size   int64

	mu     sync.Mutex
	open   io.Closer // the file that is open
	closed bool
}

type piece struct {
	text bytes.Buffer
	open func() (io.ReadCloser, error) // nil for text
	file promised                      // what open returned, once it has
}

func (b *formBody) text(s string) {
	b.size += int64(len(s))
	if n := len(b.pieces); n == 0 || b.pieces[n-1].open != nil {
		b.pieces = append(b.pieces, &piece{})
	}
	b.pieces[len(b.pieces)-1].text.WriteString(s)
}

func (b *formBody) file(p promised, open func() (io.ReadCloser, error)) {
	b.size += max(p.size, 0)
	if p.size < 0 {
		b.holes++
	}
	b.pieces = append(b.pieces, &piece{file: p, open: open})
}

// Len is the length of a body that has not been read, -1 unknown.
func (b *formBody) Len() int {
	if b.holes > 0 || b.size > math.MaxInt {
		return -1
	}
	return int(b.size)
}

func (b *formBody) Read(buf []byte) (int, error) {
	for len(b.pieces) > 0 {
		n, err := b.read(b.pieces[0], buf)
		if errors.Is(err, io.EOF) {
			err = b.closeFile(false)
			b.pieces = b.pieces[1:]
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

func (b *formBody) read(p *piece, buf []byte) (int, error) {
	if p.open == nil {
		return p.text.Read(buf)
	}
	if p.file.ReadCloser == nil {
		file, err := p.open()
		if err != nil {
			return 0, err
		}
		if file == nil {
			return 0, errors.New("transfer: " + p.file.what + ": its Open returned neither a body nor an error")
		}
		p.file.ReadCloser = file
		if !b.opened(file) {
			return 0, errors.Join(os.ErrClosed, file.Close())
		}
	}
	return p.file.Read(buf)
}

// opened says which file is open, unless nobody wants it any more.
func (b *formBody) opened(file io.Closer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.open = file
	return true
}

// Close closes the file that is open, and that which is being opened.
func (b *formBody) Close() error { return b.closeFile(true) }

func (b *formBody) closeFile(last bool) error {
	b.mu.Lock()
	file := b.open
	b.open, b.closed = nil, b.closed || last
	b.mu.Unlock()
	if file == nil {
		return nil
	}
	return file.Close()
}
