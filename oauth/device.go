package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"
)

// DevicePrompt is what the user has to do: open VerificationURI on any device and
// enter UserCode there.
type DevicePrompt struct {
	UserCode, VerificationURI string
	// VerificationURIComplete has the code in it, for a QR code; "" where the
	// server makes none.
	VerificationURIComplete string
	// Expiry is until when.
	Expiry time.Time
}

// LoginDevice has the user log in on another device, and saves what is granted in
// store, for [Client.Session] (RFC 8628). show tells the user what to do; then the
// server is asked, at its own pace, until the user has done it, refused it, or
// let the code expire.
func (c *Client) LoginDevice(ctx context.Context, store TokenStore, show func(DevicePrompt) error) error {
	if err := c.named(); err != nil {
		return err
	}
	switch {
	case c.cfg.DeviceURL == "":
		return errors.New("oauth: Config.DeviceURL is empty: set it, or use Discover")
	case show == nil:
		return errors.New("oauth: LoginDevice: show is nil: the user has to see the code")
	}
	if err := usable(ctx, store); err != nil {
		return err
	}
	device, err := c.device(ctx)
	if err != nil {
		return err
	}
	err = show(DevicePrompt{device.UserCode, device.VerificationURI, device.VerificationURIComplete, device.Expiry})
	if err != nil {
		return fmt.Errorf("oauth: LoginDevice: show the code: %w", err)
	}
	g, err := c.poll(ctx, device)
	if err != nil {
		return err
	}
	return c.save(ctx, store, g)
}

// device asks for a code (RFC 8628, section 3.1).
func (c *Client) device(ctx context.Context) (oauth2.DeviceAuthResponse, error) {
	form := c.form(url.Values{"client_id": {c.cfg.ClientID}})
	if len(c.cfg.Scopes) > 0 {
		form.Set("scope", strings.Join(c.cfg.Scopes, " "))
	}
	ctx = context.WithValue(ctx, shownKey{}, &shown{})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.DeviceURL, strings.NewReader(form.Encode()))
	if err != nil {
		return oauth2.DeviceAuthResponse{}, errors.New("oauth: LoginDevice: Config.DeviceURL is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	device, err := fetch[oauth2.DeviceAuthResponse](c.http, req)
	switch {
	case err != nil:
		return device, err
	case device.DeviceCode == "" || device.UserCode == "" || device.VerificationURI == "":
		return device, errors.New("oauth: LoginDevice: the answer has no device_code, user_code or verification_uri")
	}
	return device, presentable(device)
}

// presentable reports what must not reach the user's browser or terminal.
func presentable(device oauth2.DeviceAuthResponse) error {
	for _, address := range []string{device.VerificationURI, device.VerificationURIComplete} {
		u, err := url.Parse(address)
		switch {
		case address == "": // the complete one
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !printable(address):
			return errors.New("oauth: LoginDevice: the answer's verification_uri is no address of a web page")
		}
	}
	if !printable(device.UserCode) {
		return errors.New("oauth: LoginDevice: the answer's user_code has characters that cannot be printed")
	}
	return nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

const (
	// RFC 8628, sections 3.2 and 3.5.
	devicePoll     = 5 * time.Second
	deviceSlowDown = 5 * time.Second
	// deviceMaxPoll, in seconds, is the longest interval: a code lives for some
	// minutes.
	deviceMaxPoll = 60
	// deviceLife is how long a code lives of which the server does not say.
	deviceLife = 15 * time.Minute
)

// poll asks for the token until there is an answer to keep.
func (c *Client) poll(ctx context.Context, device oauth2.DeviceAuthResponse) (grant, error) {
	until := device.Expiry
	if until.IsZero() {
		until = time.Now().Add(deviceLife)
	}
	interval := devicePoll
	if device.Interval > 0 {
		interval = time.Duration(min(device.Interval, deviceMaxPoll)) * time.Second
	}
	for {
		if time.Now().Add(interval).After(until) {
			return grant{}, errors.New("oauth: LoginDevice: the code has expired: begin again")
		}
		timer := time.NewTimer(interval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return grant{}, fmt.Errorf("oauth: LoginDevice: nobody logged in: %w", context.Cause(ctx))
		}
		g, err := c.grant(ctx, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device.DeviceCode},
		}, once)
		refusal, _ := errors.AsType[*Error](err)
		switch {
		case err == nil:
			return g, nil
		case refusal != nil && refusal.Code == "authorization_pending":
		case refusal != nil && refusal.Code == "slow_down":
			interval += deviceSlowDown
		case passing(err) && ctx.Err() == nil:
			interval = min(2*interval, time.Minute) // RFC 8628, section 3.5: back off while it is away
		default:
			return grant{}, err
		}
	}
}
