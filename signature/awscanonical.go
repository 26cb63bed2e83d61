package signature

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// awsRequest is the canonical request and the list of the headers it signs.
func awsRequest(r *http.Request, signedPath, query, payload string) (text, names string) {
	headers := map[string][]string{"host": {hostOf(r)}}
	for _, key := range slices.Sorted(maps.Keys(r.Header)) { // the order they are sent in
		if name := strings.ToLower(key); awsSigns(name) && len(r.Header[key]) > 0 {
			headers[name] = append(headers[name], r.Header[key]...)
		}
	}
	list := slices.Sorted(maps.Keys(headers))
	var b strings.Builder
	for _, name := range list {
		b.WriteString(name + ":" + awsHeaderValue(headers[name]) + "\n")
	}
	names = strings.Join(list, ";")
	return strings.Join([]string{methodOf(r), signedPath, query, b.String(), names, payload}, "\n"), names
}

// awsUnsignedHeaders are written by net/http, or may be rewritten by proxies and
// tracers between here and AWS: signed, each would break the signature there.
var awsUnsignedHeaders = []string{
	"accept-encoding", "authorization", "baggage", "cache-control", "connection", "content-length", "expect",
	"forwarded", "from", "host", "keep-alive", "max-forwards", "pragma", "referer", "te", "traceparent",
	"tracestate", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "x-amzn-trace-id",
}

func awsSigns(name string) bool {
	_, found := slices.BinarySearch(awsUnsignedHeaders, name)
	return !found && !strings.HasPrefix(name, "proxy-") && !strings.HasPrefix(name, "sec-") && !strings.HasPrefix(name, "x-forwarded-")
}

// awsHeaderValue joins a header's values, each trimmed and with runs of spaces
// made one.
func awsHeaderValue(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.Join(strings.FieldsFunc(v, func(c rune) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }), " ")
	}
	return strings.Join(out, ",")
}

// awsPath gives the path as it is to be sent, with AWS's escaping, and as it is
// signed: the same for S3, where every byte of a key counts; for the others
// without dot segments and double slashes, and escaped once more.
func awsPath(escaped string, s3 bool) (sent, signed string, err error) {
	segments := strings.Split(cmp.Or(escaped, "/"), "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return "", "", errors.New("signature: AWS: the URL's path is not well escaped")
		}
		segments[i] = awsEscape(plain)
	}
	sent = strings.Join(segments, "/")
	if s3 {
		return sent, sent, nil
	}
	signed = path.Clean("/" + sent)
	if strings.HasSuffix(sent, "/") && signed != "/" {
		signed += "/"
	}
	segments = strings.Split(signed, "/")
	for i, s := range segments {
		segments[i] = awsEscape(s)
	}
	return sent, strings.Join(segments, "/"), nil
}

// awsQuery sorts the parameters by their escaped names, then values.
func awsQuery(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", errors.New("signature: AWS: the URL's query is not well escaped")
	}
	pairs := make([][2]string, 0, len(values))
	for name, list := range values {
		for _, v := range list {
			pairs = append(pairs, [2]string{awsEscape(name), awsEscape(v)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1]))
	})
	out := make([]string, len(pairs))
	for i, p := range pairs {
		out[i] = p[0] + "=" + p[1]
	}
	return strings.Join(out, "&"), nil
}

// awsEscape escapes all but RFC 3986's unreserved characters.
func awsEscape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isAlnum(c) || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// rewriteURL has r sent with the path and query that were signed, and without
// the port that everybody leaves out.
func rewriteURL(r *http.Request, sent, query string) {
	u := *r.URL
	u.Path, _ = url.PathUnescape(sent) // it was escaped here
	u.RawPath, u.RawQuery, u.ForceQuery = sent, query, false
	r.URL = &u
	if host := withoutPort(u.Scheme, hostOf(r)); host != hostOf(r) {
		r.Host = host
	}
}
