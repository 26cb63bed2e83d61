package stripe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// File is an upload (https://docs.stripe.com/api/files/object).
type File struct {
	ID       string `json:"id"`
	Filename string `json:"filename"`
	// Purpose is dispute_evidence, identity_document, business_logo and so on.
	Purpose string `json:"purpose"`
	// Type is csv, pdf, jpg, png and so on.
	Type string `json:"type"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// URL needs the key; [Download] fetches it as "/v1/files/{id}/contents".
	URL       string    `json:"url"`
	Created   time.Time `json:"created"`
	ExpiresAt time.Time `json:"expires_at"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a file and keeps it in Raw.
func (f *File) UnmarshalJSON(raw []byte) error { return decode(raw, f) }

// String is the id and name, such as "file file_1 receipt.pdf".
func (f File) String() string { return strings.TrimSpace("file " + f.ID + " " + shown(f.Filename)) }

// Upload sends a file, streamed, to the host for uploads, and decodes the answer
// into a T, such as [File]. The name's extension says what it is.
//
//	f, err := os.Open("receipt.pdf")
//	...
//	file, err := stripe.Upload[stripe.File](ctx, sc, "/v1/files", "receipt.pdf", f, map[string]any{"purpose": "dispute_evidence"})
//
// An *os.File, *bytes.Reader, *strings.Reader or any other reader that can also
// ReadAt and Seek is sent from where it stands to its end, its length announced,
// and sent again where a request is retried. Any other reader is sent once, in
// chunks (aplomb.BodyOnce). It is left open, but may still be read for a moment when
// Upload returns from a refusal.
func Upload[T any](ctx context.Context, c *Client, path, name string, content io.Reader, params any, opts ...aplomb.CallOption) (*T, error) {
	pairs, err := encode(params)
	if err != nil {
		return nil, err
	}
	u, err := newUpload(pairs, name, content)
	if err != nil {
		return nil, err
	}
	own := append([]aplomb.CallOption{aplomb.BaseURL(c.filesURL()), u.body()}, opts...)
	return made(call[*T](ctx, c, http.MethodPost, path, nil, own))
}

// Download opens a file for reading, from the host that has files: a quote's PDF,
// an upload's contents. The caller closes it. How long it may take is up to ctx:
// each read is bounded by aplomb.Timeouts alone.
//
//	pdf, err := stripe.Download(ctx, sc, "/v1/quotes/{id}/pdf", nil, aplomb.Path("id", id))
func Download(ctx context.Context, c *Client, path string, params any, opts ...aplomb.CallOption) (io.ReadCloser, error) {
	own, err := sent(http.MethodGet, path, params)
	if err != nil {
		return nil, err
	}
	own = append(own, aplomb.BaseURL(c.filesURL()))
	resp, err := aplomb.Open(ctx, c.API(), http.MethodGet, path, append(own, opts...)...)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (c *Client) filesURL() string {
	if c == nil {
		return FilesURL // the call itself says that there is no client
	}
	return c.files
}

// An upload is a multipart body (RFC 7578) around a file.
type upload struct {
	contentType, head, tail string
	content                 io.Reader
	section                 *io.SectionReader // of content, where it can be read again
}

func newUpload(pairs []pair, name string, content io.Reader) (u *upload, err error) {
	if v := reflect.ValueOf(content); content == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("stripe: Upload: nil reader")
	}
	if name == "" || strings.ContainsAny(name, "\r\n\x00") {
		return nil, fmt.Errorf("stripe: Upload: %q is not a file's name", name)
	}
	u = &upload{content: content}
	if u.section, err = sectionOf(content); err != nil {
		return nil, err
	}
	var form strings.Builder // which fails no write
	w := multipart.NewWriter(&form)
	for _, p := range pairs {
		_ = w.WriteField(p.name, p.value)
	}
	part := textproto.MIMEHeader{}
	part.Set("Content-Disposition", multipart.FileContentDisposition("file", name))
	part.Set("Content-Type", contentType(name))
	_, _ = w.CreatePart(part)
	u.head = form.String()
	_ = w.Close()
	u.tail, u.contentType = form.String()[len(u.head):], w.FormDataContentType()
	return u, nil
}

func contentType(name string) string {
	if kind := mime.TypeByExtension(filepath.Ext(name)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// sectionOf is what is left of content, nil if it cannot be read again.
func sectionOf(content io.Reader) (*io.SectionReader, error) {
	file, ok := content.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil, nil //nolint:nilnil // no section, and no failure
	}
	from, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // a pipe: it can be read once
	}
	to, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(from, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("stripe: Upload: the file's length: %w", err)
	}
	return io.NewSectionReader(file, from, max(to-from, 0)), nil
}

// body is sent again only where the content can be read again.
func (u *upload) body() aplomb.CallOption {
	if u.section == nil {
		return aplomb.BodyOnce(u.contentType, io.MultiReader(strings.NewReader(u.head), u.content, strings.NewReader(u.tail)))
	}
	return aplomb.Body(u.contentType, func() (io.ReadCloser, error) {
		file := io.NewSectionReader(u.section, 0, u.section.Size())
		parts := io.MultiReader(strings.NewReader(u.head), file, strings.NewReader(u.tail))
		return &sized{parts, len(u.head) + int(file.Size()) + len(u.tail)}, nil
	})
}

// sized is a body that tells its length before it is read.
type sized struct {
	io.Reader
	size int
}

// Len is the whole length.
func (s *sized) Len() int { return s.size }

// Close leaves the file open: it is the caller's.
func (s *sized) Close() error { return nil }
