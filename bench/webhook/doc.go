// Package webhook measures how aplomb/webhook verifies a delivery side by side with
// stripe-go and with crypto/hmac alone, in the same run, so that what is held are
// ratios and not the machine. RESULTS.md has the figures; `make bench-webhook`
// writes it.
package webhook
