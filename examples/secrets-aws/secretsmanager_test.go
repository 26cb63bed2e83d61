package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/signature"
)

// inBubble runs f under virtual time: backoff costs nothing.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// planted stand in every secret of these tests.
var planted = []string{"fake-key", "fake-secret-access-key", "fake-session-token"}

// rig is AWS, an API that knows one key at a time, and all that was logged.
type rig struct {
	t      *testing.T
	aws    *fakeAWS
	faults *aplombtest.Script // in front of AWS
	shop   *fakeAPI
	net    *aplombtest.Network
	log    *buffer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, aws: newFakeAWS(), shop: &fakeAPI{}, net: aplombtest.NewNetwork(t), log: &buffer{}}
	r.faults = aplombtest.NewScript(r.aws)
	r.net.Serve(Endpoint("eu-central-1"), r.faults)
	r.net.Serve("https://api.test", r.shop)
	r.rotate("fake-key-1")
	return r
}

func logTo(b *buffer) aplomb.Logging {
	return aplomb.Logging{Logger: slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})), Bodies: true}
}

// rotate changes the key in both places.
func (r *rig) rotate(key string) {
	r.aws.rotate("acme/api", fmt.Sprintf(`{"key":%q,"limit":7}`, key))
	r.shop.know(key)
}

func (r *rig) secrets() *SecretsManager {
	return r.secretsBy(signature.StaticAWS(r.aws.accessKeyID, r.aws.secretKey, r.aws.sessionToken))
}

func (r *rig) secretsBy(credentials func(context.Context) (signature.AWSCredentials, error)) *SecretsManager {
	r.t.Helper()
	m, err := NewSecretsManager(Endpoint("eu-central-1"), "eu-central-1", credentials, aplomb.Transport(r.net.Transport()), logTo(r.log))
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// api is a client of the API whose key comes from source.
func (r *rig) api(source aplomb.SecretSource) func() error {
	r.t.Helper()
	c, err := aplomb.New("https://api.test", aplomb.APIKey("X-Api-Key", source), aplomb.Transport(r.net.Transport()), logTo(r.log))
	if err != nil {
		r.t.Fatal(err)
	}
	return func() error {
		_, err := aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o-7"))
		return err
	}
}

// want compares how often AWSCURRENT and AWSPREVIOUS were handed out.
func (r *rig) want(current, previous int) {
	r.t.Helper()
	if got, want := r.aws.answers(), [2]int{current, previous}; got != want {
		r.t.Errorf("AWSCURRENT and AWSPREVIOUS: %v, want %v", got, want)
	}
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Error(err)
	}
	r.clean(err)
}

// clean looks for secrets in an error, however it is printed, and in the log.
func (r *rig) clean(err error) {
	r.t.Helper()
	text := fmt.Sprintf("%v\n%+v\n%#v\n%s", err, err, err, r.log)
	for _, secret := range planted {
		if strings.Contains(text, secret) {
			r.t.Errorf("%s is in an error or the log:\n%s", secret, text)
		}
	}
}

