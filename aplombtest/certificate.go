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
	certificateFrom  = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	certificateUntil = time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)
)

// certificateAuthority signs the certificates of all servers of this process.
// Its key exists nowhere else, so nothing outside can come to trust or be
// trusted through it.
type certificateAuthority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by host name
}

var authority = sync.OnceValue(func() *certificateAuthority {
	ca, err := newAuthority()
	if err != nil {
		panic(fmt.Sprintf("aplombtest: making the test certificate: %v", err)) // only if the system has no randomness
	}
	return ca
})

func newAuthority() (*certificateAuthority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "aplombtest, one process only"},
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
	return &certificateAuthority{cert: cert, key: key, pool: pool, leaves: map[string]*tls.Certificate{}}, nil
}

// certificateFor is a tls.Config.GetCertificate: it makes a certificate for the
// name the client asks for. A client that dials an address sends no name.
func certificateFor(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return authority().leaf(cmp.Or(hello.ServerName, "api.test"))
}

func (ca *certificateAuthority) leaf(host string) (*tls.Certificate, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if leaf := ca.leaves[host]; leaf != nil {
		return leaf, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(ca.leaves)) + 2),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:    certificateFrom,
		NotAfter:     certificateUntil,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, ca.key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	leaf := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ca.key}
	ca.leaves[host] = leaf
	return leaf, nil
}
