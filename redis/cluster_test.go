package redis_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	aplombredis "github.com/aplomb-go/aplomb/redis"
	"github.com/redis/go-redis/v9"
)

// In a cluster all keys of an inbox are in one slot: the scripts would fail
// otherwise, and the settings asked for are those of the server that has it.
func TestInboxInACluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := &aplombredis.Inbox{Client: c}
	aplombtest.TestInbox(t, s, nil, 2*time.Millisecond)
}

// startCluster starts a cluster of two servers, of which the one without the slot
// of {aplomb:inbox}, 15644, loses what it has.
func startCluster(t testing.TB) *redis.ClusterClient {
	t.Helper()
	var addresses []string
	var servers []*redis.Client
	for _, part := range []struct {
		keeps       string
		first, last int
	}{{"no", 0, 9999}, {"yes", 10000, 16383}} {
		port, bus := freePort(t), freePort(t)
		srv := startWith(t, "--bind", "127.0.0.1", "--port", port, "--cluster-port", bus, "--cluster-enabled", "yes", "--appendonly", part.keeps, "--appendfsync", "always")
		c := srv.client()
		if err := c.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", part.first, part.last).Err(); err != nil {
			t.Fatal(err)
		}
		addresses, servers = append(addresses, "127.0.0.1:"+port), append(servers, c)
		if len(servers) == 1 {
			continue
		}
		if err := servers[0].Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", port, bus).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range servers {
		for info := ""; !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:2"); info = c.ClusterInfo(t.Context()).Val() {
			pause(t, t.Context())
		}
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// freePort is a port that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
