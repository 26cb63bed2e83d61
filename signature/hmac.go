package signature

import (
	"cmp"
	"crypto"
	"crypto/rand"
	_ "crypto/sha1" //nolint:gosec // for those who choose it by name
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DefaultTolerance is how far the time of a signature may be from now, both in
// the past and in the future, where nothing else is said.
const DefaultTolerance = 5 * time.Minute

// HMAC describes a scheme that signs a text with a shared secret (RFC 2104). It
// signs and it verifies. [Stripe], [GitHub], [Slack], [StandardWebhooks] and
// [SignedRequest] are such descriptions; a vendor's own is often one of them
// with a field changed:
//
//	acme := signature.Slack(key)
//	acme.Header, acme.TimestampHeader = "X-Acme-Signature", "X-Acme-Timestamp"
type HMAC struct {
	// Keys are the secrets. The first one signs; each may verify, so that an
	// old one is good until the last sender has the new one. One that is empty
	// or cannot be had is an error even if another would match: it is a
	// mistake in the settings, which should show before the rotation ends.
	Keys []Key

	// Content is the text that is signed. Its placeholders:
	//
	//	{timestamp}    when it is signed, in seconds since 1970
	//	{id}           the message's id or nonce
	//	{method}       GET
	//	{host}         api.acme.example, lower case, with a port if the URL has one
	//	{path}         /v1/orders, as it is on the wire
	//	{query}        page=2, as it is on the wire
	//	{target}       /v1/orders?page=2
	//	{header:Name}  a header, which must be there once
	//	{body}         the body
	//	{digest}       the body's Hash, in Encoding
	//
	// Verify refuses a Content that two messages could share, such as
	// "{timestamp}{body}". Of the messages it refuses one whose {header} holds
	// the text that separates it from the next, one whose signed path is not
	// escaped as net/url does it, and one with a body where there is no {body}
	// or {digest}.
	Content string

	// Header is where the signature goes and Value how: "sha256={signature}",
	// or "t={timestamp},v1={signature}". The placeholders are {signature},
	// {timestamp} and {id}, each at the end of its item. An empty Value is the
	// signature alone.
	Header, Value string
	// List separates the items of Value, for instance ",". A verifier then
	// tries each signature in the list, up to 16, and passes over items it does
	// not know. Empty means that Value is one item and there is one signature.
	List string
	// TimestampHeader and IDHeader carry {timestamp} and {id} where Value does
	// not. What Content has must be carried, and the other way about. Sign
	// keeps an id that the request brings, since a message that is sent again
	// is the same one; otherwise it makes one up at random.
	TimestampHeader, IDHeader string

	// Hash is crypto.SHA256 if zero, else SHA384, SHA512 or, for those who must,
	// SHA1. Others are an error.
	Hash crypto.Hash
	// Encoding of the signature: Hex if zero.
	Encoding Encoding
	// Tolerance is how far {timestamp} may be from now, either way:
	// [DefaultTolerance] if zero.
	Tolerance time.Duration

	// webhook says that keys, and signatures by them, are of the kinds that
	// Standard Webhooks knows.
	webhook bool
}

var (
	_ Signer   = HMAC{}
	_ Verifier = HMAC{}
)

// recipe is an HMAC that has been looked through.
type recipe struct {
	HMAC
	content   template
	items     []item
	timestamp bool // Content has it
	id        bool
	path      bool     // or the target
	names     []string // of Keys, in errors
	mismatch  error    // of a message that no key has signed
}

// item is one of Value's, such as "v1={signature}".
type item struct{ prefix, name string }

// Check reports what is wrong with the description, as Sign would, without asking
// for a key. Verify refuses more: a Content that two messages could share.
func (h HMAC) Check() error {
	_, err := h.recipe()
	return err
}

func (h HMAC) recipe() (*recipe, error) {
	c := &recipe{HMAC: h}
	if c.Value == "" {
		c.Value = "{signature}"
	}
	if c.Hash == 0 {
		c.Hash = crypto.SHA256
	}
	if c.Tolerance == 0 {
		c.Tolerance = DefaultTolerance
	}
	switch c.Hash {
	case crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512:
	default:
		return nil, fmt.Errorf("signature: HMAC.Hash is %v; it may be SHA256, SHA384, SHA512 or SHA1", c.Hash)
	}
	var err error
	switch {
	case len(c.Keys) == 0:
		return nil, errors.New("signature: HMAC has no key: give it one, for without it nothing is proved")
	case c.Encoding != Hex && c.Encoding != Base64:
		return nil, fmt.Errorf("signature: HMAC.Encoding is %d; it may be Hex or Base64", int(c.Encoding))
	case c.Tolerance < 0:
		return nil, errors.New("signature: HMAC.Tolerance is negative")
	case !signableHeader(c.Header):
		return nil, fmt.Errorf("signature: HMAC.Header %q is not the name of a header that can be set", c.Header)
	case c.Content == "":
		return nil, errors.New("signature: HMAC.Content is empty: say what is signed")
	}
	c.content, err = parseTemplate("HMAC.Content", c.Content,
		"timestamp", "id", "method", "host", "path", "query", "target", "header", "body", "digest")
	if err != nil {
		return nil, err
	}
	if c.items, err = parseValue(c.Value, c.List); err != nil {
		return nil, err
	}
	c.canonical()
	return c, cmp.Or(c.carried("timestamp", "TimestampHeader", c.TimestampHeader), c.carried("id", "IDHeader", c.IDHeader))
}

// canonical says once what would otherwise be found out for every message.
func (c *recipe) canonical() {
	c.Header, c.TimestampHeader, c.IDHeader = http.CanonicalHeaderKey(c.Header), http.CanonicalHeaderKey(c.TimestampHeader), http.CanonicalHeaderKey(c.IDHeader)
	c.timestamp, c.id = c.content.has("timestamp"), c.content.has("id")
	c.path = c.content.has("path") || c.content.has("target")
	c.mismatch = refusef("the signature in %s matches none of %d keys: is it the right secret, and the body byte for byte as it came?", c.Header, len(c.Keys))
	c.names = make([]string, len(c.Keys))
	for i := range c.Keys {
		c.names[i] = fmt.Sprintf("HMAC.Keys[%d]", i)
	}
}

func parseValue(value, list string) ([]item, error) {
	texts := []string{value}
	if list != "" {
		texts = strings.Split(value, list)
	}
	var items []item
	seen := map[string]bool{}
	for _, text := range texts {
		t, err := parseTemplate("HMAC.Value", text, "signature", "timestamp", "id")
		if err != nil {
			return nil, err
		}
		if len(t.parts) != 1 || t.parts[0].tail != "" || seen[t.parts[0].name] {
			return nil, fmt.Errorf("signature: HMAC.Value %q: each item has one placeholder, at its end, and no two have the same", value)
		}
		for _, other := range items {
			if strings.HasPrefix(other.prefix, t.head) || strings.HasPrefix(t.head, other.prefix) {
				return nil, fmt.Errorf("signature: HMAC.Value %q has two items that cannot be told apart", value)
			}
		}
		seen[t.parts[0].name] = true
		items = append(items, item{t.head, t.parts[0].name})
	}
	if !seen["signature"] {
		return nil, fmt.Errorf("signature: HMAC.Value %q has no {signature}", value)
	}
	return items, nil
}

// carried checks that a placeholder of Content travels exactly once, and that
// nothing travels that is not signed.
func (c *recipe) carried(name, field, header string) error {
	places := 0
	for _, it := range c.items {
		if it.name == name {
			places++
		}
	}
	if header != "" {
		if places++; !signableHeader(header) {
			return fmt.Errorf("signature: HMAC.%s %q is not the name of a header that can be set", field, header)
		}
	}
	switch signed := c.content.has(name); {
	case signed && places != 1:
		return fmt.Errorf("signature: HMAC.Content has {%s}: either %s or Value must carry it", name, field)
	case !signed && places != 0:
		return fmt.Errorf("signature: HMAC carries {%s}, but Content does not sign it", name)
	}
	return nil
}

// Sign sets the header or headers that prove r to whoever has the first key.
func (h HMAC) Sign(r *http.Request, now time.Time) error {
	c, err := h.recipe()
	if err := cmp.Or(err, checkSigning(r, now)); err != nil {
		return err
	}
	return ownFault(c.sign(r, now))
}

func (c *recipe) sign(r *http.Request, now time.Time) error {
	raw, err := c.Keys[0].bytes(r.Context(), c.names[0])
	if err != nil {
		return err
	}
	key, err := c.key(raw, 0)
	if err != nil {
		return err
	}
	m := &envelope{r: r, stream: bodyOf(r), timestamp: strconv.FormatInt(now.Unix(), 10)}
	if m.id, err = c.messageID(r); err != nil {
		return err
	}
	sum, err := key.sign(c, m)
	if err != nil {
		return err
	}
	values := map[string]string{"timestamp": m.timestamp, "id": m.id, "signature": c.Encoding.encode(sum)}
	var out []string
	for _, it := range c.items {
		prefix := it.prefix
		if it.name == "signature" && key.mac == nil {
			prefix = ed25519Prefix
		}
		out = append(out, prefix+values[it.name])
	}
	setHeader(r, c.Header, strings.Join(out, c.List))
	if c.TimestampHeader != "" {
		setHeader(r, c.TimestampHeader, m.timestamp)
	}
	if c.IDHeader != "" {
		setHeader(r, c.IDHeader, m.id)
	}
	return nil
}

// messageID keeps the id that the request brings, or makes one up.
func (c *recipe) messageID(r *http.Request) (string, error) {
	if !c.id {
		return "", nil
	}
	if c.IDHeader != "" && len(r.Header.Values(c.IDHeader)) > 0 {
		id, err := oneHeader(r.Header, c.IDHeader)
		if err == nil {
			err = c.goodID(id)
		}
		if err != nil {
			return "", fmt.Errorf("signature: the request's own id: %w", err)
		}
		return id, nil
	}
	return rand.Text(), nil
}

// goodID refuses an id that the rest of the signed text could be mistaken for.
func (c *recipe) goodID(id string) error {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return refusef("the message id may hold visible ASCII characters only")
		}
	}
	for _, p := range c.content.parts {
		if p.name == "id" && p.tail != "" && !p.splits(id) {
			return refusef("the message id contains %q, which separates it from what follows", p.tail)
		}
	}
	if id == "" || len(id) > maxID {
		return refusef("the message id must have 1 to %d characters", maxID)
	}
	return nil
}

const maxID = 256
