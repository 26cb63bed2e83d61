package aplombtest

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Schedule is how long a sender waits for an answer, and when it tries again. What
// else its vendor does, such as Slack's X-Slack-Retry-Num, a [Sender] does by any
// schedule.
//
//	Stripe             30 s  10 within 72 h, doubled  docs.stripe.com/webhooks: "up to three days with an exponential backoff"; how many and the timeout are not published
//	GitHub             10 s  none                     docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
//	Slack               3 s  0, 1, 5 min              docs.slack.dev/apis/events-api; none after X-Slack-No-Retry: 1
//	Shopify             5 s  8 within 4 h, doubled    shopify.dev/changelog/updates-to-webhook-retry-mechanism; the intervals are not published
//	Zoom                3 s  5, 20, 60 min            developers.zoom.us/blog/webhook-delays
//	Square             10 s  1 to 32 min, then hourly developer.squareup.com/docs/webhooks-api/delivery-sla: for 72 h
//	Twilio             15 s  once, without connection www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides: rc=1, rp=ct
//	Svix               15 s  5 s to 10 h, 7           docs.svix.com/retries
//	Standard Webhooks  15 s  5 s to 24 h, 9           its specification's example; 410 ends it, Retry-After is heeded
//
// SendGrid and CircleCI publish none and are taken to do as Standard Webhooks does, and
// so is whoever else.
type Schedule struct {
	// Timeout is how long an attempt may take. Default 15 s.
	Timeout time.Duration
	// Waits lie between the end of an attempt and the next: with none there is one
	// attempt alone.
	Waits []time.Duration
}

const usualTimeout = 15 * time.Second

// habits are what a vendor does besides.
type habits struct {
	numbered bool // retries say which they are, and why
	asked    bool // Retry-After makes a wait longer, and 410 ends it
	refusals bool // X-Slack-No-Retry ends it
	dialling bool // only what found no connection is tried again
}

// next says whether there is another attempt after the n-th from 0, and when.
func (s *Sender) next(n int, a *DeliveryAttempt) (wait time.Duration, again bool) {
	if n >= len(s.Schedule.Waits) {
		return 0, false
	}
	wait = s.Schedule.Waits[n]
	switch {
	case s.habits.dialling:
		op, ok := errors.AsType[*net.OpError](a.Err)
		return wait, ok && op.Op == "dial"
	case s.habits.refusals && a.header.Get("X-Slack-No-Retry") == "1":
		return 0, false
	case s.habits.asked && a.Status == http.StatusGone:
		return 0, false
	case s.habits.asked:
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

// scheduleOf is a vendor's, by the name of its scheme.
func scheduleOf(scheme string) (Schedule, habits) {
	const minute, hour = time.Minute, time.Hour
	in := func(timeout time.Duration, waits ...time.Duration) Schedule { return Schedule{timeout, waits} }
	switch scheme {
	case "Stripe":
		return in(30*time.Second, doubling(10, 72*hour)...), habits{}
	case "GitHub":
		return in(10 * time.Second), habits{}
	case "Slack":
		return in(3*time.Second, 0, minute, 5*minute), habits{numbered: true, refusals: true}
	case "Shopify":
		return in(5*time.Second, doubling(8, 4*hour)...), habits{}
	case "Zoom":
		return in(3*time.Second, 5*minute, 20*minute, 60*minute), habits{}
	case "Square":
		waits := []time.Duration{minute, 2 * minute, 4 * minute, 8 * minute, 16 * minute, 32 * minute}
		return in(10*time.Second, append(waits, slices.Repeat([]time.Duration{hour}, 70)...)...), habits{}
	case "Twilio":
		return in(15*time.Second, 0), habits{dialling: true}
	case "Svix":
		return in(15*time.Second, 5*time.Second, 5*minute, 30*minute, 2*hour, 5*hour, 10*hour, 10*hour), habits{}
	}
	return in(15*time.Second, 5*time.Second, 5*minute, 30*minute, 2*hour, 5*hour, 10*hour, 14*hour, 20*hour, 24*hour), habits{asked: true}
}
