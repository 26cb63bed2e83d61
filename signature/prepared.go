package signature

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Prepared is an [HMAC] that has been looked through, and keeps what its keys are
// made into: as long as they stay the same, it verifies what a shared secret has
// signed of time, id and body without allocating. It is a [Signer] and a [Verifier], safe for concurrent use.
type Prepared struct {
	recipe *recipe
	keys   []atomic.Pointer[hmacKey] // the last of each
	spare  sync.Pool                 // of *envelope, with MACs of these keys
}

var (
	_ Signer   = (*Prepared)(nil)
	_ Verifier = (*Prepared)(nil)
)

// Prepare looks the description through once, for who verifies often. It fails
// as [HMAC.Check] does, and for what [HMAC.Verify] refuses besides: a Content that
// two messages could share. Keys are still asked at each use.
func (h HMAC) Prepare() (*Prepared, error) {
	c, err := h.recipe()
	if err == nil {
		err = c.separable()
	}
	if err != nil {
		return nil, err
	}
	return &Prepared{recipe: c, keys: make([]atomic.Pointer[hmacKey], len(c.Keys))}, nil
}

// Sign is [HMAC.Sign].
func (p *Prepared) Sign(r *http.Request, now time.Time) error {
	if err := checkSigning(r, now); err != nil {
		return err
	}
	return ownFault(p.recipe.sign(r, now))
}

// Verify is [HMAC.Verify].
func (p *Prepared) Verify(r *http.Request, body []byte, now time.Time) (Verified, error) {
	if err := checkRequest(r); err != nil {
		return Verified{}, err
	}
	var room [4]*hmacKey
	keys := room[:0]
	for i := range p.keys {
		key, err := p.key(r, i)
		if err != nil {
			return Verified{}, err
		}
		keys = append(keys, key)
	}
	m, _ := p.spare.Get().(*envelope)
	if m == nil {
		m = new(envelope)
	}
	m.reset(r, body)
	v, err := p.recipe.verify(m, keys, now)
	m.reset(nil, nil)
	p.spare.Put(m)
	return v, err
}

// key asks for the i-th key, and makes it ready if it is another than before.
func (p *Prepared) key(r *http.Request, i int) (*hmacKey, error) {
	raw, err := p.recipe.Keys[i].bytes(r.Context(), keyName(i))
	if err != nil {
		return nil, err
	}
	if last := p.keys[i].Load(); last != nil && bytes.Equal(last.raw, raw) {
		return last, nil
	}
	key, err := p.recipe.key(raw, i)
	if err != nil {
		return nil, err
	}
	p.keys[i].Store(key)
	return key, nil
}

// verify tries every key, whether one before it has matched or not.
func (c *recipe) verify(m *envelope, keys []*hmacKey, now time.Time) (Verified, error) {
	if err := c.receive(m); err != nil {
		return Verified{}, err
	}
	found := -1
	for i, key := range keys {
		good, err := key.verify(c, m, i)
		if err != nil {
			return Verified{}, err
		}
		if good && found < 0 {
			found = i
		}
	}
	if found < 0 {
		return Verified{}, c.mismatch
	}
	v := Verified{Key: found, ID: m.id, Time: m.time}
	if c.timestamp && c.Tolerance < math.MaxInt64 {
		if age := now.Sub(m.time); age > c.Tolerance || age < -c.Tolerance {
			return Verified{}, expiredf("signed at %s, which is not within %v of %s", m.time.UTC().Format(time.RFC3339), c.Tolerance, now.UTC().Format(time.RFC3339))
		}
	}
	return v, nil
}

// Format writes what it is for every verb, and none of its keys.
func (p *Prepared) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "signature.Prepared") }
