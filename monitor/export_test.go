package monitor

import "github.com/aplomb-go/aplomb"

// Hooks are what a client is given.
func (m *Monitor) Hooks() aplomb.Hooks { return m.hooks() }
