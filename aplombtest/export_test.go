package aplombtest

// OpenFixtures is Fixtures for a folder of one's own.
var OpenFixtures = openFixtures
