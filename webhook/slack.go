package webhook

import (
	"cmp"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// Slack is Slack's scheme: see [signature.Slack]. The secret is the app's signing
// secret.
//
// Of the Events API the key is event_id and the type that of the inner event;
// url_verification is answered with its challenge, and is no event. What a person
// does, a slash command or a payload of interactivity, has no id: the key is the
// body's hash, which holds a trigger_id. Its type is "slash_command", or the
// payload's own; a payload's JSON is the event's Body.
//
// The answer is empty, and goes out before anybody has handled the event: what is
// to be shown goes to the response_url.
func Slack(secrets ...Secret) Scheme {
	s := newScheme("Slack", secrets, hmacMethod(signature.Slack()))
	s.keep = []string{"X-Slack-Request-Timestamp", "X-Slack-Retry-Num", "X-Slack-Retry-Reason"}
	s.Read, s.handshake = readSlack, answerSlack
	return s
}

func readSlack(d Delivery) ([]inbox.Event, error) {
	payload, form, err := payloadOf(d)
	switch {
	case err != nil:
		return nil, err
	case form.Has("command"):
		return []inbox.Event{{Key: hashOf(d.Body), Type: "slash_command", Body: d.Body}}, nil
	}
	doc := document{raw: payload}
	typ, ok := doc.text("/type")
	if !ok {
		return nil, malformedf("it is neither a slash command nor JSON with a type")
	}
	e := inbox.Event{Key: hashOf(d.Body), Type: typ, Body: payload}
	if form != nil {
		e.Header = jsonHeader()
		return []inbox.Event{e}, nil
	}
	if id, ok := doc.text("/event_id"); ok {
		inner, _ := doc.text("/event/type")
		when, _ := doc.text("/event_time")
		e.Key, e.Type, e.Occurred = bounded(id), cmp.Or(inner, typ), moment(when)
	}
	return []inbox.Event{e}, nil
}

// answerSlack proves that the endpoint is the app's
// (https://docs.slack.dev/reference/events/url_verification).
func answerSlack(d Delivery, _ signature.Key) (*reply, error) {
	doc := document{raw: d.Body}
	if typ, _ := doc.text("/type"); typ != "url_verification" {
		return nil, nil
	}
	challenge, ok := doc.text("/challenge")
	if !ok {
		return nil, malformedf("url_verification has no challenge")
	}
	return &reply{"text/plain; charset=utf-8", []byte(challenge)}, nil
}
