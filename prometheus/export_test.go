package prometheus

import "github.com/aplomb-go/aplomb"

// HooksOf are what the option of m attaches to a client.
func HooksOf(m *Metrics) aplomb.Hooks { return m.hooks() }
