package webhook

import (
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb/signature"
)

// Square is Square's scheme: X-Square-HmacSha256-Signature is "<base64>" over the
// notification URL and the body, and the secret the subscription's signature key.
// The URL is the one that the subscription has, to the letter.
// See https://developer.squareup.com/docs/webhooks/step3validate.
//
// The key is event_id, the type is type, and the time created_at. No time is
// signed.
func Square(notificationURL string, secrets ...Secret) Scheme {
	s := newScheme("Square", secrets, hmacMethod(signature.HMAC{
		Content:  strings.NewReplacer("{", "%7B", "}", "%7D").Replace(notificationURL) + "{body}",
		Header:   "X-Square-Hmacsha256-Signature",
		Encoding: signature.Base64,
	})).reading(Fields{Key: "{body:/event_id}", Type: "{body:/type}", Occurred: "{body:/created_at}"})
	if u, err := url.Parse(notificationURL); err != nil || u.Scheme == "" || u.Host == "" || strings.ContainsAny(notificationURL, "{}") {
		s.faulty = settingsf("Square: the notification URL is no URL such as https://shop.example/square")
	}
	return s
}
