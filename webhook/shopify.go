package webhook

import (
	"crypto/rand"
	"net/http"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// Shopify is Shopify's scheme: X-Shopify-Hmac-Sha256 is "<base64>" over the body,
// and the secret the app's client secret. In the preview of its Events the headers
// have no X-, which is understood too. It may take Shopify an hour to sign with a
// new secret: give both.
// See https://shopify.dev/docs/apps/build/webhooks/subscribe/https.
//
// The key is X-Shopify-Webhook-Id, the type X-Shopify-Topic, and the time
// X-Shopify-Triggered-At. No header is signed, nor a time: who has recorded a
// delivery can have it count once more under another id.
func Shopify(secrets ...Secret) Scheme {
	old := signature.HMAC{Content: "{body}", Header: "X-Shopify-Hmac-Sha256", Encoding: signature.Base64}
	preview := old
	preview.Header = "Shopify-Hmac-Sha256"
	s := newScheme("Shopify", secrets, eitherMethod(old, preview))
	for _, name := range []string{"Api-Version", "Event-Id", "Shop-Domain", "Topic", "Triggered-At", "Webhook-Id"} {
		s.keep = append(s.keep, "X-Shopify-"+name, "Shopify-"+name)
	}
	s.Read = readShopify
	s.dress = func(r *http.Request) { setDefault(r, "X-Shopify-Webhook-Id", rand.Text()) }
	return s
}

func readShopify(d Delivery) ([]inbox.Event, error) {
	var got [3]string
	for i, name := range []string{"Webhook-Id", "Topic", "Triggered-At"} {
		var err error
		if got[i], err = headerOf(d.Request, "X-Shopify-"+name, "Shopify-"+name); err != nil {
			return nil, err
		}
	}
	if got[0] == "" {
		return nil, malformedf("it has no X-Shopify-Webhook-Id")
	}
	return []inbox.Event{{Key: bounded(got[0]), Type: got[1], Occurred: moment(got[2]), Body: d.Body}}, nil
}
