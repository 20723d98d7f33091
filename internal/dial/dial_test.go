package dial

import (
	"context"
	"net"
	"strings"
	"testing"
)

func TestDialGoesToTheAlias(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	d := &Dialer{Aliases: map[string]string{"kafka:9092": ln.Addr().String()}}
	for _, addr := range []string{"kafka:9092", "KAFKA:9092", ln.Addr().String()} {
		conn, err := d.DialContext(context.Background(), "tcp", addr)
		if err != nil {
			t.Fatalf("dial %s: %v", addr, err)
		}
		if conn.RemoteAddr().String() != ln.Addr().String() {
			t.Errorf("dial %s reached %s", addr, conn.RemoteAddr())
		}
		_ = conn.Close()
	}
}

func TestErrorNamesBothAddresses(t *testing.T) {
	t.Parallel()
	d := &Dialer{Aliases: map[string]string{"kafka:9092": "127.0.0.1:1"}}
	_, err := d.DialContext(context.Background(), "tcp", "kafka:9092")
	if err == nil || !strings.Contains(err.Error(), "kafka:9092") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v, want both addresses named", err)
	}
}

func TestParseAliases(t *testing.T) {
	t.Parallel()
	got, err := ParseAliases("Kafka:9092=127.0.0.1:1, schema-registry:8081=[::1]:2,")
	if err != nil {
		t.Fatal(err)
	}
	if s := FormatAliases(got); s != "kafka:9092=127.0.0.1:1,schema-registry:8081=[::1]:2" {
		t.Errorf("got %s", s)
	}
	for _, bad := range []string{"kafka:9092", "kafka=127.0.0.1:1", "kafka:9092=127.0.0.1"} {
		if _, err := ParseAliases(bad); err == nil {
			t.Errorf("ParseAliases(%q) took it", bad)
		}
	}
}
