package signature_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
)

// Every test of HMAC.Verify is one of Prepared's too, which it goes through; here
// is what only keeping it shows.
func TestPreparedIsTheSameAtEachUse(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	secret := "first"
	p, err := signature.Slack(func(context.Context) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		return []byte(secret), nil
	}, signature.StaticKey("other")).Prepare()
	assert.NoError(t, err)
	first := post("{}")
	assert.NoError(t, p.Sign(first, at))
	for range 3 {
		v, err := p.Verify(first, []byte("{}"), at)
		assert.NoError(t, err)
		assert.Equal(t, v, signature.Verified{Key: 0, Time: at})
		_, err = p.Verify(first, []byte("{ }"), at)
		assert.ErrorIs(t, err, signature.ErrSignature)
		_, err = p.Verify(first, []byte("{}"), at.Add(time.Hour))
		assert.ErrorIs(t, err, signature.ErrExpired)
	}

	secret = "rotated"
	_, err = p.Verify(first, []byte("{}"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	second := post("{}")
	assert.NoError(t, p.Sign(second, at))
	_, err = p.Verify(second, []byte("{}"), at)
	assert.NoError(t, err)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", p, p, p, struct{ p *signature.Prepared }{p}), "rotated")
	assert.Equal(t, fmt.Sprint(p), "signature.Prepared")

	_, err = signature.Slack().Prepare()
	assert.Contains(t, fmt.Sprint(err), "no key")
	ambiguous := signature.Slack(signature.StaticKey("x"))
	ambiguous.Content = "{timestamp}{body}"
	_, err = ambiguous.Prepare()
	assert.Contains(t, fmt.Sprint(err), "nothing between {timestamp}")
	assert.NoError(t, ambiguous.Sign(post("{}"), at)) // for a server that wants it so
}

// What one message holds must not show in the next, also where many are verified
// at once.
func TestPreparedKeepsMessagesApart(t *testing.T) {
	t.Parallel()
	p, err := signature.StandardWebhooks(signature.StaticKey(webhookSecret)).Prepare()
	assert.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := strings.Repeat("x", i*100)
			id := fmt.Sprintf("msg_%d", i)
			r := post(body, "Webhook-Id", id)
			if err := p.Sign(r, at); err != nil {
				t.Error(err)
			}
			bare := post(body, "Webhook-Id", id, "Webhook-Timestamp", "1700000000", "Webhook-Signature", "v2,AAAA")
			for range 200 {
				v, err := p.Verify(r, []byte(body), at)
				if err != nil || v.ID != id {
					t.Errorf("%d: %v %v", i, v, err)
				}
				if _, err := p.Verify(bare, []byte(body), at); err == nil { // not by the sums of another
					t.Errorf("%d: a message without a signature is good", i)
				}
			}
		})
	}
	wg.Wait()
}

func TestPreparedVerifiesWithoutAllocating(t *testing.T) {
	body := []byte(strings.Repeat("x", 1024))
	for name, h := range map[string]signature.HMAC{
		"Stripe":           signature.Stripe(signature.StaticKey("a"), signature.StaticKey("b")),
		"GitHub":           signature.GitHub(signature.StaticKey("a")),
		"Slack":            signature.Slack(signature.StaticKey("a")),
		"StandardWebhooks": signature.StandardWebhooks(signature.StaticKey(webhookSecret)),
	} {
		p, err := h.Prepare()
		assert.NoError(t, err)
		r := post(string(body))
		assert.NoError(t, p.Sign(r, at))
		if got := allocations(func() {
			if _, err := p.Verify(r, body, at); err != nil {
				t.Fatal(err)
			}
		}); got > 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

// allocations is not counted under the race detector, which has a pool forget
// things at random.
func allocations(f func()) float64 {
	if raceEnabled {
		f()
		return 0
	}
	return testing.AllocsPerRun(100, f)
}

func BenchmarkPrepared(b *testing.B) {
	body := []byte(strings.Repeat("x", 1024))
	p, err := signature.Stripe(signature.StaticKey("a secret for tests")).Prepare()
	if err != nil {
		b.Fatal(err)
	}
	r := post(string(body))
	if err := p.Sign(r, at); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Verify(r, body, at); err != nil {
			b.Fatal(err)
		}
	}
}
