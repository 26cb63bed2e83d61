package aplombtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })

// read reads the whole body of res and closes it.
func read(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	assert.NoError(t, err)
	return string(body)
}

// get gets url and reads the answer.
func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	assert.NoError(t, err)
	return res, read(t, res)
}

func TestServerRunsOnVirtualTime(t *testing.T) {
	t.Parallel()
	wall := time.Now()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select { // a hang of an hour, cut short when the client gives up
			case <-time.After(time.Hour):
			case <-r.Context().Done():
			}
		}))
		client := srv.Client()
		start := time.Now()
		res, err := client.Get(srv.URL)
		assert.NoError(t, err)
		read(t, res)
		assert.Equal(t, time.Since(start), time.Hour)
		assert.Equal(t, res.Header.Get("Date"), start.Add(time.Hour).UTC().Format(http.TimeFormat), "the Date is virtual")

		client.Timeout = 30 * time.Second
		start = time.Now()
		_, err = client.Get(srv.URL)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), 30*time.Second)
	})
	assert.True(t, time.Since(wall) < 10*time.Second, "an hour must not take long")
}

func TestServerReusesConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, hello)
		for range 5 {
			_, body := get(t, srv.Client(), srv.URL+"/x")
			assert.Equal(t, body, "hello")
		}
		assert.Equal(t, srv.Conns(), 1)
		assert.Equal(t, srv.URL, "http://api.test")

		get(t, &http.Client{Transport: srv.Transport()}, "http://any.other.host/")
		assert.Equal(t, srv.Conns(), 2, "another transport has other connections")
	})
}

func TestTLSServerSpeaksBothVersions(t *testing.T) {
	t.Parallel()
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d", r.Proto, len(body))
	})
	protocols := map[string]func(*http.Transport){
		"HTTP/2.0": func(*http.Transport) {},
		"HTTP/1.1": func(tr *http.Transport) { tr.Protocols = new(http.Protocols); tr.Protocols.SetHTTP1(true) },
	}
	for proto, configure := range protocols {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := aplombtest.NewTLSServer(t, echo)
				transport := srv.Transport()
				configure(transport)
				client := &http.Client{Transport: transport}
				for range 3 {
					res, err := client.Post(srv.URL+"/", "text/plain", bytes.NewReader(make([]byte, 1<<20)))
					assert.NoError(t, err)
					assert.Equal(t, read(t, res), proto+" 1048576")
				}
				assert.Equal(t, srv.Conns(), 1)
				res, body := get(t, client, "https://other.test/")
				assert.Equal(t, body, proto+" 0")
				assert.Equal(t, res.TLS.ServerName, "other.test")
			})
		})
	}
}

func TestTLSServerIsNotTrustedByOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewTLSServer(t, hello)
		transport := srv.Transport()
		transport.TLSClientConfig = nil // the system's authorities
		_, err := (&http.Client{Transport: transport}).Get(srv.URL)
		assert.True(t, err != nil && strings.Contains(err.Error(), "certificate"), err)
	})
}

func TestServerOutlivesAClientThatLeavesMidBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left := make(chan error, 1)
		srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 4<<10))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
				}
			}
			left <- r.Context().Err()
		}))
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
		res, err := srv.Client().Do(req)
		assert.NoError(t, err)
		_, err = io.ReadFull(res.Body, make([]byte, 10<<10))
		assert.NoError(t, err)
		cancel()
		_, err = io.ReadAll(res.Body)
		assert.ErrorIs(t, err, context.Canceled)
		_ = res.Body.Close()
		assert.Equal(t, <-left, context.Canceled, "the handler is told")
	})
}

// TestServerClosesItself leaves all sorts of things unfinished: the bubble
// fails if a goroutine is left when it ends.
func TestServerClosesItself(t *testing.T) {
	t.Parallel()
	for name, newServer := range map[string]func(testing.TB, http.Handler) *aplombtest.Server{
		"plain": aplombtest.NewServer, "TLS": aplombtest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var flood *http.Response // nobody reads it, so it is for its owner to close: here after the server
				t.Cleanup(func() { _ = flood.Body.Close() })
				srv := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/hang":
						<-r.Context().Done()
					case "/upload": // with the body unread, only Close can tell the handler
						<-r.Context().Done()
					case "/flood":
						for r.Context().Err() == nil {
							if _, err := w.Write(make([]byte, 1<<20)); err != nil {
								return
							}
						}
					}
				}))
				client := srv.Client()
				go client.Get(srv.URL + "/hang")
				go client.Post(srv.URL+"/upload", "text/plain", bytes.NewReader(make([]byte, 1<<20)))
				get(t, client, srv.URL+"/")
				var err error
				flood, err = client.Get(srv.URL + "/flood")
				assert.NoError(t, err)
				synctest.Wait()
			})
		})
	}
}

