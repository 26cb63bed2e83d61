package signature

import (
	"hash"
	"io"
	"net/http"
	"time"
)

// envelope is what an HMAC signs or has been sent. One that was verified is used
// again, with the memory it holds.
type envelope struct {
	r             *http.Request
	timestamp, id string
	time          time.Time
	body          []byte
	stream        content // the body, where it is not at hand

	hasTimestamp, hasID bool // in the signature's header
	candidates          []candidate
	sums                []byte // the candidates' bytes
	text                []byte // of decode and write, for a moment
	macs                []ownedMAC
	sum                 [64]byte // the longest there is
}

// candidate is a signature of the message, a part of its sums.
type candidate struct {
	ed25519  bool // one of Standard Webhooks' v1a
	from, to int
}

// ownedMAC is a key's MAC, to be used again: setting one up anew would hash the key
// twice more for each message.
type ownedMAC struct {
	hash.Hash
	owner *hmacKey
}

// macOf is the MAC of the i-th key, ready to be written to.
func (m *envelope) macOf(k *hmacKey, i int) hash.Hash {
	for len(m.macs) <= i {
		m.macs = append(m.macs, ownedMAC{})
	}
	own := &m.macs[i]
	if own.owner != k {
		*own = ownedMAC{k.mac(), k}
	}
	own.Reset()
	return own.Hash
}

// write writes the signed text. What stands before the body is short, and so are
// most bodies: together they are one piece, which is hashed sooner than two.
func (c *recipe) write(w io.Writer, m *envelope) error {
	m.text = append(m.text[:0], c.content.head...)
	for _, p := range c.content.parts {
		switch p.name {
		case "timestamp":
			m.text = append(m.text, m.timestamp...)
		case "id":
			m.text = append(m.text, m.id...)
		case "body":
			if m.stream == nil && len(m.body) <= onePiece {
				m.text = append(m.text, m.body...)
				break
			}
			if _, err := w.Write(m.text); err != nil {
				return err
			}
			m.text = m.text[:0]
			if err := m.writeBody(w); err != nil {
				return err
			}
		case "digest":
			sum := c.Hash.New()
			if err := m.writeBody(sum); err != nil {
				return err
			}
			m.text = append(m.text, c.Encoding.encode(sum.Sum(nil))...)
		default:
			value, err := requestValue(m.r, p)
			if err != nil {
				return err
			}
			m.text = append(m.text, value...)
		}
		m.text = append(m.text, p.tail...)
	}
	_, err := w.Write(m.text)
	return err
}

// onePiece is how long a body may be to be copied: copying it costs a hundredth of
// hashing it.
const onePiece = 4 << 10

func (m *envelope) writeBody(w io.Writer) error {
	if m.stream != nil {
		return m.stream(w)
	}
	_, err := w.Write(m.body)
	return err
}

// reset lets go of the request, and keeps the memory.
func (m *envelope) reset(r *http.Request, body []byte) {
	m.r, m.body, m.stream = r, body, nil
	m.timestamp, m.id, m.time = "", "", time.Time{}
	m.hasTimestamp, m.hasID = false, false
	m.candidates, m.sums = m.candidates[:0], m.sums[:0]
}
