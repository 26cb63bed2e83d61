package webhook

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// SendGrid is the scheme of SendGrid's Event Webhook: ECDSA with P-256 over the
// time and the body, which ends with a line break. A secret is no secret here but
// the verification key that SendGrid shows, base64 without PEM's lines; for
// [Scheme.Sign] it is a private key, PKCS #8 or SEC 1, in base64.
// See https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features.
//
// A delivery holds many events: all are stored or none. The key of each is
// sg_event_id, or its hash if it has none; the type is event, the time timestamp,
// and Body the event's own JSON.
func SendGrid(keys ...Secret) Scheme {
	s := newScheme("SendGrid", keys, func(key signature.Key) (method, error) { return &sendgrid{key: key}, nil })
	s.Read = readSendGrid
	return s
}

const (
	sendgridSignature = "X-Twilio-Email-Event-Webhook-Signature"
	sendgridTimestamp = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// sendgrid is the method of one key.
type sendgrid struct {
	key  signature.Key
	last atomic.Pointer[ecdsaKey]
}

// ecdsaKey is a key that was read.
type ecdsaKey struct {
	raw     []byte
	public  *ecdsa.PublicKey
	private *ecdsa.PrivateKey // nil for a key that can only verify
}

// Verify implements [signature.Verifier].
func (m *sendgrid) Verify(r *http.Request, body []byte, _ time.Time) (signature.Verified, error) {
	key, err := m.read(r.Context())
	if err != nil {
		return signature.Verified{}, err
	}
	value, err := signedHeader(r, sendgridSignature)
	if err != nil {
		return signature.Verified{}, err
	}
	stamp, err := signedHeader(r, sendgridTimestamp)
	if err != nil {
		return signature.Verified{}, err
	}
	seconds, err := parseSeconds(stamp)
	if err != nil {
		return signature.Verified{}, err
	}
	sum, err := decodeBase64(value)
	switch {
	case err != nil:
		return signature.Verified{}, refusef("%s is not base64", sendgridSignature)
	case len(body) > 0 && body[0] >= '0' && body[0] <= '9':
		// Nothing stands between the time and the body: a digit could be of either.
		return signature.Verified{}, refusef("the body begins with a digit, which may be the time's")
	case !ecdsa.VerifyASN1(key.public, digestOf(stamp, body), sum):
		return signature.Verified{}, refusef("the signature in %s does not match: is it the right key, and the body byte for byte as it came?", sendgridSignature)
	}
	return signature.Verified{Time: time.Unix(seconds, 0)}, nil
}

func (m *sendgrid) sign(r *http.Request, body []byte, now time.Time) error {
	key, err := m.read(r.Context())
	switch {
	case err != nil:
		return err
	case key.private == nil:
		return errors.New("webhook: SendGrid: a verification key can verify only: sign with a private key")
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	sum, err := ecdsa.SignASN1(rand.Reader, key.private, digestOf(stamp, body))
	r.Header.Set(sendgridTimestamp, stamp)
	r.Header.Set(sendgridSignature, base64.StdEncoding.EncodeToString(sum))
	return err
}

func digestOf(stamp string, body []byte) []byte {
	h := sha256.New()
	h.Write([]byte(stamp))
	h.Write(body)
	return h.Sum(nil)
}

// read asks for the key, and reads it if it is another than before.
func (m *sendgrid) read(ctx context.Context) (*ecdsaKey, error) {
	raw, err := bytesOf(ctx, m.key)
	if err != nil {
		return nil, err
	}
	if last := m.last.Load(); last != nil && bytes.Equal(last.raw, raw) {
		return last, nil
	}
	key := parseECDSA(raw)
	if key == nil {
		return nil, errors.New("webhook: SendGrid: the key is not base64 of a P-256 key: give it as SendGrid shows it")
	}
	m.last.Store(key)
	return key, nil
}

func parseECDSA(raw []byte) *ecdsaKey {
	der, err := decodeBase64(string(raw))
	if err != nil {
		return nil
	}
	key := &ecdsaKey{raw: bytes.Clone(raw)}
	if public, err := x509.ParsePKIXPublicKey(der); err == nil {
		key.public, _ = public.(*ecdsa.PublicKey)
	} else if private, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		key.private, _ = private.(*ecdsa.PrivateKey)
	} else {
		key.private, _ = x509.ParseECPrivateKey(der)
	}
	if key.private != nil {
		key.public = &key.private.PublicKey
	}
	if key.public == nil || key.public.Curve != elliptic.P256() {
		return nil
	}
	return key
}

func readSendGrid(d Delivery) ([]inbox.Event, error) {
	var elements []json.RawMessage
	if json.Unmarshal(d.Body, &elements) != nil || len(elements) == 0 {
		return nil, malformedf("it is no list of events")
	}
	if len(elements) > maxBatch {
		return nil, malformedf("it has %d events, and %d at most may be in one", len(elements), maxBatch)
	}
	events := make([]inbox.Event, len(elements))
	for i, raw := range elements {
		if raw[0] != '{' {
			return nil, malformedf("its element %d is no event", i)
		}
		doc := document{raw: raw}
		key, ok := doc.text("/sg_event_id")
		if !ok {
			key = hashOf(raw)
		}
		typ, _ := doc.text("/event")
		when, _ := doc.text("/timestamp")
		events[i] = inbox.Event{Key: bounded(key), Type: typ, Occurred: moment(when), Body: raw}
	}
	return events, nil
}

// maxBatch is how many events one delivery may hold. SendGrid sends 768 KB at
// most, and no event has fewer than 100 bytes.
const maxBatch = 10_000
