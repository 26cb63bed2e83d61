// Package webhook measures how aplomb/webhook verifies a delivery side by side with
// stripe-go and with crypto/hmac alone, in the same run, so that what is held are
// ratios and not the machine. The report has the figures: bench/RESULTS.md.
//
//   - aplomb: a Scheme that is made once, with one secret, as a handler has it. Verify
//     is told the time; aplomb-with-clock reads it, as stripe-go does.
//   - aplomb-two-secrets: with a newer secret before the one that fits, as while one
//     is replaced.
//   - signature-unprepared: the package below, its scheme made anew each time.
//   - stripe-go: webhook.ValidatePayload, with its tolerance of five minutes. It does
//     not decode the event, which ConstructEvent would.
//   - hmac-alone: the hash and the comparison, with nothing parsed and no time
//     checked: what nobody can do without.
package webhook
