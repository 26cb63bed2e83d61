package aplombtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// How long codes are good, and how often a device may ask.
const (
	codeLife       = time.Minute
	deviceLife     = 10 * time.Minute
	deviceInterval = 5 * time.Second
)

// oauthCode is what a browser returns with.
type oauthCode struct {
	login               *oauthLogin
	redirect, challenge string
	expires             time.Time
	used                bool
}

// oauthDevice is a device that waits for its user.
type oauthDevice struct {
	login    *oauthLogin
	code     string // the device's
	expires  time.Time
	interval time.Duration
	asked    time.Time // when it asked last
	agreed   bool
	refused  bool
}

// authorize is the page that a browser opens. The user has agreed before it is
// shown.
func (o *OAuth) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Host == "" || back.Fragment != "" {
		http.Error(w, "redirect_uri is no address to return to", http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.clients[q.Get("client_id")]; o.clients != nil && !known || q.Get("client_id") == "" {
		http.Error(w, "there is no such client", http.StatusBadRequest) // not to be returned from (RFC 6749, section 4.1.2.1)
		return
	}
	answer := back.Query()
	answer.Set("iss", issuerOf(r)) // RFC 9207
	if state := q.Get("state"); state != "" {
		answer.Set("state", state)
	}
	switch {
	case q.Get("response_type") != "code":
		answer.Set("error", "unsupported_response_type")
	case q.Get("code_challenge") == "" || q.Get("code_challenge_method") != "S256":
		answer.Set("error", "invalid_request")
		answer.Set("error_description", "code_challenge by S256 is needed (RFC 9700, section 2.1.1)")
	case o.denied():
		answer.Set("error", "access_denied")
	default:
		code := o.name("code")
		answer.Set("code", code)
		o.codes[code] = &oauthCode{
			login:    &oauthLogin{client: q.Get("client_id"), subject: "user", scope: q.Get("scope")},
			redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), expires: time.Now().Add(codeLife),
		}
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound) //nolint:gosec // to the test's own client
}

// denied says whether this is a user who refuses.
func (o *OAuth) denied() bool {
	if o.denials == 0 {
		return false
	}
	o.denials--
	return true
}

// startDevice answers with the codes (RFC 8628, section 3.2).
func (o *OAuth) startDevice(r *http.Request, client string) (any, *oauthError) {
	if client == "" {
		return nil, badOAuth("invalid_request", "client_id is missing")
	}
	o.counts["user"]++
	user, page := userCode(o.counts["user"]), issuerOf(r)+"/device"
	device := &oauthDevice{
		login: &oauthLogin{client: client, subject: "user", scope: r.PostForm.Get("scope")},
		code:  o.name("device"), expires: time.Now().Add(deviceLife), interval: o.interval,
	}
	o.devices[user] = device
	return map[string]any{
		"device_code": device.code, "user_code": user, "verification_uri": page, "verification_uri_complete": page + "?user_code=" + user,
		"expires_in": int(deviceLife / time.Second), "interval": int(o.interval / time.Second),
	}, nil
}

// userCode is the n-th code, of consonants, so that no word comes of it.
func userCode(n int) string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	code := [8]byte{}
	for i := range code {
		code[len(code)-1-i] = letters[n%len(letters)]
		n /= len(letters)
	}
	return fmt.Sprintf("%s-%s", code[:4], code[4:])
}

// visitDevice is the page on which a user types the code in, and agrees.
func (o *OAuth) visitDevice(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	refuse := o.denied()
	o.mu.Unlock()
	if !o.decide(r.FormValue("user_code"), !refuse) {
		http.Error(w, "there is no such code", http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte("return to your device\n"))
}

// Approve is what a user does who types in the code that a device shows. It reports
// whether a device waits with it.
func (o *OAuth) Approve(userCode string) bool { return o.decide(userCode, true) }

// Refuse is what a user does who has not asked for it.
func (o *OAuth) Refuse(userCode string) bool { return o.decide(userCode, false) }

func (o *OAuth) decide(code string, agreed bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	device := o.devices[strings.ToUpper(code)]
	if device == nil || time.Now().After(device.expires) {
		return false
	}
	device.agreed, device.refused = agreed, !agreed
	return true
}

// pollDevice answers a device that asks (RFC 8628, section 3.5).
func (o *OAuth) pollDevice(r *http.Request, client string) (*oauthAnswer, *oauthError) {
	shown := r.PostForm.Get("device_code")
	for user, device := range o.devices {
		if device.code != shown || device.login.client != client {
			continue
		}
		early := !device.asked.IsZero() && time.Since(device.asked) < device.interval
		device.asked = time.Now()
		switch {
		case time.Now().After(device.expires):
			return nil, badOAuth("expired_token", "")
		case early:
			device.interval += deviceInterval
			return nil, badOAuth("slow_down", "")
		case device.refused:
			return nil, badOAuth("access_denied", "")
		case !device.agreed:
			return nil, badOAuth("authorization_pending", "")
		}
		delete(o.devices, user) // it is good once
		return o.issue(r, device.login, device.login.scope, true)
	}
	return nil, badOAuth("invalid_grant", "there is no such device_code, or no more")
}
