package webhook

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// Scheme is how a sender signs its deliveries and what they hold. [Stripe],
// [GitHub], [Slack], [StandardWebhooks], [Svix], [Shopify], [Twilio], [Zoom],
// [Square], [CircleCI] and [SendGrid] make schemes; [HMAC] and [Verifier] are for
// everybody else. The fields may be changed before it is used:
//
//	s := webhook.Svix(secret)
//	s.Tolerance = 15 * time.Minute
//
// A [Handler] does all that is to be done with one. [Scheme.Verify] and Read are
// for who takes deliveries in without: first the one, then the other.
type Scheme struct {
	// Name is what hooks and errors call it.
	Name string
	// Tolerance is how far the signed time may be from now, either way:
	// [signature.DefaultTolerance], 5 minutes, if zero. Schemes that sign no time
	// have nothing to be checked, and that of [Verifier] checks it itself.
	Tolerance time.Duration
	// Read takes the events out of a delivery whose signature is good: their Key,
	// Type, Order, Occurred, Body and Digest, and the headers that are not as the
	// request has them. An error that is [ErrMalformed] is the delivery's fault.
	Read func(Delivery) ([]inbox.Event, error)

	*core // never changed once the scheme is made; nil for the zero Scheme
}

// core is what of a scheme is not the user's to change.
type core struct {
	secrets []prepared
	keep    []string // headers that are kept
	// handshake answers what is no event but a question whether this endpoint is
	// the owner's; nil if it is an event.
	handshake func(Delivery, signature.Key) (*reply, error)
	// dress gives a delivery that is made for a test the headers that Read needs.
	dress  func(*http.Request)
	timed  bool // Tolerance counts
	faulty error
}

// prepared is a secret that is ready to be used.
type prepared struct {
	Secret
	name string
	method
}

// method is a scheme's way to sign and verify with one key.
type method interface {
	signature.Verifier
	// sign signs r, whose body is body.
	sign(r *http.Request, body []byte, now time.Time) error
}

// reply answers a handshake.
type reply struct {
	contentType string
	body        []byte
}

// Delivery is a request whose signature is good.
type Delivery struct {
	// Request is the request, whose Body has been read.
	Request *http.Request
	// Body is what was read, byte for byte.
	Body []byte
	// Verified is what the signature vouches for.
	Verified Verified
}

// Verified is what a good signature vouches for.
type Verified struct {
	// Secret is the name of the secret that matched: the first, if several do. When
	// an old one appears no more its rotation is done.
	Secret string
	// ID is the signed message id, and Time when it was signed; zero where the
	// scheme signs none.
	ID   string
	Time time.Time
	// Faulty is what was wrong with another secret, which cannot be had or is no
	// key: a mistake that would show only when the rotation ends.
	Faulty error

	index int
}

// ErrMalformed means that a delivery is well signed, and cannot be read.
var ErrMalformed = errors.New("webhook: the delivery cannot be read")

// malformedf says why. What it says holds nothing of the delivery's own.
func malformedf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// fault is a request's fault, in words of its own.
type fault struct {
	sentinel error
	text     string
}

func (e *fault) Error() string { return e.text }
func (e *fault) Unwrap() error { return e.sentinel }

func refusef(format string, args ...any) error {
	return &fault{signature.ErrSignature, "webhook: " + fmt.Sprintf(format, args...)}
}

// settingsError is this side's own mistake.
type settingsError struct{ text string }

func (e *settingsError) Error() string { return e.text }

func settingsf(format string, args ...any) error {
	return &settingsError{"webhook: " + fmt.Sprintf(format, args...)}
}

// newScheme makes ready a method for each secret.
func newScheme(name string, secrets []Secret, build func(signature.Key) (method, error)) Scheme {
	s := Scheme{Name: name, core: &core{timed: true}}
	if len(secrets) == 0 {
		s.faulty = settingsf("%s has no secret: give it one, for without it nothing is proved", name)
	}
	for i, secret := range secrets {
		err := secret.check(name, i)
		p := prepared{Secret: secret, name: cmp.Or(secret.Name, "secret "+strconv.Itoa(i+1))}
		if err == nil {
			p.method, err = build(secret.Key)
		}
		if err == nil && slices.ContainsFunc(s.secrets, func(other prepared) bool { return other.name == p.name }) {
			err = settingsf("%s has two secrets of the name %q: which one matched could not be told", name, p.name)
		}
		s.faulty = cmp.Or(s.faulty, err)
		s.secrets = append(s.secrets, p)
	}
	return s
}

