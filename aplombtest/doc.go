// Package aplombtest is what a program that calls HTTP APIs is tested with:
// servers without ports, faults on demand, and fakes that behave.
//
// The tests that matter most are those nobody writes: the answer that is lost
// after the payment was made, the API that hangs for an hour, the connection
// reset on the third page. They go unwritten because they need sockets, sleeps
// and luck. Here they need neither: a [Server] is a real [net/http.Server] on
// an in-memory network, so inside a [testing/synctest] bubble an hour passes in
// a millisecond, and a [Script] in front of any handler decides which request
// meets which [Fault].
//
//	func TestPaysOnce(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			stripe := aplombtest.NewStripe()
//			srv := aplombtest.NewServer(t, aplombtest.NewScript(stripe, aplombtest.LostResponse()))
//
//			pay(t.Context(), srv.Client(), srv.URL) // the code under test
//
//			if n := stripe.Effects().Charges; n != 1 {
//				t.Errorf("charged %d times", n)
//			}
//		})
//	}
//
// What is here:
//
//   - [NewServer], [NewTLSServer], [NewNetwork]: one server, one with TLS and
//     HTTP/2, several joined by host name. They close themselves.
//   - [NewScript], which serves each [Fault] when its turn comes, for so many
//     requests, for so long, or at [Random] from a seed. They work here and on
//     [net/http/httptest] alike, in front of a fake or of a live API.
//   - [Server.Break] and [Network.Break], for [Trouble] with dials, DNS and TLS.
//   - [Outage]: a whole program goes through a bad hour, and numbers come out.
//   - [Fixtures]: records the exchanges of a test with a real API once, without
//     its secrets, and replays them from then on.
//   - [NewStripe], [NewGitHub]: stateful fakes of two APIs that between them
//     show most habits of the rest, and [NewOAuth], an authorization server. They
//     count their effects.
//   - [NewSender]: webhooks as their vendors send them, and send them again.
//   - [TestMiddleware], [TestRetry]: whether a RoundTripper, of whatever client,
//     keeps net/http's contract, and does no harm when it retries.
//   - [TestStore], [TestInbox]: whether a store of your own is an [aplomb.Store] or
//     an [github.com/aplomb-go/aplomb/inbox.Store].
//
// For stubs by hand there is github.com/jarcoal/httpmock, whose NewMockTransport goes
// into [aplomb.Transport]: see the examples.
//
// The fakes answer as the vendors' servers do as far as a client can tell, and
// say so where they do not. They hold everything in memory and trust every key
// of the right shape: nothing here belongs in production.
package aplombtest
