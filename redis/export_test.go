package redis

// Ask has the server be asked whether it is durable, as after a minute.
func (b *Inbox) Ask() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = b.asked.Add(-askedFor)
}
