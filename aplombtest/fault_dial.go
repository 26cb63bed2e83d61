package aplombtest

import (
	"context"
	"net"
	"time"

	"github.com/aplomb-go/aplomb/internal/memnet"
)

// Trouble is what goes wrong before a request can be sent: its name's first
// word says where. [Network.Break] and [Server.Break] bring it about, and so does
// a [Phase] of an [Outage].
type Trouble int

const (
	// DialRefused is a closed port: a [*net.OpError] of a dial that wraps
	// [syscall.ECONNREFUSED]. The connections that the server has are reset.
	DialRefused Trouble = iota + 1
	// DialHangs drops the packets of dials, as a firewall does: a dial waits
	// until its context is done. Open connections live on.
	DialHangs
	// DNSNotFound is a name that does not exist (NXDOMAIN): a [*net.DNSError]
	// with IsNotFound. Open connections live on, here and below.
	DNSNotFound
	// DNSFails is a name server that cannot answer (SERVFAIL): a [*net.DNSError]
	// with IsTemporary.
	DNSFails
	// DNSHangs is a name server that does not answer: after 10 s, which is two
	// attempts of 5 s (resolv.conf(5)), a [*net.DNSError] with IsTimeout and
	// IsTemporary.
	DNSHangs
	// TLSExpired is a certificate that expired in 1999, before any bubble begins:
	// an [x509.CertificateInvalidError].
	TLSExpired
	// TLSWrongHost is a certificate of another host, wrong.test: an
	// [x509.HostnameError].
	TLSWrongHost
	// TLSUnknownAuthority is a certificate that nobody knows the signer of: an
	// [x509.UnknownAuthorityError].
	TLSUnknownAuthority
	// TLSAlert is a server that refuses to shake hands, by the alert
	// handshake_failure (RFC 8446, section 6.2): a [*net.OpError] of a "remote
	// error".
	TLSAlert
	// TLSHangs is a server that takes the connection and never says a word: the
	// client waits for its handshake.
	TLSHangs
	// TLSPlain is a server that speaks HTTP without TLS on its TLS port: a
	// [tls.RecordHeaderError], of which [http.Transport] makes "server gave HTTP
	// response to HTTPS client".
	TLSPlain
)

var troubleNames = map[Trouble]string{
	DialRefused: "DialRefused", DialHangs: "DialHangs",
	DNSNotFound: "DNSNotFound", DNSFails: "DNSFails", DNSHangs: "DNSHangs",
	TLSExpired: "TLSExpired", TLSWrongHost: "TLSWrongHost", TLSUnknownAuthority: "TLSUnknownAuthority",
	TLSAlert: "TLSAlert", TLSHangs: "TLSHangs", TLSPlain: "TLSPlain",
}

// String returns the trouble's name, and "none" for zero.
func (t Trouble) String() string {
	if name := troubleNames[t]; name != "" {
		return name
	}
	return "none"
}

// aboutTLS says whether t needs a server that speaks TLS.
func (t Trouble) aboutTLS() bool { return t >= TLSExpired }

const (
	// resolver is the name server that errors name, from the block of addresses
	// that RFC 5737 keeps for documentation.
	resolver = "192.0.2.53:53"
	// resolveFor is how long a lookup goes on without an answer.
	resolveFor = 10 * time.Second
)

// misdial is what a dial to addr meets in the place of a server; it ends with
// ctx or when closed is. A nil error means that t does not prevent the dial.
func (t Trouble) misdial(ctx context.Context, network, addr string, closed <-chan struct{}) error {
	name, _, _ := net.SplitHostPort(addr)
	lookup := func(e net.DNSError) error {
		e.Name, e.Server = name, resolver
		return &net.OpError{Op: "dial", Net: network, Err: &e}
	}
	switch t {
	case DialRefused:
		return memnet.Refused(addr)
	case DialHangs:
		select {
		case <-ctx.Done():
			return &net.OpError{Op: "dial", Net: network, Addr: memnet.Addr(addr), Err: ctx.Err()}
		case <-closed:
			return memnet.Refused(addr)
		}
	case DNSNotFound:
		return lookup(net.DNSError{Err: "no such host", IsNotFound: true})
	case DNSFails:
		return lookup(net.DNSError{Err: "server misbehaving", IsTemporary: true})
	case DNSHangs:
		timer := time.NewTimer(resolveFor)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			timeout := ctx.Err() == context.DeadlineExceeded
			return lookup(net.DNSError{Err: ctx.Err().Error(), UnwrapErr: ctx.Err(), IsTimeout: timeout, IsTemporary: timeout})
		case <-timer.C:
		case <-closed:
		}
		return lookup(net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true})
	default:
		return nil
	}
}

// greeting is what a server with trouble t says in the place of a handshake, and
// whether it does so.
func (t Trouble) greeting() (text string, instead bool) {
	switch t {
	case TLSAlert:
		return "\x15\x03\x03\x00\x02\x02\x28", true // a record of type alert: fatal, handshake_failure
	case TLSPlain:
		return "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", true
	case TLSHangs:
		return "", true
	default:
		return "", false
	}
}
