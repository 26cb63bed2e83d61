package inbox

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
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
// sealed, or with another key, becomes a dead letter when it is to be handled, and is
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

// sealedAs is the first byte of a sealed body: how the rest is written.
const sealedAs = 1

// seal returns events that tell nothing but their digests, which are the bodies'
// own: who guesses a body can see that it is the one. A sealed body is a byte, the
// nonce, and encrypted the header's length, the header as JSON, and the body.
func (s *sealed) seal(events []Event) ([]Event, error) {
	out := make([]Event, len(events))
	for i := range events {
		e := events[i]
		if err := e.Check(); err != nil {
			return nil, err
		}
		e.Digest = e.Fingerprint()
		header, err := encodeHeader(e.Header)
		if err != nil {
			return nil, err
		}
		plain := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(header)+len(e.Body)), uint32(len(header)))
		plain = append(append(plain, header...), e.Body...)
		nonce := make([]byte, s.aead.NonceSize())
		_, _ = rand.Read(nonce) // it never fails
		text := make([]byte, 0, 1+len(nonce)+len(plain)+s.aead.Overhead())
		e.Body, e.Header = s.aead.Seal(append(append(text, sealedAs), nonce...), nonce, plain, bound(&e)), nil
		out[i] = e
	}
	return out, nil
}

// bound is what a sealed body belongs to.
func bound(e *Event) []byte { return fmt.Appendf(nil, "%d:%s%s", len(e.Source), e.Source, e.Key) }

// open opens a record, or takes its body away and says why.
func (s *sealed) open(r *Record) {
	if r.Body == nil { // it was purged
		return
	}
	header, body, err := s.content(r)
	if err != nil {
		r.Header, r.Body = nil, nil
		r.unreadable = fmt.Errorf("inbox: record %d cannot be opened: was it sealed with this key? %w", r.Seq, err)
		return
	}
	r.Header, r.Body = header, body
}

func (s *sealed) content(r *Record) (http.Header, []byte, error) {
	n := 1 + s.aead.NonceSize()
	if len(r.Body) < n || r.Body[0] != sealedAs {
		return nil, nil, errors.New("it is not sealed")
	}
	plain, err := s.aead.Open(nil, r.Body[1:n], r.Body[n:], bound(&r.Event))
	if err != nil {
		return nil, nil, err
	}
	if len(plain) < 4 || len(plain)-4 < int(binary.BigEndian.Uint32(plain)) {
		return nil, nil, errors.New("it is cut short")
	}
	end := 4 + int(binary.BigEndian.Uint32(plain))
	header, err := decodeHeader(string(plain[4:end]))
	return header, plain[end:len(plain):len(plain)], err
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

func (s *sealed) Claim(ctx context.Context, c Claim) ([]Record, time.Duration, error) {
	records, next, err := s.Store.Claim(ctx, c)
	for i := range records {
		s.open(&records[i])
	}
	return records, next, err
}

func (s *sealed) Last(ctx context.Context, source, order string) (*Record, error) {
	r, err := s.Store.Last(ctx, source, order)
	if r != nil {
		s.open(r)
	}
	return r, err
}

func (s *sealed) List(ctx context.Context, q Query) ([]Record, error) {
	records, err := s.Store.List(ctx, q)
	for i := range records {
		s.open(&records[i])
	}
	return records, err
}
