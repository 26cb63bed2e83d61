// Package stripe is a thin, typed client of the Stripe API on aplomb.
//
// The answer to a payment gets lost. The money has moved, the program saw an
// EOF, and whatever it does next is wrong: to give up loses an order that was
// paid, to send it again may charge twice. Stripe has a cure, the idempotency
// key, if it is the same on every attempt and is there before the first one.
// Here it always is: each POST carries a key, yours or one of 130 random bits,
// and with it every failure that Stripe calls temporary is sent again.
//
//	sc, err := stripe.New(aplomb.Env("STRIPE_SECRET_KEY"))
//	if err != nil {
//		return err
//	}
//	customer, err := sc.Customers.Create(ctx, stripe.CustomerCreateParams{
//		Email:    "ada@example.com",
//		Metadata: map[string]string{"plan": "pro"},
//	})
//
// # Calls
//
// A resource of [Client] has its methods; [Get], [Post], [Delete], [List],
// [Search], [Upload] and [Download] reach every other endpoint, of v1 and v2, with
// objects of your own.
//
// What a call takes besides its parameters are aplomb's call options:
// aplomb.IdempotencyKey (see [PaymentIntents.Create]), [Account], [APIVersion] or
// [Key] for another account, version or key, aplomb.Timeout, aplomb.NoRetry,
// aplomb.Capture for the request id and headers of an answer, and
// on lists aplomb.AtMost, aplomb.Prefetch and aplomb.Resume. Parameters are plain
// values that are never written to; any number of goroutines may share them. A
// zero field is not sent: where a zero means something the field is a pointer,
// new(false), and [Clear] unsets what there is.
//
// Amounts are in the currency's minor unit: [ParseAmount] makes one of "19.99".
//
// Objects have the fields that are read most, and print as a line; Raw has the
// whole answer, for json.Unmarshal. Another
// object in one is an [Expandable]: its id, and the object itself if the call
// asked for it with Expand.
//
// # Versions and limits
//
// Stripe-Version is pinned to [Version] until an [APIVersion] says otherwise, for
// a client or for one call. Requests keep to Stripe's rate for the key's mode; see
// [New].
//
// # Errors
//
// Stripe's refusal is an [*Error], which wraps [*aplomb.APIError]; errors.Is knows
// [ErrCardDeclined] and its siblings. No answer at all is an [*aplomb.CallError]: a
// POST that was sent may have taken effect then, and is to be repeated with the
// IdempotencyKey that it names. An answer that is not JSON is an
// [*aplomb.DecodeError]. Each is one line that names the request id, if there is
// one, and holds no key, no client secret and no card number.
//
// # Webhooks
//
// [ParseEvent] reads a delivery that package webhook has verified and stored, and
// [Handlers] hand it to a function of its type.
//
// # Under an SDK
//
// The same behaviour for stripe-go is one option, [Preset]:
//
//	api, err := aplomb.New("https://api.stripe.com", stripe.Preset())
package stripe
