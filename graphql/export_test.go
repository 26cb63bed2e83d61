package graphql

import "github.com/aplomb-go/aplomb"

// Jitter makes every wait before a stream come out as f of its range.
func Jitter(f float64) aplomb.CallOption {
	return own("Jitter", func(p *plan) error {
		p.stream.random = func() float64 { return f }
		return nil
	})
}