func TestServerCloseTwice(t *testing.T) {
	t.Parallel()
	srv := aplombtest.NewServer(t, hello)
	get(t, srv.Client(), srv.URL)
	srv.Close()
	srv.Close()
	_, err := srv.Client().Get(srv.URL)
	assert.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestServerLogsPanicsToTheTest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &logSpy{TB: t}
		srv := aplombtest.NewServer(log, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
		_, err := srv.Client().Get(srv.URL)
		assert.ErrorIs(t, err, io.EOF)
		srv.Close()
		assert.Contains(t, log.text.String(), "boom")
	})
}

// logSpy keeps what the server logs; only the server's goroutines write to it.
type logSpy struct {
	testing.TB
	text strings.Builder
}

func (s *logSpy) Logf(format string, args ...any) { fmt.Fprintf(&s.text, format, args...) }

func TestNetworkJoinsOrigins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := aplombtest.NewNetwork(t)
		a := network.Serve("http://a.test:8080", http.RedirectHandler("https://b.test/landed", http.StatusFound))
		b := network.Serve("https://b.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s%s referred by %q", r.Host, r.URL.Path, r.Referer())
		}))
		_, body := get(t, network.Client(), "http://a.test:8080/x")
		assert.Equal(t, body, `b.test/landed referred by "http://a.test:8080/x"`)
		assert.Equal(t, []int{a.Conns(), b.Conns()}, []int{1, 1})
		assert.Equal(t, []string{a.URL, b.URL}, []string{"http://a.test:8080", "https://b.test"})
	})
}

func TestNetworkRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := aplombtest.NewNetwork(t)
		network.Serve("http://a.test", hello)
		client := network.Client()
		for _, url := range []string{"http://unknown.test/", "http://a.test:81/"} {
			_, err := client.Get(url)
			assert.ErrorIs(t, err, syscall.ECONNREFUSED)
			opErr, ok := errors.AsType[*net.OpError](err)
			assert.True(t, ok && opErr.Op == "dial", "a *net.OpError of a dial")
		}

		get(t, client, "http://a.test/")
		network.Break("a.test", aplombtest.DialRefused)
		synctest.Wait() // the idle connection is found to be reset
		_, err := client.Get("http://a.test/")
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
		network.Heal("a.test")
		get(t, client, "http://a.test/")
	})
}

func TestNetworkHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := aplombtest.NewNetwork(t)
		network.Serve("http://a.test", hello)
		network.Break("a.test:80", aplombtest.DialHangs)
		transport := network.Transport()
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 7*time.Second)
			defer cancel()
			return dial(ctx, network, addr)
		}
		start := time.Now()
		_, err := (&http.Client{Transport: transport}).Get("http://a.test/")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), 7*time.Second)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://a.test/", nil)
		_, err = network.Client().Do(req) // the dial itself ends with the network
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestNetworkRejectsWhatIsNoOrigin(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"b.test", "ftp://b.test", "http://b.test/path", "http://", "http://b.test "} {
		assert.Contains(t, fatal(t, func(tb testing.TB) { aplombtest.NewNetwork(tb).Serve(origin, hello) }), "want an origin")
	}
	assert.Contains(t, fatal(t, func(tb testing.TB) {
		network := aplombtest.NewNetwork(tb)
		network.Serve("http://b.test", hello)
		network.Serve("http://b.test:80", hello)
	}), "already at b.test:80")
}

// fatal returns the message do ends its test with.
func fatal(t *testing.T, do func(testing.TB)) string {
	t.Helper()
	spy := &fatalSpy{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(spy) {
				panic(r)
			}
		}()
		do(spy)
	}()
	return spy.text
}

type fatalSpy struct {
	testing.TB
	text string
}

func (s *fatalSpy) Fatalf(format string, args ...any) {
	s.text = fmt.Sprintf(format, args...)
	panic(s)
}

// Where CI is set nothing is recorded, and most tests of the fixtures record.
func TestMain(m *testing.M) {
	_ = os.Unsetenv("CI")
	os.Exit(assert.Main(m))
}
