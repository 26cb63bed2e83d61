// Package otel traces and measures aplomb's calls with OpenTelemetry.
//
// The trace showed one call of 9.2 seconds to the shipping API, and four bars beside
// each other below the request that had made it: no parent, the same name "HTTP GET",
// no number. Which of them was the retry, what was waited for in between and whether
// the fifth was another call, nobody could say; and the attribute url.full had the
// API's key in it.
//
//	telemetry, err := otel.New(otel.Settings{})
//	c, err := aplomb.New("https://api.shipping.example", telemetry.Option())
//
// # Spans
//
// A call is a span of the kind internal, named by its operation, with the waits as
// events; a redirect that an SDK's client follows is one of its own. Below it is a
// CLIENT span for each attempt, by the semantic conventions for HTTP (v1.43), with
// http.request.resend_count from the second on, url.template and a name by it, and
// url.full without any secret. The server is handed the attempt's span by the
// propagator, and one that a redirect leads to at another origin is handed nothing.
// error.type is [aplomb.AttemptEvent.ErrorType]'s and [aplomb.CallEvent.ErrorType]'s: a
// status or one of few words, never a Go type. A call's span says how often it was
// sent (aplomb.attempts), how many seconds it waited (aplomb.waited) and what came of
// it (aplomb.result). An attempt's span ends when its answer is judged: with the body of
// a typed call, and with the header where the caller reads the body; a body that
// breaks off then is an event of the caller's span.
//
// # Metrics
//
// http.client.request.duration is of each attempt, with the advised buckets and
// attributes, error.type on every failure, and url.template, which is opt-in in the
// conventions and here has few values. aplomb's own:
//
//	aplomb.call.duration        s         a call, with its waits: operation, result
//	aplomb.calls.active         {call}
//	aplomb.attempts             {attempt} reason (first, retry, redirect, hedge, probe), outcome
//	aplomb.body.failures        {body}
//	aplomb.wait.duration        s         wait.cause (backoff, limiter, quota, bulkhead)
//	aplomb.breaker.transitions            breaker, breaker.state
//	aplomb.quota.remaining      {request} quota
//	aplomb.deprecations                   operation
//
// Each has aplomb.client, and what stands beside it, as aplomb.operation and the like.
// Hosts, breakers and quotas beyond a hundred of each are "other".
//
// The package's name is that of the API's own, so import it under another:
//
//	import aplombotel "github.com/aplomb-go/aplomb/otel"
package otel
