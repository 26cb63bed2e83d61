// Package signature signs HTTP requests and verifies those that others signed.
//
// One Friday a secret was left out of one machine's environment. Its requests
// were signed with the empty string from then on; the receiver, whose secret was
// gone with the same deployment, compared them with the empty string too, and
// they matched. Nothing failed, so nobody looked. For a weekend everybody who
// could spell HMAC had a key to the payments.
//
// Here an empty key is an error, on both sides. So is a signature that is there
// twice, a timestamp from next year, an id that hides where it ends, and a body
// that is not covered. A webhook is verified like this:
//
//	scheme := signature.GitHub(signature.StaticKey(secret))
//	...
//	verified, err := scheme.Verify(r, body, time.Now())
//
// and a request is signed the other way about, as the last thing that happens
// to it, once for each attempt:
//
//	c, err := aplomb.New(url, aplomb.Sign(scheme))
//
// which gives it the server's own time as far as that is known. Secrets come
// from wherever aplomb's do: signature.GitHub(aplomb.Reveal(aplomb.Env("SECRET"))).
//
// # Schemes
//
//	                  can            key               what is signed
//	GitHub            sign, verify   shared            body
//	Slack             sign, verify   shared            time, body
//	Stripe            sign, verify   shared            time, body
//	StandardWebhooks  sign, verify   shared, ed25519   id, time, body
//	SignedRequest     sign, verify   shared            method, host, path, query, time, nonce, body
//	HMAC              sign, verify   shared            what you say
//	AWS               sign           shared            method, host, path, query, headers, time, body
//	MessageSignature  sign, verify   shared, public    what you say (RFC 9421)
//
// The first five are [HMAC] values, to be used as they are or changed field by
// field. For a new API choose [MessageSignature] with [Ed25519] keys: it is the
// standard, and who verifies holds nothing that could sign.
//
// # Verifying
//
// Verify wants the body as it came, byte for byte: JSON that was decoded and
// encoded again is another body. Its errors are [ErrSignature] for a message
// that no known key has signed, whatever is wrong with it, and [ErrExpired] for
// one that was signed, but not lately; both are for a 401. Any other error is
// about a key or a setting and no fault of the message. A good signature may be
// sent again within its time: whoever must not act twice remembers
// [Verified.ID].
//
// Keys are functions, asked at each use, so that a rotated secret is picked up;
// several may be good at once, and [Verified.Key] says which one matched. No key
// is ever printed. [HMAC.Prepare] is for who verifies often: it looks at the
// description once and allocates nothing from then on.
package signature
