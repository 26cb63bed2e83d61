// Package redact makes headers, URLs, bodies and free text fit for a log line,
// an error message or a page.
//
// Redaction is by allow-list: what is not known to be harmless is hidden, and
// what is shown still passes through [Text], which hides what looks like a
// secret wherever it stands. Where the two could differ, more is hidden, never
// less. Most callers want [URL] and [Text]; [Header] and [Body] are for debug
// logs and fixtures.
//
// All functions are pure and safe for concurrent use. Their output is valid
// UTF-8 without control characters.
package redact

// Mask stands where something was hidden.
const Mask = "[redacted]"
