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
// What a call takes besides its parameters are aplomb's own call options:
// aplomb.IdempotencyKey with your order's id, aplomb.Header with a
// Stripe-Account, aplomb.Timeout, aplomb.Prefetch and aplomb.Resume on lists.
// Parameters are plain values that are never written to; any number of
// goroutines may share them.
//
// Stripe-Version is pinned to [Version] until an aplomb.Header("Stripe-Version",
// ...) says otherwise, for a client or for one call.
//
// An error is an [*Error], which wraps [*aplomb.APIError]; errors.Is knows
// [ErrCardDeclined] and its siblings. Its one line names the request id and
// holds no key, no client secret and no card number.
//
// Under an official SDK the same behaviour is one option, [Preset]:
//
//	api, err := aplomb.New("https://api.stripe.com", stripe.Preset())
package stripe
