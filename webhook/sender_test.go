package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/webhook"
)

// TestStoreDownForMinutes: what could not be stored was not acknowledged, and comes
// again by its vendor's own schedule, signed anew, for as long as it takes. Who sends
// once is told so all the same: there a poller has to find it.
func TestStoreDownForMinutes(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				back := time.Now().Add(4 * time.Minute)
				sink := &fakeSink{before: func(context.Context) error {
					if time.Now().Before(back) {
						return errors.New("the store is down")
					}
					return nil
				}}
				srv := aplombtest.NewServer(t, &webhook.Handler{Source: "a", Scheme: k.verifying(), Sink: sink})
				transport := srv.Transport()
				transport.DisableKeepAlives = true
				sender := aplombtest.NewSender(k.make(webhook.Static(k.secret)), &http.Client{Transport: transport}, srv.URL)
				d := sender.Send(t.Context(), aplombtest.Message{Body: []byte(k.body), Header: request(k.header...).Header})[0]
				assert.Equal(t, d.Attempts[0].Status, http.StatusServiceUnavailable)
				if k.name == "GitHub" || k.name == "Twilio" {
					assert.Equal(t, [2]int{len(d.Attempts), len(sink.stored())}, [2]int{1, 0})
					return
				}
				assert.True(t, d.Delivered && len(d.Attempts) > 1, d)
				events := sink.stored()
				assert.Equal(t, len(events), 1)
				assert.Equal(t, [2]string{events[0].Key, events[0].Type}, [2]string{k.key, k.typ})
			})
		})
	}
}
