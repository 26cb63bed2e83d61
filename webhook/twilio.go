package webhook

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs with nothing else
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// Twilio is Twilio's scheme: X-Twilio-Signature is "<base64>" of HMAC-SHA1, which
// Twilio offers nothing better than, over the URL that it called and the form's
// fields; a JSON body is vouched for by its hash in the URL, bodySHA256. A secret
// is an auth token of the account: while one is rotated give both.
// See https://www.twilio.com/docs/usage/security#validating-requests.
//
// publicURL is what Twilio was told to call, such as https://api.example/sms,
// without the query, which is the request's: behind a proxy nothing in the request
// says it for sure. Without a path it is the request's too. The URL is tried with
// and without its port, since Twilio is not of one mind about it.
//
// In what Twilio signs nothing stands between a field's name, its value and the
// next one's name, so one signature is good for forms that are cut in other places.
// That is the scheme's own weakness, and nothing can be done about it here.
//
// The key is I-Twilio-Idempotency-Token, which is not signed; without it, a hash of
// the URL and the body. The type is the field EventType, MessageStatus or
// CallStatus, the first there is. No time is signed, and the answer is empty.
func Twilio(publicURL string, authTokens ...Secret) Scheme {
	u, err := url.Parse(publicURL)
	s := newScheme("Twilio", authTokens, func(key signature.Key) (method, error) { return &twilio{key: key, public: u}, nil })
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		s.faulty = settingsf("Twilio: the public URL is no URL such as https://api.example/sms, without a query")
	}
	s.keep = []string{"I-Twilio-Idempotency-Token"}
	s.Read = readTwilio
	return s
}

const twilioSignature = "X-Twilio-Signature"

// twilio is the method of one key.
type twilio struct {
	key    signature.Key
	public *url.URL
}

// Verify implements [signature.Verifier].
func (m *twilio) Verify(r *http.Request, body []byte, _ time.Time) (signature.Verified, error) {
	secret, err := bytesOf(r.Context(), m.key)
	if err != nil {
		return signature.Verified{}, err
	}
	value, err := signedHeader(r, twilioSignature)
	if err != nil {
		return signature.Verified{}, err
	}
	sum, err := decodeBase64(value)
	if err != nil {
		return signature.Verified{}, refusef("%s is not base64", twilioSignature)
	}
	text, err := signedFields(r, body)
	if err != nil {
		return signature.Verified{}, err
	}
	good := false
	for _, u := range m.urls(r) {
		good = hmac.Equal(macSHA1(secret, u+text), sum) || good
	}
	if !good {
		return signature.Verified{}, refusef("the signature in %s does not match: is it the right auth token, the URL that Twilio was told, and the body as it came?", twilioSignature)
	}
	return signature.Verified{}, nil
}

func (m *twilio) sign(r *http.Request, body []byte, _ time.Time) error {
	if len(body) > 0 && !isForm(r) {
		if r.Header.Get("Content-Type") == "" && !strings.HasPrefix(string(body), "{") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		} else {
			setBodyHash(r, body)
		}
	}
	text, err := signedFields(r, body)
	if err != nil {
		return err
	}
	secret, err := bytesOf(r.Context(), m.key)
	if err != nil {
		return err
	}
	r.Header.Set(twilioSignature, base64.StdEncoding.EncodeToString(macSHA1(secret, m.urls(r)[0]+text)))
	return nil
}

// setBodyHash writes the body's hash into the URL, where it is not there.
func setBodyHash(r *http.Request, body []byte) {
	setDefault(r, "Content-Type", "application/json")
	if r.URL.Query().Has("bodySHA256") {
		return
	}
	u := *r.URL
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&bodySHA256="+hexSHA256(body), "&")
	r.URL = &u
}

// urls are those that Twilio may have signed: as it was told, without a port, and
// with the scheme's own.
func (m *twilio) urls(r *http.Request) []string {
	path, query := m.public.EscapedPath(), ""
	if path == "" {
		path = r.URL.EscapedPath()
	}
	if r.URL.RawQuery != "" {
		query = "?" + r.URL.RawQuery
	}
	head := m.public.Scheme + "://"
	if m.public.User != nil {
		head += m.public.User.String() + "@"
	}
	bare := strings.TrimSuffix(m.public.Host, ":"+m.public.Port())
	own := ":443"
	if m.public.Scheme == "http" {
		own = ":80"
	}
	var out []string
	for _, host := range []string{m.public.Host, bare, bare + own} {
		if u := head + host + path + query; !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// signedFields is what is signed after the URL: a form's fields, sorted by name, the
// values of one name sorted and each once. Any other body must have its hash in
// the URL, which is signed.
func signedFields(r *http.Request, body []byte) (string, error) {
	switch hashes := r.URL.Query()["bodySHA256"]; {
	case len(hashes) > 1:
		return "", refusef("the URL has bodySHA256 %d times", len(hashes))
	case len(hashes) == 1:
		if !strings.EqualFold(hashes[0], hexSHA256(body)) { // no secret: no need for constant time
			return "", refusef("the body is not the one whose bodySHA256 is in the URL")
		}
		return "", nil
	case len(body) == 0:
		return "", nil
	case !isForm(r):
		return "", refusef("the body is no form, and the URL has no bodySHA256 of it")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", refusef("the form's fields are not well escaped")
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values := form[name]
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			b.WriteString(name + value)
		}
	}
	return b.String(), nil
}

func macSHA1(secret []byte, text string) []byte {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexSHA256(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func readTwilio(d Delivery) ([]inbox.Event, error) {
	key, err := headerOf(d.Request, "I-Twilio-Idempotency-Token")
	if err != nil {
		return nil, err
	}
	if key == "" {
		key = hashOf([]byte(d.Request.URL.RequestURI() + "\n" + string(d.Body)))
	}
	e := inbox.Event{Key: bounded(key), Body: d.Body}
	var form url.Values
	if isForm(d.Request) {
		form, _ = url.ParseQuery(string(d.Body)) // it was when it was verified
	}
	doc := document{raw: d.Body}
	for _, name := range []string{"EventType", "MessageStatus", "CallStatus"} {
		if e.Type = form.Get(name); e.Type == "" && form == nil {
			e.Type, _ = doc.text("/" + name)
		}
		if e.Type != "" {
			break
		}
	}
	return []inbox.Event{e}, nil
}
