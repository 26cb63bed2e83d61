package cache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"net/http"
	"strconv"
	"time"
)

// entry is one stored answer. Nothing of the request is in it.
type entry struct {
	meta
	control control // parsed from Header
	body    []byte  // never written to: it may be in several hands
}

// meta is what of an answer is stored beside its body.
type meta struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	// Asked and Received are when the request left and the header came, by our clock.
	Asked    time.Time `json:"asked"`
	Received time.Time `json:"received"`
	// Uncompressed says that the transport undid a Content-Encoding.
	Uncompressed bool `json:"uncompressed,omitempty"`
}

// A stored value is: magic, the length of a meta, that, the body, and a check sum of it all.
const (
	magic    = "aplomb-cache/1\n"
	lengthAt = len(magic)
	metaAt   = lengthAt + 4
	checkLen = 4
	// maxMeta bounds a stored header: more than net/http takes from a server.
	maxMeta = 2 << 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errCorrupt = errors.New("cache: the stored value is not whole")
)

// begin writes the part of the value that is known before the body.
func (e *entry) begin(hint int) ([]byte, error) {
	head, err := json.Marshal(&e.meta)
	if err != nil || len(head) > maxMeta {
		return nil, errors.Join(err, errors.New("cache: the header cannot be stored"))
	}
	value := make([]byte, 0, metaAt+len(head)+max(0, hint)+checkLen)
	value = append(value, magic...)
	value = binary.BigEndian.AppendUint32(value, uint32(len(head)))
	return append(value, head...), nil
}

// seal ends a value.
func seal(value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, crc32.Checksum(value, castagnoli))
}

// encode is the whole entry as a value.
func (e *entry) encode() ([]byte, error) {
	value, err := e.begin(len(e.body))
	if err != nil {
		return nil, err
	}
	return seal(append(value, e.body...)), nil
}

// decode reads a value; the entry's body is a part of it.
func decode(value []byte) (*entry, error) {
	head, body, err := open(value, magic)
	if err != nil {
		return nil, err
	}
	e := &entry{body: body}
	if err := json.Unmarshal(head, &e.meta); err != nil {
		return nil, errCorrupt
	}
	if e.Status < 200 || e.Status > 599 || e.Received.IsZero() || e.Header == nil {
		return nil, errCorrupt
	}
	e.control = parseControl(e.Header)
	return e, nil
}

// open checks a value and takes it apart.
func open(value []byte, magic string) (head, body []byte, err error) {
	if len(value) < metaAt+checkLen || string(value[:lengthAt]) != magic {
		return nil, nil, errCorrupt
	}
	content, sum := value[:len(value)-checkLen], binary.BigEndian.Uint32(value[len(value)-checkLen:])
	size := binary.BigEndian.Uint32(content[lengthAt:metaAt])
	if crc32.Checksum(content, castagnoli) != sum || uint64(size) > uint64(len(content)-metaAt) {
		return nil, nil, errCorrupt
	}
	end := metaAt + int(size)
	return content[metaAt:end:end], content[end:len(content):len(content)], nil
}

// newEntry is an answer that has just come, without its body.
func newEntry(a answer) *entry {
	e := &entry{meta: meta{
		Status: a.StatusCode, Header: kept(a.Header),
		Asked: a.asked.Round(0).UTC(), Received: a.received.Round(0).UTC(), Uncompressed: a.Uncompressed,
	}}
	e.control = parseControl(e.Header)
	return e
}

// updated is the entry after a 304 (RFC 9111, section 4.3.4): its header is the
// newer one, less what is about the body, which is still the old.
func (e *entry) updated(a answer) *entry {
	fresh := newEntry(a)
	fresh.Status, fresh.Uncompressed, fresh.body = e.Status, e.Uncompressed, e.body
	header := e.Header.Clone()
	delete(header, "Age") // of the older answer, as the next one
	delete(header, "Date")
	for name, values := range fresh.Header {
		switch name {
		case "Content-Length", "Content-Encoding", "Content-Range", "Content-Type":
		default:
			header[name] = values
		}
	}
	fresh.Header, fresh.control = header, parseControl(header)
	return fresh
}

// matches reports that a 304 or a HEAD's answer is about this entry: that it has
// no ETag which the entry has not (RFC 9111, section 4.3.4). The comparison is the
// weak one, since servers that compress weaken the ETag of a 200 and not of a 304.
func (e *entry) matches(h http.Header) bool {
	theirs := h.Get("ETag")
	return theirs == "" || weakless(theirs) == weakless(e.Header.Get("ETag"))
}

// sameBody reports that what a HEAD says of the body fits the stored one.
func (e *entry) sameBody(h http.Header) bool {
	length := h.Get("Content-Length")
	if length != "" && !e.Uncompressed && length != strconv.Itoa(len(e.body)) {
		return false
	}
	modified := h.Get("Last-Modified")
	return e.matches(h) && (modified == "" || modified == e.Header.Get("Last-Modified"))
}

// names reports that a HEAD's answer says which version it is about, where the entry
// has one.
func (e *entry) names(h http.Header) bool {
	return !e.validated() || h.Get("ETag") != "" || h.Get("Last-Modified") != ""
}

// weakless is an ETag for the weak comparison (RFC 9110, section 8.8.3.2).
func weakless(tag string) string {
	if len(tag) > 2 && tag[:2] == "W/" {
		return tag[2:]
	}
	return tag
}

// index is what is stored for an address: by what its answers vary.
type index struct {
	// Vary are names of request headers, sorted.
	Vary []string `json:"vary,omitempty"`
	// Generation goes into the keys of the answers: with another one they are gone.
	Generation string `json:"generation"`
}

const indexMagic = "aplomb-index/1\n"

func (i *index) encode() ([]byte, error) {
	head, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	value := append([]byte(indexMagic), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(value[lengthAt:], uint32(len(head)))
	return seal(append(value, head...)), nil
}

func decodeIndex(value []byte) (*index, error) {
	head, body, err := open(value, indexMagic)
	if err != nil || len(body) > 0 {
		return nil, errCorrupt
	}
	i := &index{}
	if err := json.Unmarshal(head, i); err != nil || i.Generation == "" || len(i.Vary) > maxVary {
		return nil, errCorrupt
	}
	return i, nil
}
