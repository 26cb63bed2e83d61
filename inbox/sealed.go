package inbox

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Sealed returns a store that keeps bodies and headers encrypted in s, each under
// a nonce of its own and bound to its Source and Key. What is searched by stays
// readable: Source, Key, Type, Order, times, and the errors in histories.
//
// The AEAD has a nonce of at least 12 bytes: with AES-GCM a key is good for some
// billion events, with XChaCha20-Poly1305 for any number. An event that was not
// sealed, or with another key, becomes a dead letter when it is claimed, and is
// listed without its body; so begin with an empty store, and to change the key give
// an AEAD of your own that opens with the old one, too.
func Sealed(s Store, aead cipher.AEAD) (Store, error) {
	if s == nil || aead == nil {
		return nil, errors.New("inbox: Sealed needs a store and an AEAD")
	}
	if aead.NonceSize() < 12 {
		return nil, fmt.Errorf("inbox: Sealed needs an AEAD with a nonce of 12 bytes or more, and this one's has %d: random ones would repeat", aead.NonceSize())
	}
	return &sealed{s, aead}, nil
}

type sealed struct {
	Store
	aead cipher.AEAD
}

// content is what is encrypted.
type content struct {
	Header http.Header `json:"h,omitempty"`
	Body   []byte      `json:"b"`
}

// seal returns events that tell nothing but their digests, which are the bodies'
// own: who guesses a body can see that it is the one.
func (s *sealed) seal(events []Event) ([]Event, error) {
	out := make([]Event, len(events))
	for i := range events {
		e := events[i]
		if err := e.Check(); err != nil {
			return nil, err
		}
		e.Digest = e.Fingerprint()
		plain, err := json.Marshal(content{e.Header, e.Body})
		if err != nil {
			return nil, err
		}
		nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
		_, _ = rand.Read(nonce) // it never fails
		e.Body, e.Header = s.aead.Seal(nonce, nonce, plain, bound(&e)), nil
		out[i] = e
	}
	return out, nil
}

// bound is what a sealed body belongs to.
func bound(e *Event) []byte { return fmt.Appendf(nil, "%d:%s%s", len(e.Source), e.Source, e.Key) }

func (s *sealed) open(records []Record) error {
	for i := range records {
		r := &records[i]
		if r.Body == nil { // it was purged
			continue
		}
		n := s.aead.NonceSize()
		if len(r.Body) < n {
			return fmt.Errorf("inbox: record %d is not sealed", r.Seq)
		}
		plain, err := s.aead.Open(nil, r.Body[:n], r.Body[n:], bound(&r.Event))
		var c content
		if err == nil {
			err = json.Unmarshal(plain, &c)
		}
		if err != nil {
			return fmt.Errorf("inbox: record %d cannot be opened: is it sealed with this key? %w", r.Seq, err)
		}
		r.Body, r.Header = notNil(c.Body), c.Header
	}
	return nil
}

func (s *sealed) Insert(ctx context.Context, events ...Event) ([]Outcome, error) {
	events, err := s.seal(events)
	if err != nil {
		return nil, err
	}
	return s.Store.Insert(ctx, events...)
}

func (s *sealed) Commit(ctx context.Context, name string, fence int64, value string, events ...Event) ([]Outcome, error) {
	events, err := s.seal(events)
	if err != nil {
		return nil, err
	}
	return s.Store.Commit(ctx, name, fence, value, events...)
}

// Claim makes dead letters of events that cannot be opened: they would be claimed
// again for ever, and the others with them.
func (s *sealed) Claim(ctx context.Context, c Claim) ([]Record, time.Duration, error) {
	records, next, err := s.Store.Claim(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	out := records[:0]
	for i := range records {
		if err := s.open(records[i : i+1]); err != nil {
			if _, err := s.Settle(ctx, Settlement{Lease: records[i].Lease(), State: StateDead, Error: err.Error()}); err != nil {
				return nil, 0, err
			}
			continue
		}
		out = append(out, records[i])
	}
	return out, next, nil
}

func (s *sealed) Last(ctx context.Context, source, order string) (*Record, error) {
	r, err := s.Store.Last(ctx, source, order)
	if err != nil || r == nil {
		return nil, err
	}
	one := []Record{*r}
	err = s.open(one)
	return &one[0], err
}

func (s *sealed) List(ctx context.Context, q Query) ([]Record, error) {
	records, err := s.Store.List(ctx, q)
	for i := range records {
		if err := s.open(records[i : i+1]); err != nil {
			records[i].Body, records[i].Header = nil, nil
		}
	}
	return records, err
}
