package aplomb

import (
	"crypto/md5" //nolint:gosec // RFC 7616 has it, and old devices nothing else
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"sync"

	"github.com/aplomb-go/aplomb/internal/header"
)

// Digest answers the challenges of HTTP Digest authentication (RFC 7616), as
// cameras, telephony and network devices send them, with SHA-256 or, where the
// server offers nothing better, MD5, and qop=auth. The first request, and the
// first with a nonce that the server has forgotten, is sent twice: its 401 brings
// the challenge.
func Digest(user string, password SecretSource) Auth {
	if isNil(password) {
		return Auth{err: nilSource("Digest")}
	}
	d := &digestAuth{user: user, password: password}
	return Auth{Secret: password, slot: authorizationSlot, brought: bringsAuthorization, Attach: d.attach, Answered: d.answered}
}

// digestAuth keeps the challenge of each origin: its nonce serves many requests.
type digestAuth struct {
	user     string
	password SecretSource

	mu         sync.Mutex
	challenges map[origin]*digestChallenge
}

// digestChallenge is what the server asked for, and how often its nonce was used.
type digestChallenge struct {
	realm, nonce, opaque string
	algorithm            string // as written; "" is MD5
	qop                  bool   // auth was offered; else the form of RFC 2069
	userhash             bool
	count                uint32
}

func (d *digestAuth) attach(r *http.Request) error {
	c, count := d.challenge(originOf(r.URL))
	if c == nil {
		return nil // the answer will bring one
	}
	password, err := ask(r.Context(), d.password)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", c.authorization(r, d.user, password, count, rand.Text()))
	return nil
}

// challenge is the origin's, and which use of its nonce this one is.
func (d *digestAuth) challenge(of origin) (*digestChallenge, uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.challenges[of]
	if c == nil {
		return nil, 0
	}
	c.count++
	return c, c.count
}

// answered takes a 401's challenge, or the next nonce that any answer may name
// (RFC 7616, section 3.5). A nonce that was refused although it is the current
// one, and not for its age, means that the password is to blame.
func (d *digestAuth) answered(resp *http.Response) bool {
	of, sent := originOf(resp.Request.URL), resp.Request.Header.Get("Authorization")
	if resp.StatusCode != http.StatusUnauthorized {
		d.takeNext(of, resp.Header)
		return false
	}
	offered, stale := digestOffered(resp.Header)
	if offered == nil || len(offered.nonce) > maxNonce {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	current := d.challenges[of]
	blamed := current != nil && sent != "" && !stale && strings.Contains(sent, quoted("nonce", current.nonce))
	if current != nil && current.nonce == offered.nonce {
		return !blamed // its count goes on
	}
	if d.challenges == nil || len(d.challenges) >= maxDigestOrigins {
		d.challenges = map[origin]*digestChallenge{}
	}
	d.challenges[of] = offered
	return !blamed
}

const (
	maxNonce         = 4 << 10
	maxDigestOrigins = 64 // Auth.Origins are few: what goes beyond is not worth a finer rule
)

func (d *digestAuth) takeNext(of origin, h http.Header) {
	info := header.Challenges(http.Header{"Www-Authenticate": {"Digest " + h.Get("Authentication-Info")}})
	if h.Get("Authentication-Info") == "" || len(info) == 0 || info[0].Params["nextnonce"] == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.challenges[of]; c != nil && len(info[0].Params["nextnonce"]) <= maxNonce {
		next := *c // requests under way have the old one
		next.nonce, next.count = info[0].Params["nextnonce"], 0
		d.challenges[of] = &next
	}
}

// digestOffered is the best challenge of a 401 that can be answered here.
func digestOffered(h http.Header) (best *digestChallenge, stale bool) {
	for _, c := range header.Challenges(h) {
		p := c.Params
		hash, _ := digestHash(p["algorithm"])
		qop := p["qop"] == ""
		for option := range strings.SplitSeq(p["qop"], ",") {
			qop = qop || strings.EqualFold(strings.TrimSpace(option), "auth")
		}
		if !strings.EqualFold(c.Scheme, "Digest") || p["nonce"] == "" || hash == nil || !qop {
			continue
		}
		if best == nil || strings.HasPrefix(strings.ToUpper(p["algorithm"]), "SHA-256") {
			best = &digestChallenge{realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"], algorithm: p["algorithm"],
				qop: p["qop"] != "", userhash: strings.EqualFold(p["userhash"], "true")}
			stale = strings.EqualFold(p["stale"], "true")
		}
	}
	return best, stale
}

// digestHash is the hash that an algorithm names, nil for one not known here,
// and whether it is of a session.
func digestHash(algorithm string) (newHash func() hash.Hash, session bool) {
	name, session := strings.CutSuffix(strings.ToUpper(algorithm), "-SESS")
	switch name {
	case "", "MD5":
		return md5.New, session
	case "SHA-256":
		return sha256.New, session
	}
	return nil, false
}

// authorization is the header's value (RFC 7616, section 3.4).
func (c *digestChallenge) authorization(r *http.Request, user string, password Secret, count uint32, cnonce string) string {
	newHash, session := digestHash(c.algorithm)
	h := func(parts ...string) string {
		sum := newHash()
		_, _ = sum.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(sum.Sum(nil))
	}
	target := r.URL.RequestURI()
	nc := fmt.Sprintf("%08x", count)
	a1 := h(user, c.realm, password.Reveal())
	if session {
		a1 = h(a1, c.nonce, cnonce)
	}
	a2 := h(r.Method, target)
	response := h(a1, c.nonce, a2)
	if c.qop {
		response = h(a1, c.nonce, nc, cnonce, "auth", a2)
	}
	if c.userhash {
		user = h(user, c.realm)
	}
	fields := []string{
		quoted("username", user), quoted("realm", c.realm),
		quoted("nonce", c.nonce), quoted("uri", target), quoted("response", response),
	}
	if c.algorithm != "" {
		fields = append(fields, "algorithm="+c.algorithm)
	}
	if c.qop {
		fields = append(fields, "qop=auth", "nc="+nc)
	}
	if c.qop || session {
		fields = append(fields, quoted("cnonce", cnonce))
	}
	if c.opaque != "" {
		fields = append(fields, quoted("opaque", c.opaque))
	}
	if c.userhash {
		fields = append(fields, "userhash=true")
	}
	return "Digest " + strings.Join(fields, ", ")
}

// quoted is a parameter whose value is a quoted-string (RFC 9110, section 5.6.4).
func quoted(name, value string) string {
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
