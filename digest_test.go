package aplomb_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// The example of RFC 7616, section 3.9.1.
func TestDigestRFC7616(t *testing.T) {
	t.Parallel()
	const common = `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, ` +
		`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
	for algorithm, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		r, _ := http.NewRequestWithContext(context.Background(), "GET", "http://www.example.org/dir/index.html", http.NoBody)
		h := http.Header{"Www-Authenticate": {fmt.Sprintf(common, algorithm)}}
		got := aplomb.DigestAuthorization(h, r, "Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
		for _, part := range []string{
			`response="` + want + `"`, `username="Mufasa"`, `realm="http-auth@example.org"`, `uri="/dir/index.html"`, "algorithm=" + algorithm,
			`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"`, "nc=00000001", `cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"`,
			"qop=auth", `opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
		} {
			assert.Contains(t, got, part)
		}
		// Both are offered, MD5 first: the better one is taken.
		h["Www-Authenticate"] = []string{fmt.Sprintf(common, "MD5"), fmt.Sprintf(common, "SHA-256"), fmt.Sprintf(common, "SHA-512-256"), "Basic realm=x"}
		assert.Contains(t, aplomb.DigestAuthorization(h, r, "Mufasa", "Circle of Life", "x"), "algorithm=SHA-256")
	}
}

func sha(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(sum[:])
}

// The variants: a session's key, a hashed user name, the form without qop, and
// what has to be quoted.
func TestDigestVariants(t *testing.T) {
	t.Parallel()
	r, _ := http.NewRequestWithContext(context.Background(), "PUT", "http://h/a%20b?c=%22", http.NoBody)
	a2 := sha("PUT", "/a%20b?c=%22")
	for name, tt := range map[string]struct {
		challenge string
		want      []string
	}{
		"session": {`Digest realm=r, nonce=n, qop=auth, algorithm=SHA-256-sess`,
			[]string{`response="` + sha(sha(sha("u", "r", "p"), "n", "c"), "n", "00000001", "c", "auth", a2) + `"`, "algorithm=SHA-256-sess"}},
		"user hash": {`Digest realm=r, nonce=n, qop="auth-int,auth", algorithm=SHA-256, userhash=true`,
			[]string{`username="` + sha("u", "r") + `"`, "userhash=true", sha(sha("u", "r", "p"), "n", "00000001", "c", "auth", a2)}},
		"without qop": {`Digest realm="r", nonce="n", algorithm=sha-256`, []string{`response="` + sha(sha("u", "r", "p"), "n", a2) + `"`, "algorithm=sha-256"}},
		"quotes":      {`Digest realm="a \"b\" \\", nonce="n", algorithm=SHA-256, qop=auth`, []string{`realm="a \"b\" \\"`, sha(sha("u", `a "b" \`, "p"), "n", "00000001", "c", "auth", a2)}},
	} {
		got := aplomb.DigestAuthorization(http.Header{"Www-Authenticate": {tt.challenge}}, r, "u", "p", "c")
		for _, part := range tt.want {
			assert.Contains(t, got, part, name)
		}
	}
}

// digestServer lets through who answers the challenge of its current nonce.
type digestServer struct {
	nonce string
	next  string // announced in Authentication-Info
	seen  []string
}

var digestField = regexp.MustCompile(`(\w+)="?([^",]*)"?`)

func (s *digestServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fields := map[string]string{}
	for _, m := range digestField.FindAllStringSubmatch(r.Header.Get("Authorization"), -1) {
		fields[m[1]] = m[2]
	}
	s.seen = append(s.seen, fields["nonce"]+" "+fields["nc"])
	want := sha(sha("admin", "cam", "pa55word"), s.nonce, fields["nc"], fields["cnonce"], "auth", sha(r.Method, r.RequestURI))
	if fields["response"] == want {
		if s.next != "" {
			w.Header().Set("Authentication-Info", `rspauth="x", nextnonce="`+s.next+`"`)
			s.nonce, s.next = s.next, ""
		}
		ok(w, r)
		return
	}
	stale := strconv.FormatBool(fields["nonce"] != "" && fields["nonce"] != s.nonce)
	status(401, "WWW-Authenticate", `Digest realm="cam", qop="auth", algorithm=SHA-256, stale=`+stale+`, nonce="`+s.nonce+`"`)(w, r)
}

func TestDigest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &digestServer{nonce: "n1"}
		c := newClient(t, aplombtest.NewServer(t, s), aplomb.Digest("admin", aplomb.Static("pa55word")))
		for range 2 {
			_, err := post(t, c)
			assert.NoError(t, err)
		}
		s.nonce = "n2" // n1 is stale
		_, err := get(t, c)
		assert.NoError(t, err)
		s.next = "n3"
		for range 2 {
			_, err = get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, s.seen, []string{" ", "n1 00000001", "n1 00000002", "n1 00000003", "n2 00000001", "n2 00000002", "n3 00000001"})
	})
}

// A stale nonce says nothing of the password; a refused one has the other tried.
func TestDigestRotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for name, source := range map[string]aplomb.SecretSource{
			"the new one is good": aplomb.Rotation(aplomb.Static("pa55word"), aplomb.Static("old-password")),
			"the old one is good": aplomb.Rotation(aplomb.Static("new-password"), aplomb.Static("pa55word")),
		} {
			s := &digestServer{nonce: "n1"}
			c := newClient(t, aplombtest.NewServer(t, s), aplomb.Digest("admin", source))
			refused := 0
			for n := range 4 {
				if name == "the new one is good" {
					s.nonce = fmt.Sprint("n", n)
				}
				if _, err := get(t, c); err != nil {
					refused++
				}
			}
			assert.True(t, refused == 0 || name == "the old one is good" && refused == 1, name, refused) // its renewal went into the challenge
		}
	})
}

func TestDigestWrongPassword(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &digestServer{nonce: "n1"}
		c := newClient(t, aplombtest.NewServer(t, s), aplomb.Digest("admin", aplomb.Static("guess")))
		for range 2 {
			_, err := get(t, c)
			assert.Equal(t, aplomb.StatusCode(err), 401)
			assert.Contains(t, err.Error(), "the credential is a static secret (5 chars)")
		}
		assert.Equal(t, s.seen, []string{" ", "n1 00000001", "n1 00000002"})
	})
	_, err := aplomb.New("http://api.test", aplomb.Digest("u", nil))
	assert.Contains(t, err.Error(), "Digest: the SecretSource is nil")
}

// What cannot be answered is the caller's 401.
func TestDigestNotOffered(t *testing.T) {
	for _, challenge := range []string{
		"", "Basic realm=x", "Digest realm=x", "Digest nonce=n, algorithm=SHA-512-256", "Digest nonce=n, qop=auth-int",
		`Digest nonce="` + strings.Repeat("n", 5000) + `"`,
	} {
		bubbleCase(t, challenge[:min(len(challenge), 40)], func(t *testing.T) {
			h := script(status(401, "WWW-Authenticate", challenge))
			_, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Digest("u", aplomb.Static("pass"))))
			assert.Equal(t, aplomb.StatusCode(err), 401)
			assert.Equal(t, h.count(), 1)
		})
	}
}
