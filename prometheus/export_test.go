package prometheus

import "github.com/aplomb-go/aplomb"

// HooksOf are what the option of m attaches to a client.
func HooksOf(m *Metrics) aplomb.Hooks { return m.hooks() }

// Folded are the breakers of a client that are counted under "other".
func Folded(m *Metrics, client string) (keys []string) {
	for key := range m.client(client).breakers.of(other).known {
		keys = append(keys, key)
	}
	return keys
}
