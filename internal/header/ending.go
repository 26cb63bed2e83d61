package header

import (
	"net/http"
	"slices"
)

// UntilClosed reports an answer of HTTP/1 that ends where its connection does (RFC
// 9112, section 6.3): of its body nobody can tell a cut from the end. One that was
// unpacked may be cut between two members of gzip; net/http does not say whether it
// had a length.
func UntilClosed(resp *http.Response) bool {
	if resp.ProtoMajor != 1 || slices.Contains(resp.TransferEncoding, "chunked") {
		return false
	}
	if resp.Uncompressed {
		return resp.Close
	}
	return resp.ContentLength < 0
}
