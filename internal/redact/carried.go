package redact

import "context"

// CarrierKey is where a request's context holds its [Carrier]. The stack sets it;
// a recorder below the stack reads it. It is also how the stack finds its own attempt:
// a second value would cost each attempt an allocation.
type CarrierKey struct{}

// Carrier knows what secrets a request carries.
type Carrier interface{ CarriedSecrets() []string }

// Carried lists the secrets that the request with this context carries as far as
// who attached them has said so.
func Carried(ctx context.Context) []string {
	if c, ok := ctx.Value(CarrierKey{}).(Carrier); ok {
		return c.CarriedSecrets()
	}
	return nil
}
