package header

import (
	"net/http"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestUntilClosed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		resp http.Response
		want bool
	}{
		{http.Response{ProtoMajor: 1, ContentLength: -1, Close: true}, true},
		{http.Response{ProtoMajor: 1, ContentLength: 0}, false},
		{http.Response{ProtoMajor: 1, ContentLength: -1, TransferEncoding: []string{"chunked"}}, false},
		{http.Response{ProtoMajor: 2, ContentLength: -1}, false},
		{http.Response{ProtoMajor: 1, ContentLength: -1, Uncompressed: true, Close: true}, true},
		{http.Response{ProtoMajor: 1, ContentLength: -1, Uncompressed: true}, false},
	} {
		assert.Equal(t, UntilClosed(&tt.resp), tt.want)
	}
}

func TestContentRange(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Range{
		"bytes 0-99/1000": {0, 100, 1000}, "bytes 5-9/*": {5, 10, -1}, "bytes */7": {0, 0, 7}, " Bytes  0-0/1 ": {0, 1, 1},
	} {
		got, ok := ContentRange(http.Header{"Content-Range": {in}})
		assert.True(t, ok, in)
		assert.Equal(t, got, want)
	}
	for _, in := range []string{"", "bytes", "bytes */*", "items 0-1/2", "bytes 2-1/5", "bytes 0-5/5", "bytes -1-2/3", "bytes 0-9223372036854775807/*", "bytes 0-1"} {
		_, ok := ContentRange(http.Header{"Content-Range": {in}})
		assert.True(t, !ok, in)
	}
}
