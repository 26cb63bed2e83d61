package aplombtest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// dialled is what a bare dial of network gets.
func dialled(t *testing.T, n *aplombtest.Network, addr string) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return n.Transport().DialContext(ctx, "tcp", addr)
}

// TestTroubleOfDials says what a bare dial gets, when, and that http.Client gets
// the same; on a host with a server and on one without.
func TestTroubleOfDials(t *testing.T) {
	t.Parallel()
	for trouble, want := range map[aplombtest.Trouble]struct {
		is    error         // what the error wraps, if it does
		dns   *net.DNSError // or what it is
		text  string
		after time.Duration
	}{
		aplombtest.DialRefused: {is: syscall.ECONNREFUSED, text: "dial tcp HOST:80: connect: connection refused"},
		aplombtest.DialHangs:   {is: context.DeadlineExceeded, text: "dial tcp HOST:80: context deadline exceeded", after: time.Minute},
		aplombtest.DNSNotFound: {dns: &net.DNSError{Err: "no such host", IsNotFound: true}, text: "dial tcp: lookup HOST on 192.0.2.53:53: no such host"},
		aplombtest.DNSFails:    {dns: &net.DNSError{Err: "server misbehaving", IsTemporary: true}, text: "dial tcp: lookup HOST on 192.0.2.53:53: server misbehaving"},
		aplombtest.DNSHangs: {dns: &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true},
			text: "dial tcp: lookup HOST on 192.0.2.53:53: i/o timeout", after: 10 * time.Second},
	} {
		for _, host := range []string{"served.test", "empty.test"} {
			t.Run(fmt.Sprint(trouble, " ", host), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					network := aplombtest.NewNetwork(t)
					network.Serve("http://served.test", hello)
					network.Break(host, trouble)
					start := time.Now()
					_, err := dialled(t, network, host+":80")
					assert.Equal(t, time.Since(start), want.after)
					opErr, ok := errors.AsType[*net.OpError](err)
					assert.True(t, ok && opErr.Op == "dial" && opErr.Net == "tcp", "a *net.OpError of a dial")
					assert.Equal(t, err.Error(), strings.ReplaceAll(want.text, "HOST", host))
					if want.is != nil {
						assert.ErrorIs(t, err, want.is)
					}
					if want.dns != nil {
						want := *want.dns
						want.Name, want.Server = host, "192.0.2.53:53"
						got, ok := errors.AsType[*net.DNSError](err)
						assert.True(t, ok, "a *net.DNSError")
						assert.Equal(t, *got, want)
					}

					client := network.Client()
					client.Timeout = time.Minute
					_, err = client.Get("http://" + host)
					assert.True(t, err != nil, "http.Client fails too")
					if trouble != aplombtest.DialHangs { // whose dial http.Client lets run on
						assert.Contains(t, err.Error(), strings.ReplaceAll(want.text, "HOST", host))
					}
					network.Heal(host)
					if host == "served.test" {
						_, body := get(t, network.Client(), "http://served.test")
						assert.Equal(t, body, "hello")
					}
				})
			})
		}
	}
}

// TestDNSHangsNoLongerThanItsContext: the error is the context's then.
func TestDNSHangsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, hello)
		srv.Break(aplombtest.DNSHangs)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := srv.Transport().DialContext(ctx, "tcp", "api.test:80")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		got, ok := errors.AsType[*net.DNSError](err)
		assert.True(t, ok && got.IsTimeout && got.Name == "api.test", err)
		assert.Equal(t, time.Since(start), 3*time.Second)

		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = srv.Transport().DialContext(canceled, "tcp", "api.test:80")
		assert.ErrorIs(t, err, context.Canceled)
		got, ok = errors.AsType[*net.DNSError](err)
		assert.True(t, ok && !got.IsTimeout, err)
	})
}

