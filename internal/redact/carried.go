package redact

import "context"

// CarrierKey is where a request's context holds its [Carrier]. The stack sets it;
// a recorder below the stack reads it.
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
