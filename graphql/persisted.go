package graphql

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"

	"github.com/aplomb-go/aplomb"
)

// PersistedQueries sends the hash of a query instead of its text (automatic persisted
// queries, https://www.apollographql.com/docs/apollo-server/performance/apq). A server
// that does not know the hash is sent the text with it, within the same call: that
// costs one request more, and no retry. One that says that it keeps none
// (PersistedQueryNotSupported) is sent the text at once from then on. One that never
// heard of hashes refuses a request without a query: leave the option out for it. Give
// it to [New]:
//
//	c := graphql.New(api, graphql.PersistedQueries(), graphql.UseGET())
//
// Mutations travel whole and without a hash: an idempotency key belongs to one body,
// and what is sent after a miss is another. So do uploads and batches.
func PersistedQueries() aplomb.CallOption {
	return own("PersistedQueries", func(p *plan) error { p.persisted = true; return nil })
}

// parcel is a query in the forms it may travel in.
type parcel struct {
	client  *Client
	request request
	hash    string // of the document, "" where that goes along
	get     bool
}

// pack encodes the variables, once for all forms.
func (p *plan) pack(r request) (*parcel, error) {
	x := &parcel{client: p.client, request: r, get: p.get}
	if r.Variables != nil {
		raw, err := json.Marshal(r.Variables)
		if err != nil {
			return nil, err
		}
		x.request.Variables = json.RawMessage(raw)
	}
	if _, given := r.Extensions["persistedQuery"]; p.persisted && !given && !p.client.keepsNone.Load() {
		sum := sha256.Sum256([]byte(r.Query))
		x.hash = hex.EncodeToString(sum[:])
	}
	return x, nil
}

// plain is the document without a hash.
func (x *parcel) plain() request { return x.request }

// whole is the document with its hash, for the server to keep.
func (x *parcel) whole() request {
	r := x.request
	r.Extensions = maps.Clone(r.Extensions)
	if r.Extensions == nil {
		r.Extensions = map[string]any{}
	}
	r.Extensions["persistedQuery"] = map[string]any{"version": 1, "sha256Hash": x.hash}
	return r
}

// first is what is sent first: the hash alone, where there is one.
func (x *parcel) first() request {
	if x.hash == "" {
		return x.plain()
	}
	r := x.whole()
	r.Query = ""
	return r
}

// options send what goes first.
func (x *parcel) options() ([]aplomb.CallOption, error) {
	if x.get {
		return x.first().parameters()
	}
	return []aplomb.CallOption{aplomb.JSON(x.first())}, nil
}

type tripKey struct{}

// context lets the courier find what t carries.
func (t *trip) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, tripKey{}, t)
}

// courier sends a query in another form where the first would not do: by POST where
// the URL would be too long, and whole after a miss. It is around all attempts of a
// call, so that neither is a retry, and inside the client's own middlewares, so that
// a cache sees the GET.
func courier(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		t, _ := r.Context().Value(tripKey{}).(*trip)
		if t == nil || t.parcel == nil || crossed(r) {
			return next.RoundTrip(r)
		}
		x := t.parcel
		if x.get && r.Method == http.MethodGet && !fits(r.URL) {
			var err error
			if r, err = post(r, x.first()); err != nil {
				return nil, err
			}
		}
		resp, err := next.RoundTrip(r)
		if err != nil || x.hash == "" {
			return resp, err
		}
		again := x.whole()
		switch t.missed(resp) {
		case notMissed:
			return resp, nil
		case unknown:
		case keepsNone:
			x.client.keepsNone.Store(true)
			again = x.plain()
		}
		_ = resp.Body.Close()
		if r, err = post(r, again); err != nil {
			return nil, err
		}
		return next.RoundTrip(r)
	})
}

// crossed reports a redirect to another origin, where the request's body has no
// business.
func crossed(r *http.Request) bool {
	first := r
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return first.URL.Scheme != r.URL.Scheme || first.URL.Host != r.URL.Host
}

// post is r as a POST with another body.
func post(r *http.Request, with request) (*http.Request, error) {
	raw, err := json.Marshal(with)
	if r.Body != nil {
		_ = r.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.Method = http.MethodPost
	out.URL.RawQuery = withoutParameters(r.URL.RawQuery)
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	out.Body, _ = out.GetBody()
	out.ContentLength = int64(len(raw))
	return out, nil
}

// miss is what a server says of a hash.
type miss int

const (
	notMissed miss = iota
	unknown        // send the document
	keepsNone      // and do not ask again
)

// missOf reads a miss from an answer. Apollo Server and gqlgen answer 200, Yoga 404.
func missOf(a *aplomb.Attempt) miss {
	if a.Response == nil {
		return notMissed
	}
	body, err := a.Peek(peekLimit)
	if err != nil || !bytes.Contains(body, []byte("PersistedQueryNot")) && !bytes.Contains(body, []byte("PERSISTED_QUERY_NOT")) {
		return notMissed
	}
	var refusal answer[json.RawMessage]
	if json.Unmarshal(bytes.TrimPrefix(body, []byte(byteOrderMark)), &refusal) != nil || refusal.Data != nil {
		return notMissed
	}
	for _, e := range refusal.Errors {
		switch {
		case e == nil:
		case e.Message == "PersistedQueryNotFound", e.Code() == "PERSISTED_QUERY_NOT_FOUND":
			return unknown
		case e.Message == "PersistedQueryNotSupported", e.Code() == "PERSISTED_QUERY_NOT_SUPPORTED":
			return keepsNone
		}
	}
	return notMissed
}
