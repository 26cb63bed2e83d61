// Package graphql calls GraphQL APIs through an aplomb client.
//
// A GraphQL server says everything with 200 OK: here is your data, here is half
// of it, your quota is spent, your query has a typo. A client that looks at the
// status sees success four times; one that looks for errors throws away the
// half that came. And since all of it is POST, no ordinary retry dares to send
// a plain question again.
//
// Here the body is read before the verdict. A spent quota waits like a 429 and
// closes the same gate; a query is repeated after a failure and a mutation is
// not; data and error come back together.
//
//	api, err := aplomb.New("https://api.github.com/graphql", aplomb.Bearer(aplomb.Env("GITHUB_TOKEN")))
//	...
//	gh := graphql.New(api)
//	viewer, err := graphql.Execute[Viewer](ctx, gh, `{ viewer { login } }`, nil)
//
// Lists are ranges. [Nodes] finds the connection in the answer and asks for page
// after page; the document declares the variable $cursor (or $after) and selects
// pageInfo:
//
//	const repos = `query Repos($owner: String!, $cursor: String) { user(login: $owner) {
//	  repositories(first: 100, after: $cursor) {
//	    pageInfo { hasNextPage endCursor } nodes { name stargazerCount } } } }`
//
//	for repo, err := range graphql.Nodes[Repo](ctx, gh, repos, graphql.Vars{"owner": "octocat"}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(repo.Name, repo.StargazerCount)
//	}
//
// # Subscriptions
//
// [Subscribe] ranges over the events of a subscription. They come as server-sent
// events through the aplomb client, or over a [WebSocket] through a [Dialer] of
// your choice. Leaving the loop unsubscribes; a stream that ends without the
// server's word that it is complete is an error, or, with [Reconnect], followed by
// another:
//
//	for o, err := range graphql.Subscribe[Order](ctx, shop, `subscription { order { id state } }`, nil) {
//		...
//	}
//
// # Documents and errors
//
// There is no schema, no code to generate and no query builder: documents are
// text, sent byte for byte, and answers are decoded by encoding/json into your
// types.
//
// A [File] among the variables makes the request an upload, streamed and opened anew
// for each attempt. [PersistedQueries] sends hashes instead of documents, [UseGET] has
// queries cached, a [Batch] sends several operations at once. None of them changes
// what may be sent twice: mutations travel whole, by POST, and once unless given an
// aplomb.IdempotencyKey. @defer and @stream are not supported: the error says so.
//
// An answer with errors is a [*ResponseError], whose Unwrap lets errors.As reach
// each [*Error]. What is not GraphQL, such as a proxy's 502, is an
// [*aplomb.APIError] as everywhere in aplomb. Each prints as one line that begins
// with the client's name, however it is printed, and shows nothing that the
// request authenticated with and no variable whose name looks secret (password,
// token and so on), not even where the server quotes it. An error that begins with
// "graphql: " is a mistake in the program, found before anything was sent.
package graphql
