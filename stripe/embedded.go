package stripe

// Embedded is the beginning of a list inside another object, up to ten objects
// of it. A resource's method, such as [Invoices.Lines], ranges over the whole.
type Embedded[T any] struct {
	Data []T `json:"data"`
	// HasMore says that the list goes on behind Data.
	HasMore bool `json:"has_more"`
	// URL is the path of the whole list, such as "/v1/invoices/in_1/lines".
	URL string `json:"url"`
}
