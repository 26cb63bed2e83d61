package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/redact"
)

// maxVary bounds by how many headers the answers of one address may vary; one
// that varies by more is not stored.
const maxVary = 32

// asOwner is how [As] travels.
type asOwner struct{}

// As says whose answers the requests made with ctx get: name is a tenant, a user
// or an account, and not a secret. The answers of two names are never mixed; an
// empty one says nothing.
//
// It is for requests with a credential that is not the client's own, one of
// [aplomb.Client.With], of [aplomb.NewContext] or of the call itself, and for those of
// an [aplomb.AuthFunc], an [aplomb.Signer] or an [aplomb.SecretSource] type of your own,
// which may go by the context: without it they go past the cache, since who they speak
// for cannot be seen. An [aplomb.SecretFunc] needs it not: it is asked once for all. For
// a client of With that has a tenant's credential see [Cache.For].
//
// A middleware below the cache, or a transport, that attaches a credential by the
// context is seen by nobody: there, As is all that keeps answers apart.
func As(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, asOwner{}, name)
}

// owner is whose answers a request gets: what [As] says, and the credentials and
// the like that its own headers carry. ok is false where it cannot be known.
func (t *transport) owner(r *http.Request) (name string, ok bool) {
	as, _ := r.Context().Value(asOwner{}).(string)
	if as == "" {
		if !t.ours(r.Context()) {
			return "", false
		}
		as = t.speaker.owner
	}
	h := sha256.New()
	part(h, as)
	tenant := "" // of a server that has several
	if !strings.EqualFold(r.Host, r.URL.Host) {
		tenant = strings.ToLower(r.Host)
	}
	part(h, tenant)
	for _, header := range slices.Sorted(maps.Keys(r.Header)) {
		if personal(header) {
			part(h, header)
			parts(h, r.Header[header])
		}
	}
	return string(h.Sum(nil)), true
}

// speaker is the credential that a middleware is for: that of the client, or outside
// of one the transport, that used it first. Another's may be another one.
type speaker struct {
	owner      string // whose answers it gets, "" the Cache's own
	firstUse   sync.Once
	credential any
}

// ours reports a request with that credential.
func (t *transport) ours(ctx context.Context) bool {
	id, whose := aplomb.CredentialOf(ctx)
	switch {
	case whose == aplomb.CallCredential, whose == aplomb.DerivedCredential && t.speaker.owner == "":
		return false
	case id == nil: // what is below may attach one
		id = t
	}
	s := t.speaker
	s.firstUse.Do(func() { s.credential = id })
	return s.credential == id
}

// personal reports a request header that may say who asks, for whom, or in which
// version of the API: each but those known to be harmless, and those of traces, which
// differ in every request. One that is written in an unusual way is read by the
// server and not by us.
func personal(name string) bool {
	switch {
	case name != http.CanonicalHeaderKey(name), strings.HasSuffix(name, "-Version"):
		return true
	}
	return redact.Header(name, "x") == redact.Mask && !tracing(name)
}

// tracing reports headers that are about this one request. Baggage is none of them:
// it carries what the application likes, such as a tenant.
func tracing(name string) bool {
	switch name = strings.ToLower(name); name {
	case "traceparent", "tracestate", "b3", "x-cloud-trace-context", "x-amzn-trace-id", "sentry-trace", "uber-trace-id",
		"request-id", "x-request-id", "x-correlation-id", "idempotency-key", "referer", "pragma":
		return true
	}
	return strings.HasPrefix(name, "x-b3-") || strings.HasPrefix(name, "x-datadog-")
}

// addressKey is the key of the index of an address. The fragment is no part of it.
func addressKey(u *url.URL) string {
	h := sha256.New()
	part(h, normalised(u))
	return hex.EncodeToString(h.Sum(nil))
}

// normalised is an address in the one form that equal ones share (RFC 9110,
// section 4.2.3). Path and query are as they came: servers read them differently.
func normalised(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	scheme := strings.ToLower(u.Scheme)
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	text := scheme + "://" + host + ":" + port + path
	if u.RawQuery != "" || u.ForceQuery {
		text += "?" + u.RawQuery
	}
	return text
}

// answerKey is the key of the answer to r among those of an address.
func (i *index) answerKey(owner string, r *http.Request) string {
	h := sha256.New()
	part(h, i.Generation)
	part(h, owner)
	part(h, selection(i.Vary, r))
	return hex.EncodeToString(h.Sum(nil))
}

// selection is by what answers that vary by these headers are told apart.
func selection(vary []string, r *http.Request) string {
	h := sha256.New()
	for _, name := range vary {
		part(h, name)
		part(h, normalise(name, r.Header[name]))
	}
	return string(h.Sum(nil))
}

// flightKey is the same for requests that are equal, before it is known by what
// their answers vary: all of the header counts, but for traces. An answer that
// varies by one of those is shared by selection alone.
func flightKey(address, owner string, epoch uint32, r *http.Request) string {
	h := sha256.New()
	part(h, address)
	part(h, strconv.FormatUint(uint64(epoch), 10)) // who asks after a change gets no answer from before it
	part(h, owner)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !tracing(name) {
			part(h, name)
			part(h, normalise(name, r.Header[name]))
		}
	}
	return string(h.Sum(nil))
}

// varyOf are the names in Vary, sorted, each once. ok is false where there are
// too many. An encoding was asked for, whether Vary says so or not.
func varyOf(h http.Header) (vary []string, ok bool) {
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = trim(name); name != "" {
				vary = append(vary, http.CanonicalHeaderKey(name))
			}
			if len(vary) > 4*maxVary {
				return nil, false
			}
		}
	}
	if h.Get("Content-Encoding") != "" {
		vary = append(vary, "Accept-Encoding")
	}
	slices.Sort(vary)
	vary = slices.Compact(vary)
	return vary, len(vary) <= maxVary
}

// normalise brings values of a header that mean the same into the same form (RFC
// 9111, section 4.1): lines are joined, and where the header is known the space
// around its members and parameters goes, and case if it has none.
func normalise(name string, values []string) string {
	if values == nil {
		return "\x00" // absent is not empty
	}
	text := strings.Join(values, ", ")
	switch name {
	case "Accept":
		return dense(text)
	case "Accept-Encoding", "Accept-Language", "Accept-Charset":
		return strings.ToLower(dense(text))
	}
	return trim(text)
}

// dense is a list without the space that means nothing in it, and without empty
// members.
func dense(list string) string {
	var all []string
	for member := range split(list, ',') {
		var parameters []string
		for parameter := range split(member, ';') {
			parameters = append(parameters, trim(parameter))
		}
		if member = strings.Join(parameters, ";"); member != "" {
			all = append(all, member)
		}
	}
	return strings.Join(all, ",")
}

// newGeneration is one that was never used.
func newGeneration() string { return rand.Text() }

// part adds a text to a hash, so that where it ends is part of it.
func part(h hash.Hash, s string) {
	_, _ = h.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
}

func parts(h hash.Hash, values []string) {
	part(h, strconv.Itoa(len(values)))
	for _, v := range values {
		part(h, v)
	}
}
