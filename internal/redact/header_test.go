package redact

import "testing"

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, value, want string }{
		{"Content-Type", "application/json", "application/json"},
		{"content-length", "17", "17"},
		{"X-Request-Id", "req_123", "req_123"},
		{"CF-Ray", "8f1-FRA", "8f1-FRA"},
		{"X-RateLimit-Remaining", "4999", "4999"},
		{"X-RateLimit-Reset", "1800000000123", "1800000000123"},
		{"x-ratelimit-reset-tokens", "6m0s", "6m0s"},
		{"RateLimit-Policy", `"default";q=100;w=60`, `"default";q=100;w=60`},
		{"Anthropic-RateLimit-Input-Tokens-Remaining", "3", "3"},
		{"Stripe-Version", "2026-01-28", "2026-01-28"},
		{"User-Agent", "x/1\r\nEvil: " + stripeKey, `x/1\r\nEvil: [redacted]`},
		{"Location", "https://bob:pw@h/x?token=abc&page=2", "https://h/x?token=[redacted]&page=2"},
		{"Location", "https://h/%zz?a", Mask},

		{"X-RateLimit-Api-Key", "abc", Mask},
		{"X-RateLimit-", "abc", Mask},
		{"Authorization", "Bearer abc", Mask},
		{"Proxy-Authorization", "x", Mask},
		{"Cookie", "a=b", Mask},
		{"Set-Cookie", "a=b", Mask},
		{"X-Api-Key", "abc", Mask},
		{"Stripe-Signature", "t=1,v1=a", Mask},
		{"Idempotency-Key", "order-1", Mask},
		{"Link", `<https://h/x?cursor=abc>; rel="next"`, Mask},
		{"WWW-Authenticate", `Digest nonce="x"`, Mask},
		{"Referer", "https://h", Mask},
		{"X-Anything", "else", Mask},
		{"", "x", Mask},
	} {
		if got := Header(tt.name, tt.value); got != tt.want {
			t.Errorf("Header(%q, %q) = %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}
