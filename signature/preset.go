package signature

// Stripe signs and verifies as Stripe's webhooks do: "t=<ts>,v1=<hex>" over
// "<ts>.<body>", with the whole secret, "whsec_" included, as the key. While a
// secret is rolled there are two v1 entries. Unlike Stripe's own library it
// refuses a time in the future too.
// See https://docs.stripe.com/webhooks#verify-manually.
func Stripe(keys ...Key) HMAC {
	return HMAC{
		Keys:    keys,
		Content: "{timestamp}.{body}",
		Header:  "Stripe-Signature",
		Value:   "t={timestamp},v1={signature}",
		List:    ",",
	}
}

// GitHub signs and verifies as GitHub's webhooks do: "sha256=<hex>" over the
// body. There is no timestamp in it, so an old delivery stays good; whoever must
// not act twice remembers X-GitHub-Delivery, which is not signed either.
// The SHA-1 header that GitHub sends beside it is not looked at.
// See https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
func GitHub(keys ...Key) HMAC {
	return HMAC{
		Keys:    keys,
		Content: "{body}",
		Header:  "X-Hub-Signature-256",
		Value:   "sha256={signature}",
	}
}

// Slack signs and verifies as Slack's requests do: "v0=<hex>" over
// "v0:<ts>:<body>".
// See https://docs.slack.dev/authentication/verifying-requests-from-slack.
func Slack(keys ...Key) HMAC {
	return HMAC{
		Keys:            keys,
		Content:         "v0:{timestamp}:{body}",
		Header:          "X-Slack-Signature",
		Value:           "v0={signature}",
		TimestampHeader: "X-Slack-Request-Timestamp",
	}
}

// StandardWebhooks signs and verifies as https://www.standardwebhooks.com says:
// "v1,<base64>" over "<id>.<ts>.<body>". Keys are as vendors show them: "whsec_"
// and base64, or for ed25519 signatures, "v1a", "whsk_" to sign with and "whpk_"
// to verify with. An id with a dot in it is refused: it would make one signature
// good for two messages.
//
// Svix's older headers differ in their names only: set Header to
// "Svix-Signature", IDHeader to "Svix-Id" and TimestampHeader to
// "Svix-Timestamp".
func StandardWebhooks(keys ...Key) HMAC {
	return HMAC{
		Keys:            keys,
		Content:         "{id}.{timestamp}.{body}",
		Header:          "Webhook-Signature",
		Value:           "v1,{signature}",
		List:            " ",
		TimestampHeader: "Webhook-Timestamp",
		IDHeader:        "Webhook-Id",
		Encoding:        Base64,
		webhook:         true,
	}
}

// SignedRequest is a scheme for an API of one's own, where nobody else's must
// be met: all that a server acts on is signed, with a nonce that it can
// remember. For an API that other people call, [MessageSignature] is the
// standard.
func SignedRequest(keys ...Key) HMAC {
	return HMAC{
		Keys:            keys,
		Content:         "{method}\n{host}\n{path}\n{query}\n{timestamp}\n{id}\n{digest}",
		Header:          "X-Signature",
		Value:           "v1={signature}",
		TimestampHeader: "X-Signature-Timestamp",
		IDHeader:        "X-Signature-Nonce",
	}
}
