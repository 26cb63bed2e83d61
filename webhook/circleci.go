package webhook

import (
	"github.com/aplomb-go/aplomb/signature"
)

// CircleCI is CircleCI's scheme: circleci-signature is a list with "v1=<hex>" over
// the body. See https://circleci.com/docs/webhooks/#validate-webhooks.
//
// The key is id, the type is type, and the time happened_at. No time is signed.
func CircleCI(secrets ...Secret) Scheme {
	s := newScheme("CircleCI", secrets, hmacMethod(signature.HMAC{
		Content: "{body}", Header: "Circleci-Signature", Value: "v1={signature}", List: ",",
	})).reading(Fields{Key: "{body:/id}", Type: "{body:/type}", Occurred: "{body:/happened_at}"})
	s.keep = []string{"Circleci-Event-Type"}
	return s
}
