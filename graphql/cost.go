package graphql

import (
	"encoding/json"
	"time"
)

// Cost is what an answer says of its price, in the server's points
// (https://shopify.dev/docs/api/usage/limits#graphql-admin-api-rate-limits). The
// numbers are float64, since Shopify writes 50 and 50.0 alike; points are far below
// the 2^53 up to which that is exact. What the server left out, or has as null, is 0.
type Cost struct {
	// Requested is what the query was expected to cost before it ran.
	Requested float64 `json:"requestedQueryCost"`
	// Actual is what it did cost; 0 where it did not run.
	Actual float64 `json:"actualQueryCost"`
	// Throttle is what was left then.
	Throttle ThrottleStatus `json:"throttleStatus"`
}

// ThrottleStatus is the state of the bucket that queries are paid from.
type ThrottleStatus struct {
	// Maximum is what the bucket holds when it is full.
	Maximum float64 `json:"maximumAvailable"`
	// Available is what it holds now.
	Available float64 `json:"currentlyAvailable"`
	// RestoreRate is what it gains each second.
	RestoreRate float64 `json:"restoreRate"`
}

// Cost reads extensions.cost, as Shopify has it; ok is false where there is none.
func (r *Response[T]) Cost() (cost Cost, ok bool) { return costOf(r.Extensions) }

// Cost reads the extensions.cost of an answer that was refused, or came in part.
func (e *ResponseError) Cost() (cost Cost, ok bool) { return costOf(e.Extensions) }

func costOf(extensions json.RawMessage) (Cost, bool) {
	var x struct{ Cost *Cost }
	if json.Unmarshal(extensions, &x) != nil || x.Cost == nil {
		return Cost{}, false
	}
	return *x.Cost, true
}

// costWait is how long until the query could be paid for. The numbers may be zero or
// missing; the floor keeps that from becoming a hot loop.
func costWait(extensions json.RawMessage) time.Duration {
	cost, _ := costOf(extensions)
	if cost.Throttle.RestoreRate <= 0 {
		return 0
	}
	seconds := (cost.Requested - cost.Throttle.Available) / cost.Throttle.RestoreRate
	return time.Duration(min(max(seconds, 1), 24*60*60) * float64(time.Second))
}
