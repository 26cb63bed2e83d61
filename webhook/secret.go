package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/signature"
)

// Secret is a secret that deliveries may be signed with, and when. A scheme takes
// several, so that an old one is good until its last delivery was made:
//
//	webhook.GitHub(
//		webhook.Secret{Name: "2026", Key: aplomb.Reveal(aplomb.Env("HOOK_SECRET_NEW"))},
//		webhook.Secret{Name: "2025", Key: aplomb.Reveal(aplomb.Env("HOOK_SECRET")), NotAfter: friday})
//
// It prints as its name.
type Secret struct {
	// Name is what hooks call it; "secret 1", by its place, if empty.
	Name string
	// Key hands out the secret as the vendor shows it. It is asked for each
	// delivery, with the request's context and the handler's deadline: let it cache.
	Key signature.Key
	// NotBefore and NotAfter are when it may be used, both inclusive; a zero one
	// does not bound. Out of its time it is not asked for and never matches. With
	// no secret in its time nothing is accepted.
	NotBefore, NotAfter time.Time

	faulty string // what Static saw
}

// Static is a secret given in the program, most often in a test.
func Static(value string) Secret {
	s := Secret{Key: signature.StaticKey(value)}
	switch {
	case value == "":
		s.faulty = "is empty: anybody could sign with it"
	case strings.Trim(value, " \t\r\n") != value:
		s.faulty = "begins or ends with white space: trim it"
	}
	return s
}

// String is its name, and never the secret.
func (s Secret) String() string {
	if s.Name == "" {
		return "secret"
	}
	return "secret " + s.Name
}

// Format writes String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// good reports whether it may be used at a moment.
func (s *Secret) good(at time.Time) bool {
	return !(at.Before(s.NotBefore) || !s.NotAfter.IsZero() && at.After(s.NotAfter))
}

// check reports what is wrong with the settings of the i-th secret.
func (s *Secret) check(scheme string, i int) error {
	switch {
	case s.Key == nil:
		return settingsf("%s: the Key of secret %d is nil: use Static or a function", scheme, i+1)
	case s.faulty != "":
		return settingsf("%s: secret %d %s", scheme, i+1, s.faulty)
	case !s.NotBefore.IsZero() && !s.NotAfter.IsZero() && s.NotAfter.Before(s.NotBefore):
		return settingsf("%s: secret %d ends before it begins", scheme, i+1)
	}
	return nil
}

// bytesOf asks for a key's bytes, where no scheme of signature does.
func bytesOf(ctx context.Context, key signature.Key) ([]byte, error) {
	raw, err := key(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("webhook: the secret cannot be had: %w", err)
	case len(raw) == 0:
		return nil, errors.New("webhook: the secret is empty: anybody could sign with it")
	}
	return raw, nil
}
