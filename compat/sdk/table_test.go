package sdk_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// peers are all of them, in the order of the guide.
func peers() []peer {
	return []peer{
		stripeGo(),
		awsS3(), awsSTS(),
		openAI(), anthropicSDK(),
		goGitHub(), googleAPI(), azure(), connectGo(),
		genQLient(), oapiCodegen(), ogenGo(), slackGo(), twilioGo(),
	}
}

// TestSDKs is the table: each row for each SDK.
func TestSDKs(t *testing.T) {
	t.Parallel()
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			stage(t, "its request is left as it is", &p, asItIs)
			stage(t, "two 503s and a success", &p, twoFaults)
			stage(t, "429 with Retry-After", &p, throttled)
			stage(t, "503 without end", &p, unavailable)
			stage(t, "a request that is to blame", &p, refused)
			stage(t, "one key per creation", &p, oneKey)
			stage(t, "a key of its own", &p, ownKey)
			stage(t, "a creation whose answer is lost", &p, lostAnswer)
			stage(t, "its own retries left on", &p, multiplied)
			stage(t, "a refusal of ours", &p, ourRefusal)
			stage(t, "as the guide says", &p, asTheGuideSays)
			if !p.noContext {
				stage(t, "a key in the context", &p, contextKey)
				stage(t, "a deadline before the retry", &p, deadline)
				stage(t, "a cancel during the backoff", &p, cancelled)
			}
		})
	}
}

// both are the two calls that every SDK makes here.
func both(yield func(string, func(calls, context.Context) error) bool) {
	_ = yield("read", func(c calls, ctx context.Context) error { return c.read(ctx) }) &&
		yield("create", func(c calls, ctx context.Context) error { return c.create(ctx) })
}

// asItIs compares each request with what the SDK sends over a bare client.
func asItIs(s *scene) {
	plain := s.p.open(s.t, bare{s.srv.Client()}, s.srv.URL, s.p.resigned)
	for name, call := range both {
		assert.NoError(s.t, call(plain, s.t.Context()), name)
		want := s.sent(1)[0]
		assert.NoError(s.t, call(s.calls(), s.t.Context()), name)
		got := s.sent(1)[0]
		for h, begins := range s.p.headers {
			if v := got.header.Get(h); begins == "" || !strings.HasPrefix(v, begins) {
				s.t.Errorf("%s: got  %s: %q\nwant %q...", name, h, v, begins)
			}
		}
		for _, h := range s.p.vary {
			got.header.Del(h)
			want.header.Del(h)
		}
		assert.Equal(s.t, got.method+" "+got.target, want.method+" "+want.target, name)
		assert.Equal(s.t, got.header, want.header, name)
		assert.Equal(s.t, got.body, want.body, name)
	}
}

func twoFaults(s *scene) {
	s.script.Then(s.fault(http.StatusServiceUnavailable), s.fault(http.StatusServiceUnavailable))
	assert.NoError(s.t, s.calls().read(s.t.Context()))
	s.sent(3)
}

// throttled also holds for creations: what was throttled had no effect.
func throttled(s *scene) {
	for name, call := range both {
		s.script.Then(s.fault(http.StatusTooManyRequests, "Retry-After", "1"))
		waited, err := took(func() error { return call(s.calls(), s.t.Context()) })
		assert.NoError(s.t, err, name)
		if waited < time.Second || waited > 1100*time.Millisecond { // a tenth of it is jitter
			s.t.Errorf("%s: waited %v, want 1s to 1.1s", name, waited)
		}
		s.sent(2)
	}
}

func unavailable(s *scene) {
	s.script.Always(s.fault(http.StatusServiceUnavailable))
	err := s.calls().read(s.t.Context())
	assert.Equal(s.t, s.p.typed(err), s.p.unavailable, err)
	s.sent(s.p.attempts)
}

func refused(s *scene) {
	s.script.Always(s.fault(s.p.refused))
	for name, call := range both {
		err := call(s.calls(), s.t.Context())
		assert.Equal(s.t, s.p.typed(err), s.p.refusal, name, err)
		s.sent(1)
	}
}

// keys are those that the requests have.
func keys(got []received) []string {
	var all []string
	for _, r := range got {
		all = append(all, r.header.Get("Idempotency-Key"))
	}
	return all
}

