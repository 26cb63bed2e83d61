// Package house holds the tests that keep the house in order: who imports
// whom, what the module requires, what the public API looks like, that every
// exported name is documented, and that no file names the machine it was
// written on. It has no code of its own; a rule that has to change is changed
// in the table at the top of its test, with the reason beside it.
package house
