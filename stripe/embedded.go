package stripe

// Embedded are the first objects, up to ten, of a list inside another object. A resource's method, such as [Invoices.Lines], ranges over the whole; so
// does [List], where there is none:
//
//	for item, err := range stripe.List[stripe.SubscriptionItem](ctx, sc, "/v1/subscription_items", map[string]any{"subscription": id}) {
type Embedded[T any] struct {
	Data []T `json:"data"`
	// HasMore says that the list goes on behind Data.
	HasMore bool `json:"has_more"`
	// URL is the path of the whole list, such as "/v1/invoices/in_1/lines".
	URL string `json:"url"`
}
