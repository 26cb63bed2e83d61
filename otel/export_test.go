package otel

// Open is how many calls and attempts have spans that are kept.
func Open(t *Telemetry) (calls, attempts int) {
	t.tracer.calls.Range(func(any, any) bool { calls++; return true })
	t.tracer.attempts.Range(func(any, any) bool { attempts++; return true })
	return calls, attempts
}
