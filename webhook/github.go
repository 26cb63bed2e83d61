package webhook

import (
	"crypto/rand"
	"net/http"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// GitHub is GitHub's scheme: see [signature.GitHub]. The header with SHA-1 that
// comes beside the signature is not looked at. Nothing on the wire shows a
// rotation: give the new secret and the old one until the new one matches.
//
// The key is X-GitHub-Delivery, which a redelivery keeps. It is not signed, nor is
// a time, so that who has recorded a delivery can have it count once more under
// another id. And it names the event, not the delivery: two webhooks that tell of
// one event tell it with one id, in payloads that may differ
// (https://github.com/github/docs/issues/32822). Give each webhook a path and a
// Source of its own; where two share one, the first counts, and the other is kept
// as a conflict.
//
// What GitHub's API lists has other ids, and other bodies: beside a feed both sides
// need a key of what the event says, such as the resource, its updated_at and the
// action, here by [Handler.Key].
//
// Type is the event and, after a dot, its action, such as "pull_request.opened"; the
// ping of a new webhook is an event like others.
// A webhook of the content type application/x-www-form-urlencoded is understood
// too: the event's Body is the JSON in its field payload.
func GitHub(secrets ...Secret) Scheme {
	s := newScheme("GitHub", secrets, hmacMethod(signature.GitHub()))
	s.keep = []string{"X-Github-Delivery", "X-Github-Event", "X-Github-Hook-Id", "X-Github-Hook-Installation-Target-Id", "X-Github-Hook-Installation-Target-Type"}
	s.Read = readGitHub
	s.dress = func(r *http.Request) { setDefault(r, "X-Github-Delivery", rand.Text()) }
	return s
}

func readGitHub(d Delivery) ([]inbox.Event, error) {
	key, err := headerOf(d.Request, "X-Github-Delivery")
	if err != nil {
		return nil, err
	}
	typ, err := headerOf(d.Request, "X-Github-Event")
	if err != nil {
		return nil, err
	}
	payload, form, err := payloadOf(d)
	switch {
	case err != nil:
		return nil, err
	case key == "":
		return nil, malformedf("it has no X-GitHub-Delivery")
	case len(payload) == 0:
		return nil, malformedf("it has no payload")
	}
	doc := document{raw: payload}
	if action, ok := doc.text("/action"); ok && typ != "" {
		typ += "." + action
	}
	e := inbox.Event{Key: bounded(key), Type: typ, Body: payload}
	if form != nil {
		e.Header = jsonHeader()
	}
	return []inbox.Event{e}, nil
}

// setDefault sets a header that is not there.
func setDefault(r *http.Request, name, value string) {
	if r.Header.Get(name) == "" {
		r.Header.Set(name, value)
	}
}
