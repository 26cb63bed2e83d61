package stripe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// TestHostileUploadOnceAnd401: what can be read once is not sent again, whatever
// the reason to, and what was answered is not hidden by the attempt to: here the
// 401 it came from.
func TestHostileUploadOnceAnd401(t *testing.T) {
	t.Parallel()
	for status, sentinel := range map[int]error{401: stripe.ErrAuthentication, 425: nil} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					answer(status, "application/json", jsonError("invalid_request_error", "api_key_expired"), "Request-Id", "req_1").ServeHTTP(w, r)
				})
				srv := aplombtest.NewServer(t, h)
				sc, err := stripe.NewAt(srv.URL, aplomb.Rotation(aplomb.Static("sk_test_"+"oldKeyOld"), aplomb.Static(testKey)), aplomb.Transport(srv.Transport()))
				assert.NoError(t, err)
				t.Cleanup(sc.API().CloseIdleConnections)
				_, err = stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.pdf", io.MultiReader(strings.NewReader("x")), evidence)
				e, ok := errors.AsType[*stripe.Error](err)
				if !ok || e.StatusCode != status || sentinel != nil && !errors.Is(err, sentinel) {
					t.Errorf("%d became %v", status, err)
				}
			})
		})
	}
}

// TestHostileUploadOfNothing: a typed nil is no reader.
func TestHostileUploadOfNothing(t *testing.T) {
	t.Parallel()
	sc := serve(t, answer(200, "application/json", `{}`))
	for _, content := range []io.Reader{(*bytes.Reader)(nil), (*strings.Reader)(nil)} {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%T: panic: %v", content, p)
				}
			}()
			_, err := stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.pdf", content, evidence)
			assert.Contains(t, fmt.Sprint(err), "stripe: Upload")
		}()
	}
}

// TestHostileDownloadTrickle: an error's body that comes byte by byte holds
// Download for hours, before there is anything to close (law 7). A Peek of the
// judge does the same.
func TestHostileDownloadTrickle(t *testing.T) {
	t.Parallel()
	for _, status := range []int{404, 409} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(status)
					for range 1000 {
						if _, err := io.WriteString(w, " "); err != nil || r.Context().Err() != nil {
							return
						}
						_ = http.NewResponseController(w).Flush()
						select {
						case <-time.After(20 * time.Second):
						case <-r.Context().Done():
							return
						}
					}
				}))
				start := time.Now()
				_, err := stripe.Download(context.Background(), sc, "/v1/files/file_1/contents", nil)
				assert.True(t, err != nil)
				if took := time.Since(start); took > 10*time.Minute {
					t.Errorf("%d: took %v", status, took)
				}
			})
		})
	}
}

// TestHostileDownloadUpgraded: a 101 that nobody asked for is no answer; its
// connection has no idle timeout, and is read for the error's body for ever.
func TestHostileDownloadUpgraded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			time.Sleep(1000 * time.Hour)
		}))
		start := time.Now()
		_, err := stripe.Download(context.Background(), sc, "/v1/files/file_1/contents", nil)
		assert.True(t, err != nil)
		if took := time.Since(start); took > 10*time.Minute {
			t.Errorf("took %v: %v", took, err)
		}
	})
}

// TestHostileFilesOfAUserinfoURL: New takes a user in the base URL, the files' one
// is refused at each call.
func TestHostileFilesOfAUserinfoURL(t *testing.T) {
	t.Parallel()
	srv := aplombtest.NewServer(t, answer(200, "application/json", `{"id":"x_1"}`))
	sc, err := stripe.NewAt("http://user:password@api.test", aplomb.Static(testKey), aplomb.Transport(srv.Transport()))
	assert.NoError(t, err)
	t.Cleanup(sc.API().CloseIdleConnections)
	_, err = sc.Customers.Retrieve(t.Context(), "cus_1")
	assert.NoError(t, err)
	_, err = stripe.Upload[stripe.File](t.Context(), sc, "/v1/files", "a.pdf", strings.NewReader("x"), evidence)
	assert.NoError(t, err)
}
