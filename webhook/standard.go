package webhook

import (
	"github.com/aplomb-go/aplomb/signature"
)

// StandardWebhooks is the scheme of https://www.standardwebhooks.com: see
// [signature.StandardWebhooks]. A secret is "whsec_" and base64; one that begins
// with "whpk_" is a public key, and verifies ed25519 signatures, "v1a". A delivery
// that is signed with several secrets is good with any.
//
// The key is the signed id. The type and the time are the body's members type and
// timestamp, where it has them.
func StandardWebhooks(secrets ...Secret) Scheme {
	return newScheme("Standard Webhooks", secrets, hmacMethod(signature.StandardWebhooks())).reading(standardFields)
}

var standardFields = Fields{Key: "{id}", Type: "{body:/type}", Occurred: "{body:/timestamp}"}

// Svix is [StandardWebhooks] with the headers that Svix sends to most of its
// customers' customers: svix-id, svix-timestamp and svix-signature. Where the
// last is not there, the standard's own are taken.
// See https://docs.svix.com/receiving/verifying-payloads/how-manual.
func Svix(secrets ...Secret) Scheme {
	svix := signature.StandardWebhooks()
	svix.Header, svix.IDHeader, svix.TimestampHeader = "Svix-Signature", "Svix-Id", "Svix-Timestamp"
	return newScheme("Svix", secrets, eitherMethod(svix, signature.StandardWebhooks())).reading(standardFields)
}
