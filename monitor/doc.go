// Package monitor shows the state of the APIs a service calls: as numbers, as health,
// as alerts and on a live page.
//
// At three in the morning the shop sold nothing. Its dashboards showed that calls to
// the payment API took longer, and not why; the API's status page was green. What
// nobody could see was in the client's memory all the time: the circuit was closed,
// no call failed, and forty of them stood in a queue for a quota that another job had
// used up until six.
//
//	m, err := monitor.New(monitor.Settings{Alert: page})
//	c, err := aplomb.New("https://api.stripe.com", m.Option())
//	http.Handle("/debug/aplomb/", m.Page())
//
// # The page
//
// The worst news is at the top, in a sentence: "stripe: the quota is used up: no
// request for 2h58m". Below are the calls that wait, for what, since when and until
// when; a card for each client and host with five minutes of traffic, percentiles, the
// circuit and when it will be probed, each quota and when it will be empty at this
// pace; and the last calls, attempt by attempt, with what a connection, the server's
// first byte and each wait took, as a command for curl and as a test. It needs no
// JavaScript and no file from elsewhere, is live with JavaScript, and JSON or text by
// ?format=. It is for this machine only, unless [Settings].Allow says otherwise.
//
// # Numbers
//
// [Monitor.Snapshot] is all of it. A [Monitor] is an expvar.Var, a slog.LogValuer, and
// [Monitor.Health] is healthy, degraded or down, with reasons that a human understands.
// Counts are of the last five minutes, percentiles are right to 12.5 %. Everything is
// bounded: beyond 300 operations, 100 hosts or 100 clients what is new is counted as
// other; beyond 50 quotas, 100 circuits or 200 tokens it is not shown; names are cut to
// 200 bytes, and errors to 500. A call costs it
// no allocation; ten attempts a second are looked at closely, which costs those.
//
// # Alerts
//
// [Settings].Alert is told when errors have lasted, by a short and a long window and
// not without traffic: see [ErrorRule]. It is the rule of package prometheus for those
// who have no Prometheus.
//
// # Beside the clients
//
// [Monitor.Tokens], [Monitor.Webhook], [Monitor.Poll], [Monitor.Inbox] and
// [Monitor.Cache] are the hooks of those, so that their troubles stand on the same page.
package monitor
