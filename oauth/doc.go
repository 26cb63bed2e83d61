// Package oauth gets the OAuth 2.0 tokens that aplomb sends: each flow makes an
// [aplomb.Tokens], which is an option of the client that needs them.
//
// A service that acts for itself:
//
//	authz, err := oauth.New(oauth.Config{
//		TokenURL: "https://login.acme.example/token",
//		ClientID: "billing",
//		Auth:     oauth.SecretBasic(aplomb.Env("ACME_SECRET")),
//		Scopes:   []string{"orders.read"},
//	})
//	...
//	c, err := aplomb.New("https://api.acme.example", authz.ClientCredentials())
//
// A thousand callers on an expired token cause one request; it is made early,
// in the background; a token that still lives is served while the authorization
// server is away; a 401 of the API has the token replaced once.
//
// # Flows
//
//	[Client.ClientCredentials]  a service for itself             RFC 6749, section 4.4
//	[Client.Session]            a user who has logged in         RFC 6749, section 6: refresh tokens
//	[Client.Login]              a log-in with a browser here     RFC 6749, section 4.1; PKCE: RFC 7636; RFC 8252
//	[Client.LoginDevice]        a log-in on another device       RFC 8628
//	[Client.TokenExchange]      one token for another            RFC 8693
//	[Client.JWTBearer]          an assertion for a token         RFC 7523, section 2.1
//	[GitHubApp]                 an installation of a GitHub App
//
// The client proves itself by [SecretBasic], [SecretPost], [PrivateKeyJWT] (a
// fresh assertion per request, RFC 7523, section 2.2) or [MutualTLS] (RFC 8705);
// [Config].DPoP binds tokens to a key (RFC 9449). [Discover] reads the endpoints
// from the server's metadata (RFC 8414).
//
// # What keeps a login
//
// Refresh tokens rotate: each is good for one use, and a second use ends the
// login. So the new one is saved in a [TokenStore] before its access token is
// used, under a lock that processes share; [FileStore] is one. A store that cannot
// save says so before a token is spent or a user is asked. Where the server
// refuses the token all the same, [ErrLoginRequired] says so, once and for all
// processes.
//
// # What it refuses
//
// Its endpoints are asked over https, or http on loopback, and no redirect of
// theirs is followed: it would take the client's secret along. Their errors
// show the code and the description, scrubbed, and nothing else of the answer.
package oauth