func oneKey(s *scene) {
	if s.p.resigned {
		return // who retries has to mint the key
	}
	sdk := s.calls(aplomb.Idempotency{})
	seen := map[string]bool{}
	for range 2 {
		s.script.Then(s.fault(http.StatusServiceUnavailable), aplombtest.LostResponse())
		assert.NoError(s.t, sdk.create(s.t.Context()))
		got := keys(s.sent(3))
		assert.Equal(s.t, len(slices.Compact(got)), 1, got)
		if got[0] == "" || seen[got[0]] {
			s.t.Errorf("the key is %q, want one of its own for each call", got[0])
		}
		seen[got[0]] = true
	}
}

func ownKey(s *scene) {
	sdk := s.calls(aplomb.Idempotency{})
	if sdk.keyed == nil {
		return
	}
	s.script.Then(s.fault(http.StatusServiceUnavailable), aplombtest.LostResponse())
	assert.NoError(s.t, sdk.keyed(s.t.Context(), "order-7"))
	assert.Equal(s.t, keys(s.sent(3)), []string{"order-7", "order-7", "order-7"})
}

// contextKey is for the SDKs without a means of their own.
func contextKey(s *scene) {
	if s.p.resigned {
		return
	}
	s.script.Then(s.fault(http.StatusServiceUnavailable), aplombtest.LostResponse())
	ctx := aplomb.NewContext(s.t.Context(), aplomb.IdempotencyKey("order-7"))
	assert.NoError(s.t, s.calls().create(ctx))
	assert.Equal(s.t, keys(s.sent(3)), []string{"order-7", "order-7", "order-7"})
}

// lostAnswer is law 1: what may have taken effect is not sent again.
func lostAnswer(s *scene) {
	s.script.Then(aplombtest.LostResponse())
	err := s.calls().create(s.t.Context())
	assert.Equal(s.t, err == nil, s.p.lost > 1, err)
	s.sent(s.p.lost)
}

// deadline is law 3: a retry that would come too late is not waited for.
func deadline(s *scene) {
	s.script.Always(s.fault(http.StatusServiceUnavailable, "Retry-After", "30"))
	ctx, cancel := context.WithTimeout(s.t.Context(), 100*time.Millisecond)
	defer cancel()
	waited, err := took(func() error { return s.calls().read(ctx) })
	if s.p.resigned { // it waits, and in vain
		assert.True(s.t, err != nil && waited <= 100*time.Millisecond, waited, err)
		s.sent(1)
		return
	}
	assert.Equal(s.t, waited, 0)
	assert.Equal(s.t, s.p.typed(err), s.p.unavailable, err)
	s.sent(1)
}

func cancelled(s *scene) {
	s.script.Always(s.fault(http.StatusServiceUnavailable, "Retry-After", "30"))
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	time.AfterFunc(100*time.Millisecond, cancel)
	waited, err := took(func() error { return s.calls().read(ctx) })
	assert.Equal(s.t, waited, 100*time.Millisecond)
	assert.ErrorIs(s.t, err, context.Canceled)
	s.sent(1)
}

// multiplied is what the guide warns of, measured.
func multiplied(s *scene) {
	s.script.Always(s.fault(http.StatusServiceUnavailable))
	for _, row := range []struct {
		name string
		want int
		opt  aplomb.Option
	}{
		{"alone", s.p.alone, aplomb.NoRetry()},
		{"both", s.p.both, aplomb.Retry{}},
	} {
		sdk := s.p.open(s.t, s.aplomb(row.opt), s.srv.URL, true)
		err := sdk.read(s.t.Context())
		assert.Equal(s.t, s.p.typed(err), s.p.unavailable, row.name, err)
		got := len(s.requests())
		if s.p.budgeted && got == row.want-1 {
			continue
		}
		assert.Equal(s.t, got, row.want, row.name)
	}
}

// ourRefusal: what is known to come to nothing before the call's time is over
// is not sent, and is found in the SDK's error.
func ourRefusal(s *scene) {
	sdk := s.calls(aplomb.NoRetry(), aplomb.Timeout(time.Second))
	s.script.Then(s.fault(http.StatusTooManyRequests, "Retry-After", "30"))
	assert.True(s.t, sdk.read(s.t.Context()) != nil)
	s.sent(1)
	assert.ErrorIs(s.t, sdk.read(s.t.Context()), aplomb.ErrRateLimited)
	s.sent(0)
}

// asTheGuideSays runs the lines of docs/sdks.md.
func asTheGuideSays(s *scene) {
	s = open(s.t, s.p, true)
	s.script.Then(s.fault(http.StatusServiceUnavailable), s.fault(http.StatusServiceUnavailable))
	assert.NoError(s.t, s.p.guide(s.t.Context(), s.aplomb(), testKey))
	s.sent(3)
}
