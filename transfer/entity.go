package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// settled is how much older than the answer a Last-Modified has to be, for the
// file not to change twice within the second that it names (RFC 9110, section
// 8.8.2.2).
const settled = time.Minute

// entity is what is known of the file that is fetched.
type entity struct {
	source    string    // a digest of its address, or of Download.Key
	validator string    // what If-Range says; "" is none, and no resuming
	total     int64     // -1 unknown
	modified  string    // Last-Modified
	ranges    bool      // the server said that it knows ranges
	digests   []*digest // of the file
	wire      []*digest // of what stands for it, where it comes compressed
}

// entityOf reads the header of a 200.
func entityOf(resp *http.Response, d *Download) entity {
	e := entity{source: sourceOf(resp, d.Key), total: resp.ContentLength}
	if encoding(resp.Header) != "" {
		e.total, e.wire = -1, digestsOf(resp)
		return e
	}
	e.validator, e.modified = validatorOf(resp.Header), resp.Header.Get("Last-Modified")
	e.ranges = strings.EqualFold(strings.TrimSpace(resp.Header.Get("Accept-Ranges")), "bytes")
	e.digests = digestsOf(resp)
	if sum, ok := md5Tag(resp.Header); ok && d.ETagMD5 {
		e.digests = append(e.digests, sum)
	}
	return e
}

// digestsOf are the digests of a 200, of which the two fields say the same.
func digestsOf(resp *http.Response) []*digest {
	return strongest(resp.Header, "Repr-Digest", "Content-Digest")
}

// validatorOf names the file for If-Range: strongly or not at all.
func validatorOf(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" {
		if strongTag(tag) {
			return tag
		}
		return ""
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || date.Sub(modified) < settled {
		return ""
	}
	return h.Get("Last-Modified")
}

// strongTag reports an entity tag that stands for the very bytes.
func strongTag(tag string) bool {
	return len(tag) > 2 && tag[0] == '"' && strings.IndexByte(tag[1:], '"') == len(tag)-2 &&
		!strings.ContainsFunc(tag, unicode.IsControl)
}

// encoding is what the body is compressed by, "" if it is not.
func encoding(h http.Header) string {
	switch enc := strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ","))); enc {
	case "identity":
		return ""
	default:
		return enc
	}
}

// another reports an answer to a range that is of another file. A 206 names its
// file as the 200 did (RFC 9110, section 15.3.7); a 416 need not.
func (e *entity) another(resp *http.Response) bool {
	tag, modified, was := resp.Header.Get("ETag"), resp.Header.Get("Last-Modified"), e.validator
	if was[0] == '"' {
		return tag != was && (tag != "" || resp.StatusCode == http.StatusPartialContent) ||
			modified != "" && e.modified != "" && modified != e.modified
	}
	return modified != "" && modified != was
}

// differs says what in a 206 shows that it is of another file, "" if nothing does.
func (e *entity) differs(resp *http.Response, c contentRange, key string) string {
	switch {
	case e.another(resp):
		return "the file has changed"
	case c.total >= 0 && e.total >= 0 && c.total != e.total:
		return "the file has another length"
	case encoding(resp.Header) != "":
		return "the server compresses it now"
	case sourceOf(resp, key) != e.source:
		return "the part is another file's"
	}
	return ""
}

// sourceOf tells files apart without keeping an address, which may be signed.
func sourceOf(resp *http.Response, key string) string {
	name := "key " + key
	if key == "" {
		name = "url " + firstRequest(resp).URL.String()
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// firstRequest is what was asked before any redirect.
func firstRequest(resp *http.Response) *http.Request {
	r := resp.Request
	for r.Response != nil && r.Response.Request != nil {
		r = r.Response.Request
	}
	return r
}
