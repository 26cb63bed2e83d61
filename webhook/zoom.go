package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// Zoom is Zoom's scheme: x-zm-signature is "v0=<hex>" over "v0:<ts>:<body>", and
// the secret the app's secret token.
// See https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events.
//
// endpoint.url_validation, which Zoom sends every 72 hours, is answered, but only
// if it is signed, and no token that could be a delivery's text is: who asked
// could sign deliveries with the answer.
//
// Zoom gives its events no id. The key is a hash of event, event_ts, the account
// and all ids in the payload, by their places: members called id or uuid, or whose
// names end so. The type is event, and the time event_ts.
func Zoom(secrets ...Secret) Scheme {
	h := signature.Slack()
	h.Header, h.TimestampHeader = "X-Zm-Signature", "X-Zm-Request-Timestamp"
	s := newScheme("Zoom", secrets, hmacMethod(h))
	s.keep = []string{"X-Zm-Request-Timestamp", "X-Zm-Trackingid"}
	s.Read, s.handshake = readZoom, answerZoom
	return s
}

func readZoom(d Delivery) ([]inbox.Event, error) {
	doc := document{raw: d.Body}
	typ, ok := doc.text("/event")
	stamp, stamped := doc.text("/event_ts")
	if !ok || !stamped {
		return nil, malformedf("it has no event or no event_ts")
	}
	var payload any
	if member := doc.at("/payload"); member != nil {
		numbers := json.NewDecoder(bytes.NewReader(member.raw))
		numbers.UseNumber() // an id may have more digits than a float64
		if err := numbers.Decode(&payload); err != nil {
			return nil, malformedf("its payload cannot be read")
		}
	}
	lines := append([]string{typ, stamp}, idsOf(payload, "")...)
	return []inbox.Event{{Key: hashOf([]byte(strings.Join(lines, "\n"))), Type: typ, Occurred: moment(stamp), Body: d.Body}}, nil
}

// idsOf lists all ids by their places, in order.
func idsOf(v any, at string) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			here := at + "/" + name
			switch id := v[name].(type) {
			case string, json.Number:
				if last := strings.ToLower(name); strings.HasSuffix(last, "id") {
					out = append(out, fmt.Sprintf("%q=%q", here, fmt.Sprint(id)))
				}
			default:
				out = append(out, idsOf(id, here)...)
			}
		}
	case []any:
		for i, element := range v {
			out = append(out, idsOf(element, fmt.Sprintf("%s/%d", at, i))...)
		}
	}
	return out
}

// answerZoom is Zoom's challenge-response check
// (https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint).
func answerZoom(d Delivery, key signature.Key) (*reply, error) {
	doc := document{raw: d.Body}
	if event, _ := doc.text("/event"); event != "endpoint.url_validation" {
		return nil, nil
	}
	token, ok := doc.text("/payload/plainToken")
	if !ok || len(token) > maxToken || strings.ContainsAny(token, ":{}") {
		return nil, malformedf("endpoint.url_validation has no plainToken, or one that is no token")
	}
	secret, err := bytesOf(d.Request.Context(), key)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(token))
	body, err := json.Marshal(map[string]string{"plainToken": token, "encryptedToken": hex.EncodeToString(mac.Sum(nil))})
	return &reply{"application/json", body}, err
}

// maxToken is far longer than any that Zoom has sent.
const maxToken = 256
