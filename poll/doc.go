// Package poll reads what changes at somebody else's API by asking again and
// again, and waits for operations that take their time.
//
//	feed := &poll.Feed[Event]{
//		Client: c, Path: "/repos/{owner}/{repo}/events",
//		Options: []aplomb.CallOption{aplomb.Path("owner", "octocat"), aplomb.Path("repo", "hello")},
//		Key:     func(e Event) string { return e.ID },
//	}
//	for e, err := range feed.Events(ctx) {
//		if err != nil {
//			return err // it goes on through whatever may pass
//		}
//		fmt.Println(e.Item.Type)
//	}
//
// # Two doors
//
// [Feed.Events] is a loop in one process; what it has read is in memory, and
// [Event.Resume] is a text to go on from another day. [Feed.Run] is for a service:
// it keeps its cursor in a store of package inbox, commits it together with the
// events in one step, and holds a lease, so that of all replicas one polls. A
// process that is killed at any point has the next one read again what was not
// committed: nothing is skipped, and the store knows what it has by its key.
//
// # What is asked, and how often
//
// A round asks for the first page on the condition that it has changed
// (If-None-Match, If-Modified-Since). An answer 304 is the end of the round, and
// costs nothing of a quota with GitHub and others. Else pages are read until an
// item is met that was read before, and on through the look-back, since lists show
// some events late. What [Pace] says decides when the next round is: as soon as the
// server likes it, or at a pace of our own that follows the news. All requests go
// through the client, with its credentials, retries, quota gates and breaker.
//
// # Beside a webhook
//
// Where the same events come by webhook too ([Feed.Webhook]), both put them into
// one inbox under one key: the sender's id, if both ways show it; else what the
// event says, such as the resource, its version and the action; else
// [Snapshot]'s digest of a state. The first to come counts. Only the feed moves
// the feed's cursor, whatever a webhook brings, for a list may show an event later
// than the webhook does. While the webhook delivers, the feed slows down, and what
// it finds first waits a little for the webhook; an event that the webhook missed
// is told to [Hooks].Missed, and speeds the feed up.
//
// # Operations
//
// [Wait] asks for an operation that another call started until it is done, at the
// server's pace, and returns its result.
package poll
