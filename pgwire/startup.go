package pgwire

import (
	"encoding/binary"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgproto3/v2"

	"millrace/coord"
	"millrace/internal/clock"
	"millrace/repr"
)

// systemClock is for deadlines of sockets, which the kernel measures in the time of day.
var systemClock = clock.System{}

// Codes of the first packet (chapter "Message Formats").
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSS    = 80877104
	protocol3  = 3
)

// start goes through the startup and says whether a session is open.
func (c *conn) start() bool {
	_ = c.nc.SetReadDeadline(deadline(c.srv.opts.StartupTimeout))
	for range 3 { // SSLRequest, GSSENCRequest, then the real thing
		body, err := readStartup(c.in)
		if err != nil {
			return false
		}
		switch code := binary.BigEndian.Uint32(body); {
		case code == codeSSL || code == codeGSS:
			if _, err := c.nc.Write([]byte{'N'}); err != nil {
				return false
			}
			continue
		case code == codeCancel:
			if len(body) == 12 {
				c.srv.cancel(binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:]))
			}
			return false
		case code>>16 != protocol3:
			c.fatal(repr.NewError(repr.CodeFeatureNotSupported, "unsupported frontend protocol").WithHint("the server speaks 3.0"))
			return false
		default:
			return c.open(body)
		}
	}
	return false
}

// open makes the session that a startup message asks for.
func (c *conn) open(body []byte) bool {
	params, ok := startupParams(body[4:])
	if !ok {
		c.fatal(repr.NewError(repr.CodeProtocolViolation, "invalid startup packet layout: expected terminator as last byte"))
		return false
	}
	if minor := binary.BigEndian.Uint32(body) & 0xffff; minor > 0 || hasProtocolOption(params) {
		c.negotiate(params)
	}
	if err := c.allowed(); err != nil {
		c.fatal(err)
		return false
	}
	user := params["user"]
	if user == "" {
		c.fatal(repr.NewError(repr.CodeInvalidAuthorization, "no PostgreSQL user name specified in startup packet"))
		return false
	}
	settings, err := startupSettings(params)
	if err != nil {
		c.fatal(err)
		return false
	}
	database := params["database"]
	if database == "" && user != coord.DefaultUser {
		database = coord.DefaultDatabase
	}
	c.session, err = c.srv.coord.NewSession(coord.SessionOptions{User: user, Database: database, Settings: settings,
		OnNotice: c.notice, OnParam: func(name, value string) { c.send(&pgproto3.ParameterStatus{Name: name, Value: value}) }})
	if err == nil {
		if err = c.srv.admit(c); err != nil {
			c.session.Close()
		}
	}
	if err != nil {
		c.fatal(err)
		return false
	}
	_ = c.nc.SetReadDeadline(time.Time{})
	if c.ctx.Err() != nil {
		c.hurry()
	}
	c.greet()
	return true
}

// allowed says whether the client may connect: without TLS and passwords only from this machine.
func (c *conn) allowed() *repr.Error {
	host, _, err := net.SplitHostPort(c.nc.RemoteAddr().String())
	if err != nil {
		return nil // a socket without an address is local
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.Unmap().IsLoopback() {
		return repr.NewError(repr.CodeInvalidAuthorization, "connections from other machines are not allowed yet").
			WithDetail("the client's address is " + host).WithHint("connect over loopback, for example through an SSH tunnel")
	}
	return nil
}

// greet tells the client that it is in.
func (c *conn) greet() {
	c.send(&pgproto3.AuthenticationOk{})
	settings := c.session.Settings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		c.send(&pgproto3.ParameterStatus{Name: name, Value: settings[name]})
	}
	c.send(&pgproto3.BackendKeyData{ProcessID: c.session.PID(), SecretKey: c.secret})
	if c.srv.opts.Welcome != "" && c.session.WantsWelcome() {
		c.send(&pgproto3.NoticeResponse{Severity: "NOTICE", SeverityUnlocalized: "NOTICE", Code: repr.CodeSuccess, Message: c.srv.opts.Welcome})
	}
}

// startupParams reads the pairs of a startup message.
func startupParams(b []byte) (map[string]string, bool) {
	params := map[string]string{}
	w := walker{b: b}
	for {
		name := w.text()
		if w.bad {
			return nil, false
		}
		if len(name) == 0 {
			return params, len(w.b) == 0
		}
		value := w.text()
		if w.bad {
			return nil, false
		}
		params[string(name)] = string(value)
	}
}

func hasProtocolOption(params map[string]string) bool {
	for name := range params {
		if strings.HasPrefix(name, "_pq_.") {
			return true
		}
	}
	return false
}

// negotiate answers a client that asks for a newer minor version or for options that we do not know
// (NegotiateProtocolVersion).
func (c *conn) negotiate(params map[string]string) {
	var options []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if strings.HasPrefix(name, "_pq_.") {
			options = append(options, name)
		}
	}
	n := 12
	for _, o := range options {
		n += len(o) + 1
	}
	c.out = append(c.out, 'v')
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(n))
	c.out = binary.BigEndian.AppendUint32(c.out, protocol3<<16)
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(len(options)))
	for _, o := range options {
		c.out = append(append(c.out, o...), 0)
	}
}

// startupSettings are the settings among the parameters, those inside "options" (-c name=value) included.
func startupSettings(params map[string]string) (map[string]string, *repr.Error) {
	out := map[string]string{}
	for name, v := range params {
		switch name {
		case "user", "database", "options":
		case "replication":
			if v != "false" && v != "off" && v != "0" && v != "no" {
				return nil, repr.NewError(repr.CodeFeatureNotSupported, "replication connections are not supported")
			}
		default:
			if !strings.HasPrefix(name, "_pq_.") {
				out[name] = v
			}
		}
	}
	words := optionWords(params["options"])
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "-c" && i+1 < len(words):
			i++
			word = words[i]
		case strings.HasPrefix(word, "-c"):
			word = word[2:]
		case strings.HasPrefix(word, "--"):
			word = strings.ReplaceAll(word[2:], "-", "_")
		default:
			return nil, repr.NewError(repr.CodeSyntax, "invalid command-line argument for server process: "+word)
		}
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, repr.NewError(repr.CodeSyntax, "-c "+word+" requires a value")
		}
		out[name] = value
	}
	return out, nil
}

// optionWords splits at spaces that no backslash precedes.
func optionWords(s string) []string {
	var out []string
	var cur strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			cur.WriteByte(s[i])
		case s[i] == ' ':
			if cur.Len() > 0 {
				out = append(out, cur.String())
				cur.Reset()
			}
		default:
			cur.WriteByte(s[i])
		}
	}
	if cur.Len() > 0 {
		out = append(out, cur.String())
	}
	return out
}