// TestTroubleOfTLS says what a bare handshake over the connection gets, and that
// http.Client fails as well until the server is restored.
func TestTroubleOfTLS(t *testing.T) {
	t.Parallel()
	for trouble, check := range map[aplombtest.Trouble]func(*testing.T, error){
		aplombtest.TLSExpired: func(t *testing.T, err error) {
			got, ok := errors.AsType[x509.CertificateInvalidError](err)
			assert.True(t, ok && got.Reason == x509.Expired, err)
			assert.Equal(t, got.Cert.NotAfter.Year(), 1999)
		},
		aplombtest.TLSWrongHost: func(t *testing.T, err error) {
			got, ok := errors.AsType[x509.HostnameError](err)
			assert.True(t, ok && got.Host == "api.test", err)
			assert.Equal(t, got.Certificate.DNSNames, []string{"wrong.test"})
		},
		aplombtest.TLSUnknownAuthority: func(t *testing.T, err error) {
			got, ok := errors.AsType[x509.UnknownAuthorityError](err)
			assert.True(t, ok, err)
			assert.Equal(t, got.Cert.DNSNames, []string{"api.test"})
		},
		aplombtest.TLSAlert: func(t *testing.T, err error) {
			got, ok := errors.AsType[*net.OpError](err)
			assert.True(t, ok && got.Op == "remote error", err)
			assert.Equal(t, err.Error(), "remote error: tls: handshake failure")
		},
		aplombtest.TLSPlain: func(t *testing.T, err error) {
			got, ok := errors.AsType[tls.RecordHeaderError](err)
			assert.True(t, ok, err)
			assert.Equal(t, string(got.RecordHeader[:]), "HTTP/")
		},
		aplombtest.TLSHangs: func(t *testing.T, err error) { assert.ErrorIs(t, err, context.DeadlineExceeded) },
	} {
		t.Run(trouble.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := aplombtest.NewTLSServer(t, hello)
				srv.Break(trouble)
				bare, err := srv.Transport().DialContext(t.Context(), "tcp", "api.test:443")
				assert.NoError(t, err, "the connection is made")
				defer bare.Close()
				config := srv.Transport().TLSClientConfig.Clone()
				config.ServerName = "api.test"
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				check(t, tls.Client(bare, config).HandshakeContext(ctx))
				late := map[bool]time.Duration{true: time.Minute}[trouble == aplombtest.TLSHangs]
				assert.Equal(t, time.Since(start), late)

				client := srv.Client()
				client.Timeout = time.Minute
				_, err = client.Get(srv.URL)
				switch trouble {
				case aplombtest.TLSHangs:
					assert.ErrorIs(t, err, context.DeadlineExceeded)
				case aplombtest.TLSPlain:
					assert.Contains(t, err.Error(), "server gave HTTP response to HTTPS client")
				default:
					check(t, errors.Unwrap(err)) // of the *url.Error
				}
				srv.Heal()
				_, body := get(t, client, srv.URL)
				assert.Equal(t, body, "hello")
			})
		})
	}
}

// TestTLSExpiredIsIgnoredByWhoDoesNotLook: only the certificate is wrong.
func TestTLSExpiredIsIgnoredByWhoDoesNotLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewTLSServer(t, hello)
		srv.Break(aplombtest.TLSExpired)
		transport := srv.Transport()
		transport.TLSClientConfig.InsecureSkipVerify = true
		_, body := get(t, &http.Client{Transport: transport}, srv.URL)
		assert.Equal(t, body, "hello")
	})
}

func TestBreakOfServerAndNetwork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := aplombtest.NewNetwork(t)
		a, b := network.Serve("http://a.test", hello), network.Serve("http://a.test:81", hello)
		refused := func(addr string) bool {
			c, err := dialled(t, network, addr)
			if err == nil {
				_ = c.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		}
		a.Break(aplombtest.DialRefused)
		assert.Equal(t, []bool{refused("a.test:80"), refused("a.test:81")}, []bool{true, false})
		network.Break("a.test", aplombtest.DialRefused)
		assert.Equal(t, []bool{refused("a.test:80"), refused("a.test:81")}, []bool{true, true})
		network.Heal("a.test")
		assert.Equal(t, []bool{refused("a.test:80"), refused("a.test:81")}, []bool{true, false})
		a.Heal()
		network.Break("a.test", aplombtest.DNSFails)
		network.Break("a.test:81", aplombtest.DialRefused)
		assert.Equal(t, []bool{refused("a.test:80"), refused("a.test:81")}, []bool{false, true}, "a port counts before its host")
		network.Heal("a.test:81")
		network.Heal("a.test")

		c, err := dialled(t, network, "a.test:81")
		assert.NoError(t, err)
		defer c.Close()
		synctest.Wait()
		b.Break(aplombtest.DNSFails)
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
		assert.NoError(t, err, "open connections live on")
		b.Break(aplombtest.DialRefused)
		_, err = io.ReadAll(c)
		assert.ErrorIs(t, err, syscall.ECONNRESET, "and are reset by a port that closes")
	})
}

func TestBreakThatCannotTakeEffect(t *testing.T) {
	t.Parallel()
	assert.Contains(t, fatal(t, func(tb testing.TB) { aplombtest.NewServer(tb, hello).Break(aplombtest.TLSAlert) }), "does not speak TLS")
	assert.Contains(t, fatal(t, func(tb testing.TB) {
		network := aplombtest.NewNetwork(tb)
		network.Serve("http://b.test", hello)
		network.Break("b.test", aplombtest.TLSExpired)
	}), "no https server is there")
}

func TestTroubleNames(t *testing.T) {
	t.Parallel()
	var all []aplombtest.Trouble
	for t := aplombtest.Trouble(0); t <= aplombtest.TLSPlain+1; t++ {
		all = append(all, t)
	}
	assert.Equal(t, fmt.Sprint(all), "[none DialRefused DialHangs DNSNotFound DNSFails DNSHangs "+
		"TLSExpired TLSWrongHost TLSUnknownAuthority TLSAlert TLSHangs TLSPlain none]")
}
