package aplombtest

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Schedule is how long a sender waits for an answer, and when it tries again.
type Schedule struct {
	// Timeout is how long an attempt may take.
	Timeout time.Duration
	// Waits lie between the end of an attempt and the next: with none there is one
	// attempt alone.
	Waits []time.Duration
	// Source is where it stands, and what of it does not.
	Source string

	numbered bool // retries say which they are, and why
	asked    bool // Retry-After makes a wait longer, and 410 ends it
	refusals bool // X-Slack-No-Retry ends it
	dialling bool // only what found no connection is tried again
}

// next says whether there is another attempt after the n-th from 0, and when.
func (s *Schedule) next(n int, a *DeliveryAttempt) (wait time.Duration, again bool) {
	if n >= len(s.Waits) {
		return 0, false
	}
	wait = s.Waits[n]
	switch {
	case s.dialling:
		op, ok := errors.AsType[*net.OpError](a.Err)
		return wait, ok && op.Op == "dial"
	case s.refusals && a.header.Get("X-Slack-No-Retry") == "1":
		return 0, false
	case s.asked && a.Status == http.StatusGone:
		return 0, false
	case s.asked:
		if after, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil {
			wait = max(wait, time.Duration(after)*time.Second)
		}
	}
	return wait, true
}

// doubling is n waits, each twice the one before, which take so long together: what
// is meant by "with exponential backoff" where no more is said.
func doubling(n int, total time.Duration) []time.Duration {
	waits := make([]time.Duration, n)
	for i := range waits {
		waits[i] = total / time.Duration(1<<n-1) << i
	}
	return waits
}

// The schedules by the names of the schemes, with where they stand. Those that are
// nowhere to be read, of SendGrid and CircleCI among them, are taken to be the
// example of Standard Webhooks.
func scheduleOf(scheme string) Schedule {
	const minute, hour = time.Minute, time.Hour
	switch scheme {
	case "Stripe":
		return Schedule{
			Timeout: 30 * time.Second, Waits: doubling(10, 72*hour),
			Source: "https://docs.stripe.com/webhooks: up to three days with exponential backoff; the intervals and the timeout are not published",
		}
	case "GitHub":
		return Schedule{
			Timeout: 10 * time.Second,
			Source:  "https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries: 10 s, and no retry but by hand",
		}
	case "Slack":
		return Schedule{
			Timeout: 3 * time.Second, Waits: []time.Duration{0, minute, 5 * minute}, numbered: true, refusals: true,
			Source: "https://docs.slack.dev/apis/events-api: 3 s; at once, after 1 and after 5 minutes, unless X-Slack-No-Retry says no",
		}
	case "Shopify":
		return Schedule{
			Timeout: 5 * time.Second, Waits: doubling(8, 4*hour),
			Source: "https://shopify.dev/changelog/updates-to-webhook-retry-mechanism: 8 times in 4 h with exponential backoff; the intervals are not published",
		}
	case "Zoom":
		return Schedule{
			Timeout: 3 * time.Second, Waits: []time.Duration{5 * minute, 20 * minute, 60 * minute},
			Source: "https://developers.zoom.us/blog/webhook-delays: 3 s; after 5, 20 and 60 minutes, each from the one before",
		}
	case "Square":
		waits := []time.Duration{minute, 2 * minute, 4 * minute, 8 * minute, 16 * minute, 32 * minute}
		return Schedule{
			Timeout: 10 * time.Second, Waits: append(waits, slices.Repeat([]time.Duration{hour}, 70)...),
			Source: "https://developer.squareup.com/docs/webhooks-api/delivery-sla: 10 s; 1 to 32 minutes, doubled, then each hour for 72 h",
		}
	case "Twilio":
		return Schedule{
			Timeout: 15 * time.Second, Waits: []time.Duration{0}, dialling: true,
			Source: "https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides: 15 s; once more where there was no connection (rc=1, rp=ct)",
		}
	case "Svix":
		return Schedule{
			Timeout: 15 * time.Second, Waits: []time.Duration{5 * time.Second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour},
			Source: "https://docs.svix.com/retries",
		}
	}
	return Schedule{
		Timeout: 15 * time.Second, asked: true,
		Waits: []time.Duration{
			5 * time.Second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour,
		},
		Source: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the example, and 15 of its 15 to 30 s",
	}
}
