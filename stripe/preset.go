package stripe

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// Version is the Stripe-Version that is sent unless [APIVersion] replaces it
// (https://docs.stripe.com/api/versioning). It is the last before those with names,
// such as 2024-09-30.acacia, which move and drop fields; it has no v2.
const Version = "2024-06-20"

// Preset is what makes an [aplomb.Client] one for Stripe: its name, the pinned
// [Version], 100 requests a second, an idempotency key on every POST, Stripe's
// own word on whether to retry, and [*Error] for its errors. [New] applies it;
// give it first to [aplomb.New] where the client goes under an SDK, so that your
// options win: in a sandbox, aplomb.RateLimit{PerSecond: 25}.
//
// Stripe-Should-Retry decides about sending again, but not what an attempt was
// worth; a lock timeout and a key in use are sent again with the same key. No
// 429 of a lock timeout, of too many requests at a time or of one object slows
// other calls down, since it is no rate limit (Stripe-Rate-Limited-Reason).
// See https://docs.stripe.com/error-low-level and
// https://docs.stripe.com/rate-limits.
func Preset() aplomb.Option {
	return aplomb.Options(
		aplomb.Name("stripe"),
		aplomb.Header("Stripe-Version", Version),
		aplomb.RateLimit{PerSecond: liveRate},
		aplomb.Idempotency{Methods: []string{http.MethodPost}},
		aplomb.Judge(judge),
		aplomb.ErrorDecoder(decodeError),
	)
}

// judge reads Stripe's signs. The header comes last: it leads.
func judge(a *aplomb.Attempt) aplomb.Verdict {
	v := a.Verdict
	if a.Response == nil || a.Response.StatusCode < http.StatusBadRequest {
		return v // a success is not sent again, whatever the header says
	}
	if a.Response.StatusCode >= http.StatusInternalServerError && wasReplayed(a.Response.Header) {
		// The failure of an earlier request, which another resend would get again. It
		// says nothing of how Stripe is now.
		v.Outcome, v.Resend = aplomb.OutcomeNeutral, aplomb.ResendNo
	}
	switch a.Response.StatusCode {
	case http.StatusConflict:
		v = judgeConflict(a, v)
	case http.StatusTooManyRequests:
		v = judgeConflict(a, v)
		switch a.Response.Header.Get("Stripe-Rate-Limited-Reason") {
		case "global-concurrency", "endpoint-concurrency", "resource-specific": // no rate would have avoided it
			v.Outcome, v.Resend = aplomb.OutcomeClientError, aplomb.ResendUnprocessed
		}
	}
	switch strings.ToLower(a.Response.Header.Get("Stripe-Should-Retry")) {
	case "true":
		if v.Resend != aplomb.ResendUnprocessed { // which allows more
			v.Resend = aplomb.ResendYes
		}
	case "false":
		if a.Response.StatusCode != http.StatusUnauthorized { // another key may be in turn
			v.Resend = aplomb.ResendNo
		}
	}
	return v
}

// judgeConflict tells a request that came too close to another one from a
// refusal for good (409) and from a rate limit (429).
func judgeConflict(a *aplomb.Attempt, v aplomb.Verdict) aplomb.Verdict {
	body, err := a.Peek(1 << 20)
	if err != nil {
		return v
	}
	var answer struct {
		Error struct{ Code string }
	}
	if json.Unmarshal(body, &answer) != nil {
		return v
	}
	v.Code = answer.Error.Code
	switch v.Code {
	case "lock_timeout": // another request held the object: this one did nothing
		v.Outcome, v.Resend = aplomb.OutcomeClientError, aplomb.ResendUnprocessed
	case "idempotency_key_in_use": // the first sending is still under way
		v.Resend = aplomb.ResendYes
	}
	return v
}
