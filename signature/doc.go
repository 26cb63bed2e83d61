// Package signature signs HTTP requests and verifies what others signed.
package signature