// buffer is a strings.Builder for many writers.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestTranscript(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	var out strings.Builder
	if err := show(t.Context(), &out, logTo(log)); err != nil {
		t.Fatal(err)
	}
	want := `a service starts: orders 100, AWSCURRENT read 1, AWSPREVIOUS 0 times
the key was changed in both places: orders 100, AWSCURRENT read 1, AWSPREVIOUS 0 times
another starts, and the API does not know the new key yet: orders 1, AWSCURRENT read 2, AWSPREVIOUS 1 times
now it does, first service: orders 100, AWSCURRENT read 1, AWSPREVIOUS 0 times
now it does, second service: orders 1, AWSCURRENT read 0, AWSPREVIOUS 1 times
orders served: 302 of 302
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &out, want)
	}
	for _, secret := range planted {
		if strings.Contains(log.String()+out.String(), secret) {
			t.Errorf("%s was printed", secret)
		}
	}
	if !strings.Contains(log.String(), "X-Amz-Date") {
		t.Error("the log does not have the signed request")
	}
}

// Another endpoint than the fake is read with the environment's credentials.
func TestReadsWhatItIsGiven(t *testing.T) {
	aws := newFakeAWS()
	aws.sessionToken = "fake-session-token"
	aws.rotate("acme/api", "fake-key-1")
	host := httptest.NewServer(aws)
	t.Cleanup(host.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", aws.accessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_SESSION_TOKEN", aws.sessionToken)
	var out strings.Builder
	err := read(t.Context(), &out, host.URL, aws.region, "acme/api", "")
	if err == nil || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY is empty") {
		t.Errorf("got %v, want to be told of AWS_SECRET_ACCESS_KEY", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", aws.secretKey)
	err = read(t.Context(), &out, host.URL, aws.region, "acme/api", "")
	if got := out.String(); err != nil || got != "acme/api: [redacted]\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// The API changes its key: one 401, one request to AWS, and no call fails.
func TestKeyIsRotated(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		call := r.api(r.secrets().Secret("acme/api", "key"))
		r.want(0, 0) // New asks for nothing
		r.ok(atOnce(100, call))
		r.want(1, 0)
		for i := range 3 {
			r.rotate(fmt.Sprintf("fake-key-%d", i+2))
			r.ok(atOnce(100, call))
			r.want(i+2, 0)
		}
		if r.shop.served != 400 {
			t.Errorf("%d orders, want 400", r.shop.served)
		}
	})
}

// AWS has the new key before the API knows it: the previous one serves until then.
func TestPreviousServes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.rotate("fake-key-2")
		r.shop.know("fake-key-1")
		call := r.api(r.secrets().Secret("acme/api", "key"))
		r.ok(atOnce(100, call))
		r.want(2, 1) // what was refused is asked for again, in case it was changed
		r.ok(atOnce(100, call))
		r.want(2, 1)
		time.Sleep(time.Minute)
		r.shop.know("fake-key-2")
		r.ok(atOnce(100, call))
		r.want(2, 2)
		r.ok(atOnce(100, call))
		r.want(2, 2)
	})
}

// A new secret has no previous version, and needs none.
func TestNeverRotated(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		call := r.api(r.secrets().Secret("acme/api", "key"))
		r.ok(call())
		r.shop.know("fake-key-of-others")
		err := call()
		if aplomb.StatusCode(err) != http.StatusUnauthorized {
			t.Errorf("got %v, want the API's 401", err)
		}
		r.clean(err)
	})
}

// What AWS refuses reaches the caller in its words and with its type.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id, field  string
		kind, text string
		arrange    func(*rig)
	}{
		"no such secret": {"acme/none", "", "ResourceNotFoundException", "can't find the specified secret", nil},
		"no version": {"acme/empty", "", "ResourceNotFoundException", "for staging label: AWSCURRENT", func(r *rig) {
			r.aws.secrets["acme/empty"] = []any{}
		}},
		"deleted":       {"acme/api", "", "InvalidRequestException", "marked for deletion", func(r *rig) { r.aws.deleted["acme/api"] = true }},
		"not allowed":   {"private/api", "", "AccessDeniedException", "not authorized", nil},
		"other key":     {"acme/api", "", "InvalidSignatureException", "does not match", func(r *rig) { r.aws.secretKey = "fake-secret-access-key-2" }},
		"other id":      {"acme/api", "", "UnrecognizedClientException", "security token", func(r *rig) { r.aws.accessKeyID = "FAKEOTHERKEYID" }},
		"other session": {"acme/api", "", "UnrecognizedClientException", "security token", func(r *rig) { r.aws.sessionToken = "fake-session-token" }},
		"other region":  {"acme/api", "", "InvalidSignatureException", "valid region", func(r *rig) { r.aws.region = "eu-west-1" }},
		"other clock":   {"acme/api", "", "InvalidSignatureException", "Signature expired", func(r *rig) { r.aws.skew = 2 * time.Hour }},
		"no such field": {"acme/api", "none", "", `no field "none"`, nil},
		"not a string":  {"acme/api", "limit", "", "limit is not a string", nil},
		"not JSON":      {"acme/text", "key", "", "not JSON", func(r *rig) { r.aws.rotate("acme/text", "fake-key-as-text") }},
		"binary":        {"acme/binary", "", "", "binary", func(r *rig) { r.aws.rotate("acme/binary", []byte("fake-key")) }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				m := r.secrets()
				if c.arrange != nil {
					c.arrange(r)
				}
				err := r.api(m.Secret(c.id, c.field))()
				if err == nil || !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v, want an error with %q", err, c.text)
				}
				refusal, ok := errors.AsType[*Error](err)
				if ok != (c.kind != "") || ok && refusal.Type != c.kind {
					t.Errorf("got %#v, want %s", refusal, c.kind)
				}
				if ok && (refusal.Err.StatusCode != http.StatusBadRequest || refusal.Err.RequestID == "") {
					t.Errorf("status %d, request %q", refusal.Err.StatusCode, refusal.Err.RequestID)
				}
				if r.shop.served != 0 {
					t.Error("the API was called without a key")
				}
				r.clean(err)
			})
		})
	}
}

// Our clock may be off by up to an hour: the second signature is by AWS's own.
func TestClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-50 * time.Minute, -14 * time.Minute, 14 * time.Minute, 50 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				r.aws.skew = skew
				m := r.secrets()
				r.ok(r.api(m.Secret("acme/api", "key"))())
				first := r.faults.Requests()
				if want := 1; skew.Abs() <= 15*time.Minute && first != want || skew.Abs() > 15*time.Minute && first != 2 {
					t.Errorf("%d requests", first)
				}
				r.ok(r.api(m.Secret("acme/api", "key"))())
				if n := r.faults.Requests() - first; n != 1 {
					t.Errorf("%d requests by a clock that is known, want 1", n)
				}
			})
		})
	}
}

// A session's credentials are replaced while the program runs.
func TestCredentialsChange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		current := signature.StaticAWS(r.aws.accessKeyID, r.aws.secretKey, "")
		m := r.secretsBy(func(ctx context.Context) (signature.AWSCredentials, error) { return current(ctx) })
		r.ok(r.api(m.Secret("acme/api", "key"))())
		r.aws.accessKeyID, r.aws.secretKey, r.aws.sessionToken = "FAKEOTHERKEYID", "fake-secret-access-key-2", "fake-session-token"
		current = signature.StaticAWS(r.aws.accessKeyID, r.aws.secretKey, r.aws.sessionToken)
		r.ok(r.api(m.Secret("acme/api", "key"))())
	})
}

// What may pass is tried again; the signature is a new one each time.
func TestFaults(t *testing.T) {
	t.Parallel()
	refusing := func(status int, kind, message string) aplombtest.Fault {
		return aplombtest.Answer(func(w http.ResponseWriter, _ *http.Request) { refuse(w, &awsRefusal{status, kind, message}) })
	}
	throttled := refusing(400, "ThrottlingException", "Rate exceeded")
	for name, faults := range map[string][]aplombtest.Fault{
		"throttled":              {throttled},
		"throttled, spelled out": {refusing(400, "com.amazonaws.secretsmanager#ThrottlingException:http://internal.amazon.com/coral/", "Rate exceeded")},
		"throttled often":        {throttled, throttled},
		"internal failure":       {refusing(500, "InternalServiceError", "An error occurred on the server side.")},
		"unavailable":            {aplombtest.Status(503), aplombtest.Status(503)},
		"lost":                   {aplombtest.LostResponse()},
		"truncated":              {aplombtest.TruncatedBody(20)},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				if len(faults) == 1 { // whoever asks for the secret itself sees nothing of one
					r.faults.Then(faults...)
					_, err := r.secrets().Secret("acme/api", "key").Secret(t.Context())
					r.ok(err)
					wanted := 1
					if name == "lost" || name == "truncated" {
						wanted = 2
					}
					r.want(wanted, 0)
					r = newRig(t)
				}
				r.faults.Then(faults...)
				r.ok(atOnce(5, r.api(r.secrets().Secret("acme/api", "key"))))
				// A secret that cannot be had is looked for in its previous version too.
				if n := r.faults.Requests(); r.faults.Left() != 0 || n > len(faults)+3 {
					t.Errorf("%d requests, %d faults left", n, r.faults.Left())
				}
			})
		})
	}
}

// A throttle that does not end is one by both names.
func TestThrottledForGood(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.faults.Always(aplombtest.Answer(func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, badRequest("ThrottlingException", "Rate exceeded"))
		}))
		_, err := r.secrets().Secret("acme/api", "key").Secret(t.Context())
		refusal, ok := errors.AsType[*Error](err)
		if !ok || refusal.Type != "ThrottlingException" || !errors.Is(err, aplomb.ErrRateLimited) {
			t.Errorf("got %v", err)
		}
		r.clean(err)
	})
}

// The key in use goes on serving while AWS is away.
func TestAWSIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		call := r.api(r.secrets().Secret("acme/api", "key"))
		r.net.Break("secretsmanager.eu-central-1.amazonaws.com", aplombtest.DialRefused)
		began := time.Now()
		err := call()
		if took := time.Since(began); err == nil || took > 30*time.Second {
			t.Errorf("%v after %v, want an error sooner", err, took)
		}
		r.clean(err)
		r.net.Heal("secretsmanager.eu-central-1.amazonaws.com")
		time.Sleep(time.Minute)
		r.ok(call())
		r.net.Break("secretsmanager.eu-central-1.amazonaws.com", aplombtest.DialRefused)
		for range 20 {
			time.Sleep(10 * time.Minute)
			r.ok(atOnce(5, call))
		}
		time.Sleep(time.Minute) // the last try in the background has ended
		r.net.Heal("secretsmanager.eu-central-1.amazonaws.com")
		r.rotate("fake-key-2")
		time.Sleep(10 * time.Minute)
		r.ok(atOnce(5, call))
	})
}

// The fake refuses what was changed after it was signed: else the tests above
// would show nothing.
func TestFakeVerifies(t *testing.T) {
	t.Parallel()
	signed := func(t *testing.T, body string) *http.Request {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "https://secretsmanager.eu-central-1.amazonaws.com/", strings.NewReader(body))
		r.RequestURI = ""
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
		aws := newFakeAWS()
		s := signature.AWS{Region: aws.region, Service: "secretsmanager", Credentials: signature.StaticAWS(aws.accessKeyID, aws.secretKey, "")}
		if err := s.Sign(r, time.Now()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	const body = `{"SecretId":"acme/api","VersionStage":"AWSCURRENT"}`
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   string
	}{
		"nothing":      {func(*http.Request) {}, ""},
		"the body":     {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) }, "InvalidSignatureException"},
		"the path":     {func(r *http.Request) { r.URL.Path = "/x" }, "InvalidSignatureException"},
		"the method":   {func(r *http.Request) { r.Method = http.MethodPut }, "InvalidSignatureException"},
		"the host":     {func(r *http.Request) { r.Host = "elsewhere.test" }, "InvalidSignatureException"},
		"the target":   {func(r *http.Request) { r.Header.Set("X-Amz-Target", "secretsmanager.DeleteSecret") }, "InvalidSignatureException"},
		"the time":     {func(r *http.Request) { r.Header.Set("X-Amz-Date", stampOf(time.Now().Add(-time.Minute))) }, "InvalidSignatureException"},
		"no signature": {func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationTokenException"},
		"half of one":  {func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x") }, "IncompleteSignatureException"},
		"not all signed": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";x-amz-target", "", 1))
		}, "IncompleteSignatureException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newFakeAWS()
			aws.rotate("acme/api", "fake-key-1")
			r := signed(t, body)
			c.change(r)
			w := httptest.NewRecorder()
			aws.ServeHTTP(w, r)
			if got := errorType(w.Body.Bytes()); got != c.want {
				t.Errorf("got %q, want %q: %d", got, c.want, w.Code)
			}
		})
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := NewSecretsManager("", "eu-central-1", Environment); err == nil {
		t.Error("no error without an endpoint")
	}
	if _, err := NewSecretsManager(Endpoint("eu-central-1"), "", Environment); err == nil {
		t.Error("no error without a region")
	}
}
