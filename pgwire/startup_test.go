package pgwire

import (
	"bytes"
	"encoding/binary"
	"maps"
	"net"
	"strings"
	"testing"
)

func TestStartupParams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want map[string]string // nil: malformed
	}{
		{"\x00", map[string]string{}},
		{"user\x00a\x00\x00", map[string]string{"user": "a"}},
		{"user\x00a\x00database\x00\x00\x00", map[string]string{"user": "a", "database": ""}},
		{"user\x00a\x00user\x00b\x00\x00", map[string]string{"user": "b"}},
		{"", nil},
		{"user", nil},
		{"user\x00a", nil},
		{"user\x00a\x00", nil},
		{"user\x00a\x00\x00rest", nil},
	} {
		got, ok := startupParams([]byte(c.in))
		if ok != (c.want != nil) || ok && !maps.Equal(got, c.want) {
			t.Errorf("%q: got %v, %v", c.in, got, ok)
		}
	}
}

func TestStartupSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		params map[string]string
		want   map[string]string
		err    string
	}{
		{"what is no setting", map[string]string{"user": "u", "database": "d", "_pq_.x": "1", "replication": "off"}, map[string]string{}, ""},
		{"a parameter", map[string]string{"application_name": "a"}, map[string]string{"application_name": "a"}, ""},
		{"-c apart", map[string]string{"options": "-c a=1 -c b=2"}, map[string]string{"a": "1", "b": "2"}, ""},
		{"-c together", map[string]string{"options": "-ca=1"}, map[string]string{"a": "1"}, ""},
		{"long form", map[string]string{"options": "--statement-timeout=5s"}, map[string]string{"statement_timeout": "5s"}, ""},
		{"escaped space", map[string]string{"options": `-c search_path=a,\ b`}, map[string]string{"search_path": "a, b"}, ""},
		{"escaped backslash", map[string]string{"options": `-c a=\\`}, map[string]string{"a": `\`}, ""},
		{"options win", map[string]string{"a": "1", "options": "-c a=2"}, map[string]string{"a": "2"}, ""},
		{"no value", map[string]string{"options": "-c a"}, nil, "-c a requires a value"},
		{"no name", map[string]string{"options": "-c"}, nil, "-c"},
		{"unknown switch", map[string]string{"options": "-x"}, nil, "invalid command-line argument"},
		{"replication", map[string]string{"replication": "database"}, nil, "replication connections are not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := startupSettings(c.params)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Message, c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !maps.Equal(got, c.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// addressed is a connection that says where it comes from.
type addressed struct {
	net.Conn
	from net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.from }

func TestAllowed(t *testing.T) {
	t.Parallel()
	tcp := func(ip, zone string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1, Zone: zone} }
	for _, c := range []struct {
		from net.Addr
		ok   bool
	}{
		{tcp("127.0.0.1", ""), true},
		{tcp("127.8.8.8", ""), true},
		{tcp("::1", ""), true},
		{tcp("::ffff:127.0.0.1", ""), true},
		{&net.UnixAddr{Name: "@", Net: "unix"}, true},
		{tcp("192.0.2.1", ""), false},
		{tcp("::ffff:192.0.2.1", ""), false},
		{tcp("2001:db8::1", ""), false},
		{tcp("fe80::1", "eth0"), false},
	} {
		err := (&conn{nc: addressed{from: c.from}}).allowed()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.from, err)
		}
		if err != nil && err.Code != "28000" {
			t.Errorf("%s: SQLSTATE %s", c.from, err.Code)
		}
	}
}

// FuzzStartup sends arbitrary bytes through the parsing of the first packet.
func FuzzStartup(f *testing.F) {
	for _, body := range []string{
		"user\x00a\x00\x00", "user\x00a\x00options\x00-c a=1 --b-c=2 -cd=\\ e\x00\x00",
		"user\x00a\x00_pq_.x\x001\x00replication\x00true\x00\x00", "\x00", "user\x00a",
	} {
		in := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
		in = binary.BigEndian.AppendUint32(in, protocol3<<16)
		f.Add(append(in, body...))
	}
	f.Add([]byte{0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f})
	f.Fuzz(func(t *testing.T, in []byte) {
		body, err := readStartup(bytes.NewReader(in))
		if err != nil {
			return
		}
		if len(body) < 4 || len(body) > maxStartupBytes {
			t.Fatalf("a startup packet of %d bytes was read", len(body))
		}
		params, ok := startupParams(body[4:])
		if !ok {
			return
		}
		settings, refused := startupSettings(params)
		if refused == nil {
			for name := range settings {
				if name == "user" && params["options"] == "" {
					t.Fatal("the user is no setting")
				}
			}
		}
		hasProtocolOption(params)
	})
}
