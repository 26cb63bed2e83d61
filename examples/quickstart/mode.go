package main

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/stripe"
)

// shortBackoff replaces the default 200 ms: a tour should not make you wait.
const shortBackoff = 20 * time.Millisecond

// mode says which APIs are real. A key that is "" means the built-in fake.
type mode struct {
	stripeKey, stripeURL   string
	githubToken, githubURL string
}

func chooseMode(getenv func(string) string, allowLive bool) (mode, error) {
	m := mode{
		stripeKey: getenv("STRIPE_SECRET_KEY"), stripeURL: cmp.Or(getenv("STRIPE_BASE_URL"), stripe.APIURL),
		githubToken: getenv("GITHUB_TOKEN"), githubURL: cmp.Or(getenv("GITHUB_GRAPHQL_URL"), "https://api.github.com/graphql"),
	}
	switch {
	case m.live() && !allowLive:
		return mode{}, errors.New("STRIPE_SECRET_KEY is a live key, and this creates a customer and a payment intent: " +
			"use a test key (sk_test_...), or say -allow-live")
	case m.stripeKey == "" && getenv("STRIPE_BASE_URL") != "":
		return mode{}, errors.New("STRIPE_BASE_URL is set without STRIPE_SECRET_KEY: set both; the built-in fake needs neither")
	}
	return m, nil
}

// live reports a key that moves money: secret or restricted.
func (m mode) live() bool {
	return strings.HasPrefix(m.stripeKey, "sk_live_") || strings.HasPrefix(m.stripeKey, "rk_live_")
}

func (m mode) realStripe() bool { return m.stripeKey != "" }
func (m mode) realGitHub() bool { return m.githubToken != "" }

func (m mode) String() string {
	if !m.realStripe() && !m.realGitHub() {
		return "mode: built-in fakes (no STRIPE_SECRET_KEY, no GITHUB_TOKEN). Set them to talk to the real APIs."
	}
	payments, repositories := "built-in Stripe fake (no STRIPE_SECRET_KEY)", "built-in GitHub fake (no GITHUB_TOKEN)"
	if m.realStripe() {
		payments = "Stripe at " + m.stripeURL + " in test mode"
		if m.live() {
			payments = "Stripe at " + m.stripeURL + ", LIVE"
		}
	}
	if m.realGitHub() {
		repositories = "GitHub at " + m.githubURL
	}
	return "mode: " + payments + "; " + repositories + ". What needs a staged fault stays on the fakes."
}