// HMAC is a scheme of one's own: how h says, without its Keys, with the secrets,
// and with the event's parts where f says. h.Tolerance becomes the scheme's.
//
//	acme := signature.Slack()
//	acme.Header, acme.TimestampHeader = "X-Acme-Signature", "X-Acme-Timestamp"
//	scheme := webhook.HMAC(acme, webhook.Fields{Key: "{header:X-Acme-Id}", Type: "{body:/type}"}, webhook.Static(secret))
//
// Without a Key the event's is the signed id, or where there is none the body's
// hash: then a sender that means to say the same twice is heard once.
func HMAC(h signature.HMAC, f Fields, secrets ...Secret) Scheme {
	s := newScheme("HMAC", secrets, hmacMethod(h))
	s.Tolerance = h.Tolerance
	if len(h.Keys) > 0 {
		s.faulty = cmp.Or(s.faulty, settingsf("HMAC: leave h.Keys out, and give the secrets"))
	}
	return s.reading(f)
}

// Verifier is a scheme whose signatures v verifies, such as a
// [signature.MessageSignature] of RFC 9421, or one of your own. It has no secrets
// but v's own, minds Tolerance itself, and cannot Sign unless v is a
// [signature.Signer]. See [HMAC] for f.
func Verifier(v signature.Verifier, f Fields) Scheme {
	s := Scheme{Name: "Verifier", core: &core{secrets: []prepared{{method: foreign{v}}}}}
	if v == nil {
		s.faulty = settingsf("Verifier is nil")
	}
	return s.reading(f)
}

// reading has the scheme read events as f says.
func (s Scheme) reading(f Fields) Scheme {
	c, err := f.compile()
	s.faulty, s.Read = cmp.Or(s.faulty, err), c.read
	return s
}

// String is its name, and none of its secrets.
func (s Scheme) String() string { return cmp.Or(s.Name, "webhook.Scheme") }

// Format writes String for every verb.
func (s Scheme) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Check reports what is wrong with the settings, without asking for a key.
func (s Scheme) Check() error {
	switch {
	case s.core == nil:
		return settingsf("the Scheme is empty: make one with Stripe, GitHub, HMAC or another function")
	case s.faulty != nil:
		return s.faulty
	case s.Read == nil:
		return settingsf("%s: Read is nil", s.Name)
	case s.Tolerance < 0:
		return settingsf("%s: Tolerance is negative", s.Name)
	}
	return nil
}

// Verify tells whether one of the secrets has signed r, whose body has been read
// into body, byte for byte as it came: it is cut at no place and decoded by
// nobody. Its error is [signature.ErrSignature] for a request that none has
// signed, whatever is wrong with it, and [signature.ErrExpired] for one that was
// signed, but not lately; any other is about a secret or the settings and no fault
// of the request. Safe for concurrent use.
//
// Each secret that is in its time is tried, whether one before it has matched or
// not. One that cannot be had matters only if no other matches.
func (s Scheme) Verify(r *http.Request, body []byte, now time.Time) (Verified, error) {
	if s.core == nil || s.faulty != nil || s.Tolerance < 0 {
		return Verified{}, s.Check()
	}
	var found Verified
	var refused, faulty error
	tried, matched := 0, false
	for i := range s.secrets {
		p := &s.secrets[i]
		if !p.good(now) {
			continue
		}
		tried++
		v, err := p.Verify(r, body, now)
		switch {
		case err == nil:
			if !matched {
				matched, found.index = true, i
				found.Secret, found.ID, found.Time = p.nameOf(&v), v.ID, v.Time
			}
		case errors.Is(err, signature.ErrSignature) || errors.Is(err, signature.ErrExpired):
			refused = cmp.Or(refused, err)
		default:
			faulty = cmp.Or(faulty, fmt.Errorf("webhook: %s: the secret %q: %w", s.Name, cmp.Or(p.name, strconv.Itoa(i+1)), err))
		}
	}
	switch {
	case matched:
		found.Faulty = faulty
		return found, s.timely(found.Time, now)
	case faulty != nil:
		return Verified{}, faulty
	case tried == 0:
		return Verified{}, settingsf("%s: none of %d secrets is in its time", s.Name, len(s.secrets))
	case tried > 1:
		return Verified{}, &fault{signature.ErrSignature, fmt.Sprintf("webhook: %s: not signed with any of %d secrets; with the first: %v", s.Name, tried, refused)}
	}
	return Verified{}, refused
}

