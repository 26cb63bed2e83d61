// Package prometheus shows in Prometheus what clients of somebody else's API meet,
// with rules that wake somebody when it matters and a dashboard to look at then.
//
// An API begins to answer every tenth call with a 503. Retries hide it at first:
// users see slowness, the provider sees twice the requests. An hour later a breaker
// opens. Whoever is called then wants to know which API, which operation, since when,
// and whether it is the API, the quota, the token or the network. That is the
// metrics of this package:
//
//	import (
//		"github.com/prometheus/client_golang/prometheus"
//		"github.com/prometheus/client_golang/prometheus/promhttp"
//
//		"github.com/aplomb-go/aplomb"
//		aplombprom "github.com/aplomb-go/aplomb/prometheus"
//	)
//
//	metrics, err := aplombprom.New(prometheus.DefaultRegisterer)
//	c, err := aplomb.New("https://api.acme.example", aplomb.Name("acme"), metrics.Option())
//	http.Handle("/metrics", promhttp.Handler())
//
// This package is called prometheus as client_golang's is: import it as aplombprom.
// One [Metrics] serves any number of clients, which the label client tells apart.
// What is beside a client has a method of its own: [Metrics.Tokens],
// [Metrics.Webhook], [Metrics.Poll], [Metrics.Inbox], [Metrics.Cache].
//
// # Metrics
//
// A histogram has _bucket, _sum and _count.
//
//	aplomb_calls_total                         client, operation, outcome (aplomb.Result): ok, client_error,
//	                                           server_error, rate_limited, timeout, network, breaker_open,
//	                                           bulkhead_full, canceled, decode_error, refused, panic
//	aplomb_call_duration_seconds               client, operation; with its waits and retries
//	http_client_request_duration_seconds       an attempt, with OpenTelemetry's name, buckets and labels:
//	                                           http_request_method, server_address, server_port,
//	                                           http_response_status_code, error_type
//	aplomb_attempts_total                      client, reason: first, retry, hedge, redirect, probe
//	aplomb_wait_seconds                        client, cause (aplomb.WaitCause): backoff, bulkhead, limiter, quota
//	aplomb_inflight                            client; calls that began and have not ended, those that wait too
//	aplomb_body_failures_total                 client; bodies that broke off after the answer
//	aplomb_rate_limit_limit, _remaining        client, bucket; as the server says
//	aplomb_rate_limit_reset_timestamp_seconds  client, bucket
//	aplomb_breaker_state                       client, host, state; 1 for the one it is in
//	aplomb_breaker_transitions_total           client, host, state
//	aplomb_store_up                            client; 0 while the store of aplomb.Fleet is away, 1 once it is back
//	aplomb_clock_skew_seconds                  client; how far the server is ahead, at least
//	aplomb_token_expiry_timestamp_seconds      client
//	aplomb_token_refresh_total                 client, result: ok, error
//	aplomb_sunset_timestamp_seconds            client, operation
//	aplomb_deprecated_calls_total              client, operation
//	aplomb_webhook_events_total                result: stored, duplicate, replaced, conflict, handshake, refused_…
//	aplomb_dedupe_dropped_total                source
//	aplomb_poll_lag_seconds                    the longest of all feeds
//	aplomb_cache_total                         result (cache.Result)
//	aplomb_client_info                         client, version, api_version; always 1
//
// A number that is true only for a time goes away with it: a quota's when its
// window ends, or ten minutes after the server's last word where it names no end; a
// feed's when another process reads it. The label host of a breaker is what
// it guards, an origin unless Breaker.Key says otherwise.
//
// aplomb_inflight counts calls, not connections: one that waits for a backoff, a
// place, a rate or a quota is in flight as long, and a hedge adds nothing. On
// net/http's door and with Open a call ends with the answer's header, not with its
// body. An attempt that was not sent for want of a credential
// (aplomb.ErrNoCredential) is no request: only its call is counted. Breakers and
// stores have a state once they have changed it.
//
// # Few series
//
// An operation is a template such as "GET /v1/orders/{id}", so ten thousand
// addresses are one. A request that net/http's door brings has no template: of its
// path, segments that look like values become {}, and aplomb.Operation gives it a
// better name. Whatever a server or a caller thinks up, a client has 200 operations,
// 100 breakers and 100 quotas at most, and there are 100 clients, 100 servers, 50
// statuses and 1000 combinations of those at most. What comes after is counted under
// "other", and of breakers the worst state is shown that one of them is in; a quota or a
// feed is not shown then. No label holds a query, a header, a body or an error's text.
//
// # Rules and the dashboard
//
// rules.yml, beside this package's source, has recording rules and six alerts, each by
// job and client: calls
// that go on failing; a quota that is nearly used up; an open circuit; too many
// requests per call; an operation that goes away; a token that ends while no other is
// to be had. rules_test.yml tests each of their conditions with promtool.
// dashboard.json is for Grafana: import it and choose the Prometheus.
package prometheus
