package transfer

import (
	"bytes"
	"crypto/md5" //nolint:gosec // S3's ETag is one, and is compared on request only
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"
)

// digest is what somebody said the digest of some bytes is.
type digest struct {
	Algorithm string `json:"algorithm"` // as RFC 9530 names it, and "md5"
	Sum       []byte `json:"sum"`
}

func (d *digest) hash() hash.Hash {
	switch d.Algorithm {
	case "sha-512":
		return sha512.New()
	case "sha-256":
		return sha256.New()
	case "md5":
		return md5.New() //nolint:gosec // see above
	default:
		return nil
	}
}

// valid reports a digest that can be compared.
func (d *digest) valid() bool {
	h := d.hash()
	return h != nil && h.Size() == len(d.Sum)
}

// equal needs no look at the algorithms: no two have sums of the same length.
func (d *digest) equal(other *digest) bool { return bytes.Equal(d.Sum, other.Sum) }

// strongest is the best digest that the first of these fields has which has one
// (RFC 9530, sections 2 and 3).
func strongest(h http.Header, fields ...string) []*digest {
	for _, field := range fields {
		given := map[string][]byte{}
		for member := range strings.SplitSeq(strings.Join(h.Values(field), ","), ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(member), "=")
			value, _, _ = strings.Cut(value, ";")
			inner, ok := strings.CutPrefix(strings.TrimSpace(value), ":")
			if inner, found := strings.CutSuffix(inner, ":"); ok && found {
				if sum, err := base64.StdEncoding.DecodeString(inner); err == nil {
					given[name] = sum
				}
			}
		}
		for _, name := range []string{"sha-512", "sha-256"} {
			if d := (&digest{name, given[name]}); d.valid() {
				return []*digest{d}
			}
		}
	}
	return nil
}

// md5Tag reads an ETag that has the form of an MD5.
func md5Tag(h http.Header) (*digest, bool) {
	sum, err := hex.DecodeString(strings.Trim(h.Get("ETag"), `"`))
	d := &digest{"md5", sum}
	return d, err == nil && d.valid()
}

// summing compares what is written to it with digests.
type summing struct {
	io.Writer
	digests []*digest
	hashes  []hash.Hash
}

func newSumming(digests []*digest) *summing {
	s := &summing{}
	var all []io.Writer
	for _, d := range digests {
		if slices.ContainsFunc(s.digests, d.equal) { // the caller's and the server's
			continue
		}
		h := d.hash()
		s.digests, s.hashes, all = append(s.digests, d), append(s.hashes, h), append(all, h)
	}
	s.Writer = io.MultiWriter(all...)
	return s
}

// check returns the algorithms of the digests, all of which have to be right.
func (s *summing) check(r *run) (algorithms []string, err error) {
	for i, d := range s.digests {
		if got := s.hashes[i].Sum(nil); !bytes.Equal(got, d.Sum) {
			return nil, &ChecksumError{Client: r.d.Client.Name(), Path: r.d.Path, RequestID: r.requestID(), Algorithm: d.Algorithm, Want: hex.EncodeToString(d.Sum), Got: hex.EncodeToString(got)}
		}
		algorithms = append(algorithms, d.Algorithm)
	}
	return algorithms, nil
}

// ChecksumError means that what was received is not what its digest is of. Under
// the final name of [Download.ToFile] there is nothing of it.
type ChecksumError struct {
	// Client is the client's name, and Path the path template.
	Client, Path string
	// RequestID is the server's name for the last request, "" if it gave none.
	RequestID string
	// Algorithm is "sha-256", "sha-512" or "md5".
	Algorithm string
	// Want and Got are the digests in hex.
	Want, Got string
}

// Error is one line.
func (e *ChecksumError) Error() string {
	line := fmt.Sprintf("%s: GET %s: the %s of the file is %s, and should be %s", e.Client, e.Path, e.Algorithm, e.Got, e.Want)
	if e.RequestID != "" {
		line += " (request " + e.RequestID + ")"
	}
	return line
}
