package aplombtest

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// The bubbles of testing/synctest begin in the year 2000, so certificates hold
// from before that until long after today.
var (
	certificateFrom    = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	certificateExpired = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	certificateUntil   = time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)
)

// certificateAuthority signs the certificates of all servers of this process.
// Its key exists nowhere else, so nothing outside can come to trust or be
// trusted through it.
type certificateAuthority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool

	mu     sync.Mutex
	leaves map[leafKey]*tls.Certificate
}

// leafKey is what a certificate is made for.
type leafKey struct {
	host    string
	expired bool
}

var (
	authority = sync.OnceValue(func() *certificateAuthority { return mustAuthority("aplombtest, one process only") })
	// stranger signs as authority does, and nobody trusts it.
	stranger = sync.OnceValue(func() *certificateAuthority { return mustAuthority("aplombtest, trusted by nobody") })
)

func mustAuthority(name string) *certificateAuthority {
	ca, err := newAuthority(name)
	if err != nil {
		panic(fmt.Sprintf("aplombtest: making the test certificate: %v", err)) // only if the system has no randomness
	}
	return ca
}

func newAuthority(name string) (*certificateAuthority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             certificateFrom,
		NotAfter:              certificateUntil,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &certificateAuthority{cert: cert, key: key, pool: pool, leaves: map[leafKey]*tls.Certificate{}}, nil
}

// certificate is a tls.Config.GetCertificate: it makes a certificate for the
// name the client asks for, or one that is wrong in the way the server's trouble
// says. A client that dials an address sends no name.
func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	key := leafKey{host: cmp.Or(hello.ServerName, "api.test")}
	switch s.trouble() { //nolint:exhaustive // the others are met before the handshake
	case TLSUnknownAuthority:
		return stranger().leaf(key)
	case TLSWrongHost:
		key.host = "wrong.test"
	case TLSExpired:
		key.expired = true
	}
	return authority().leaf(key)
}

func (ca *certificateAuthority) leaf(key leafKey) (*tls.Certificate, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if leaf := ca.leaves[key]; leaf != nil {
		return leaf, nil
	}
	until, addresses := certificateUntil, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if key.expired {
		until = certificateExpired
	}
	if key.host == "wrong.test" {
		addresses = nil // whoever dials one is at the wrong host too
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(ca.leaves)) + 2),
		Subject:      pkix.Name{CommonName: key.host},
		DNSNames:     []string{key.host},
		IPAddresses:  addresses,
		NotBefore:    certificateFrom,
		NotAfter:     until,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, ca.key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	leaf := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ca.key}
	ca.leaves[key] = leaf
	return leaf, nil
}
