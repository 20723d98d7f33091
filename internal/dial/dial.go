package dial

import (
	"context"
	"fmt"
	"net"
	"sort"
	"strings"
	"time"
)

// DefaultTimeout bounds one attempt to connect when a Dialer names none.
const DefaultTimeout = 3 * time.Second

// Dialer connects to addresses. The zero Dialer knows no alias.
type Dialer struct {
	// Aliases maps host:port, as users write it, to the host:port that is dialled in its place.
	Aliases map[string]string
	// Timeout bounds one attempt to connect; DefaultTimeout when zero.
	Timeout time.Duration
}

// DialContext connects to an address, or to its alias.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	target := d.Resolve(addr)
	timeout := DefaultTimeout
	if d != nil && d.Timeout > 0 {
		timeout = d.Timeout
	}
	nd := net.Dialer{Timeout: timeout}
	conn, err := nd.DialContext(ctx, network, target)
	if err != nil && target != addr {
		return nil, fmt.Errorf("connect to %s (alias of %s): %w", target, addr, err)
	}
	return conn, err
}

// Resolve is the address that is dialled for addr.
func (d *Dialer) Resolve(addr string) string {
	if d == nil {
		return addr
	}
	if target, ok := d.Aliases[strings.ToLower(addr)]; ok {
		return target
	}
	return addr
}

// ParseAliases reads "host:port=host:port,…", the form of the server's flag.
func ParseAliases(list string) (map[string]string, error) {
	aliases := map[string]string{}
	for _, item := range strings.Split(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		from, to, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("host alias %q: want host:port=host:port", item)
		}
		for _, addr := range []string{from, to} {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return nil, fmt.Errorf("host alias %q: %w", item, err)
			}
		}
		aliases[strings.ToLower(from)] = to
	}
	return aliases, nil
}

// FormatAliases writes aliases in the form that ParseAliases reads, sorted.
func FormatAliases(aliases map[string]string) string {
	items := make([]string, 0, len(aliases))
	for from, to := range aliases {
		items = append(items, from+"="+to)
	}
	sort.Strings(items)
	return strings.Join(items, ",")
}
