package aplombtest

// OpenFixtures is Fixtures for a folder of one's own.
var OpenFixtures = openFixtures

// InboxParts are the names of TestInbox's parts.
func InboxParts() (names []string) {
	for _, part := range inboxParts() {
		names = append(names, part.name)
	}
	return names
}

// StoreParts are the names of TestStore's parts.
func StoreParts() (names []string) {
	for _, part := range storeParts() {
		names = append(names, part.name)
	}
	return names
}
