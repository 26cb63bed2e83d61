package transfer

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/aplomb-go/aplomb/internal/header"
)

// contentRange is a Content-Range (RFC 9110, section 14.4).
type contentRange struct {
	span        // of a 206; {0, 0} in a 416
	total int64 // -1 where the server does not know
}

var errContentRange = errors.New("no Content-Range in bytes")

// contentRangeOf reads a Content-Range.
func contentRangeOf(h http.Header) (contentRange, error) {
	r, ok := header.ContentRange(h)
	if !ok {
		return contentRange{}, errContentRange
	}
	return contentRange{span{r.From, r.To}, r.Total}, nil
}

// rangeOf asks for s of a file of total bytes (RFC 9110, section 14.2).
func rangeOf(s span, total int64) string {
	text := "bytes=" + strconv.FormatInt(s.from, 10) + "-"
	if s.to >= 0 && s.to != total {
		text += strconv.FormatInt(s.to-1, 10)
	}
	return text
}