// nameOf is what the secret that matched is called.
func (p *prepared) nameOf(v *signature.Verified) string {
	switch {
	case p.name != "":
		return p.name
	case v.KeyID != "":
		return v.KeyID
	}
	return "key " + strconv.Itoa(v.Key+1)
}

// timely refuses what was signed too long ago, or by a clock too far ahead.
func (s Scheme) timely(signed, now time.Time) error {
	if !s.timed || signed.IsZero() {
		return nil
	}
	most := cmp.Or(s.Tolerance, signature.DefaultTolerance)
	if age := now.Sub(signed); age <= most && age >= -most {
		return nil
	}
	return &fault{signature.ErrExpired, fmt.Sprintf("webhook: %s: signed at %s, which is not within %v of %s",
		s.Name, signed.UTC().Format(time.RFC3339), most, now.UTC().Format(time.RFC3339))}
}

// Sign makes r a delivery of body as the sender would, for a test of your own: it
// sets the body, the signature's headers with the first secret that is in its
// time, and the headers that Read needs where r has none. Twilio's also writes
// r's query. The key must be one that can sign; [SendGrid] and ed25519 have
// others for verifying.
//
//	r := httptest.NewRequest("POST", "/stripe", nil)
//	err := scheme.Sign(r, body, time.Now())
func (s Scheme) Sign(r *http.Request, body []byte, now time.Time) error {
	if err := s.Check(); err != nil {
		return err
	}
	i := slices.IndexFunc(s.secrets, func(p prepared) bool { return p.good(now) })
	if i < 0 {
		return settingsf("%s: none of %d secrets is in its time", s.Name, len(s.secrets))
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	body = bytes.Clone(body)
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength = int64(len(body))
	if s.dress != nil {
		s.dress(r)
	}
	return s.secrets[i].sign(r, body, now)
}

// hmacMethod makes a method of a description and a key. Time is the scheme's to
// check, which may be changed later.
func hmacMethod(h signature.HMAC) func(signature.Key) (method, error) {
	return func(key signature.Key) (method, error) {
		h.Keys, h.Tolerance = []signature.Key{key}, math.MaxInt64
		p, err := h.Prepare()
		if err != nil {
			return nil, settingsf("%v", err)
		}
		return shared{p}, nil
	}
}

// shared is a method of package signature.
type shared struct{ *signature.Prepared }

func (m shared) sign(r *http.Request, _ []byte, now time.Time) error { return m.Sign(r, now) }

// foreign is somebody else's method.
type foreign struct{ signature.Verifier }

func (m foreign) sign(r *http.Request, _ []byte, now time.Time) error {
	if signer, ok := m.Verifier.(signature.Signer); ok {
		return signer.Sign(r, now)
	}
	return errors.New("webhook: Verifier: it can verify only, for it is no signature.Signer")
}

// either takes the first of two methods whose header is there: a vendor's old
// name for it, and the new one.
type either struct {
	header        string
	first, second method
}

func (m either) Verify(r *http.Request, body []byte, now time.Time) (signature.Verified, error) {
	if _, ok := r.Header[m.header]; ok {
		return m.first.Verify(r, body, now)
	}
	return m.second.Verify(r, body, now)
}

func (m either) sign(r *http.Request, body []byte, now time.Time) error {
	return m.first.sign(r, body, now)
}

// eitherMethod is a method of two descriptions.
func eitherMethod(first, second signature.HMAC) func(signature.Key) (method, error) {
	return func(key signature.Key) (method, error) {
		one, err := hmacMethod(first)(key)
		if err != nil {
			return nil, err
		}
		other, err := hmacMethod(second)(key)
		return either{http.CanonicalHeaderKey(first.Header), one, other}, err
	}
}
