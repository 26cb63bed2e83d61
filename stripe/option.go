package stripe

import "github.com/aplomb-go/aplomb"

// Account makes calls for a connected account, whose id begins acct_
// (https://docs.stripe.com/connect/authentication). It is for a client, a
// context or one call; "" takes a client's back for a call.
func Account(id string) aplomb.RequestOption { return aplomb.Header("Stripe-Account", id) }

// Context makes calls in the context of another account of an organization,
// given as a path of ids (https://docs.stripe.com/context).
func Context(path string) aplomb.RequestOption { return aplomb.Header("Stripe-Context", path) }

// APIVersion replaces [Version] for a client, a context or one call
// (https://docs.stripe.com/api/versioning). Objects decode what this package
// knows of them under any version; fields that moved are in their Raw.
func APIVersion(version string) aplomb.RequestOption {
	return aplomb.Header("Stripe-Version", version)
}

// Key is the credential of another account than the client's, for a client or one
// call. It goes to all hosts of Stripe's.
func Key(source aplomb.SecretSource) aplomb.RequestOption {
	auth := aplomb.Bearer(source)
	auth.Origins = []string{FilesURL, ConnectURL}
	return auth
}

// Expand asks for whole objects instead of ids, such as "customer" or
// "latest_charge.balance_transaction", where a method takes no params; other
// methods have an Expand among theirs (https://docs.stripe.com/expand).
func Expand(paths ...string) aplomb.CallOption { return aplomb.Query("expand[]", paths...) }
