package broker

import (
	"context"
	"crypto/tls"
	"net"
)

// dialTLS connects to an address or its alias; the certificate must be of the name that the address bears.
func (o *Options) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := o.dialer().DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	cfg := o.TLS.Clone()
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			_ = conn.Close() // err says why
			return nil, err
		}
		cfg.ServerName = host
	}
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // err says why
		return nil, err
	}
	return secure, nil
}
