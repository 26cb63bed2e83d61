package aplomb

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// Gzip compresses the request's body (Content-Encoding: gzip), for a server that
// says it takes that: few say so in a header. It is compressed as it is sent,
// chunked, with nothing of it held in memory; what is in memory before, such as
// [JSON], also is afterwards, and has its length. A retry sends the same bytes. A
// body that is known to be empty stays as it is.
func Gzip() CallOption {
	return callOption(func(s *settings) error { s.zip = (*payload).zipped; return nil })
}

// zipped is p with its bytes compressed.
func (p *payload) zipped() (*payload, error) {
	if p.raw != nil {
		raw, err := io.ReadAll(&zipReader{src: io.NopCloser(bytes.NewReader(p.raw))})
		return bytesPayload(p.contentType, raw), err
	}
	z := *p
	z.size = -1
	z.open = func() (io.ReadCloser, error) {
		body, err := p.open()
		if err != nil || body == nil {
			return nil, err
		}
		return &zipReader{src: body}, nil
	}
	return &z, nil
}

// zipReader compresses what is read from src as it is asked for more, without a
// goroutine that somebody would have to end.
type zipReader struct {
	src io.ReadCloser
	buf []byte
	out bytes.Buffer
	zip *gzip.Writer
	err error
}

func (z *zipReader) Read(p []byte) (int, error) {
	if z.zip == nil {
		z.zip, z.buf = gzip.NewWriter(&z.out), make([]byte, 32<<10) // no name and no time in its header: the same bytes each time
	}
	for z.out.Len() == 0 && z.err == nil {
		n, err := z.src.Read(z.buf)
		_, _ = z.zip.Write(z.buf[:n]) // a buffer takes all
		if z.err = err; errors.Is(err, io.EOF) {
			_ = z.zip.Close()
		}
	}
	if z.out.Len() > 0 {
		return z.out.Read(p)
	}
	return 0, z.err
}

func (z *zipReader) Close() error { return z.src.Close() }
