package stack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// The account of the secure listener of Kafka.
const (
	KafkaUser     = "ann"
	KafkaPassword = "hunter22"
)

// scramUser makes the account when the log folder is formatted.
const scramUser = "SCRAM-SHA-512=[name=" + KafkaUser + ",password=" + KafkaPassword + "]"

// Papers are an authority, and what it has signed for a client, in PEM.
type Papers struct{ Authority, Certificate, Key string }

// KafkaPapers are what a client of the secure listener shows, and whom it trusts.
func (s *Stack) KafkaPapers() (p Papers, err error) {
	for _, f := range []struct {
		name string
		to   *string
	}{{"authority.pem", &p.Authority}, {"client.pem", &p.Certificate}, {"client.key", &p.Key}} {
		text, err := os.ReadFile(s.cfg.path("papers", f.name))
		if err != nil {
			return p, err
		}
		*f.to = string(text)
	}
	return p, nil
}

// secureSettings have the broker want SCRAM, and a certificate of a client.
func (s *Stack) secureSettings() []string {
	const listener = "listener.name.secure."
	return []string{
		listener + "sasl.enabled.mechanisms=SCRAM-SHA-512",
		listener + "scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		listener + "ssl.client.auth=required",
		listener + "ssl.keystore.type=PEM",
		listener + "ssl.keystore.location=" + s.cfg.path("papers", "server.pem"),
		listener + "ssl.truststore.type=PEM",
		listener + "ssl.truststore.location=" + s.cfg.path("papers", "authority.pem"),
	}
}

// writePapers makes an authority that lasts as long as the data, and has it sign for the broker and a client.
func (s *Stack) writePapers() error {
	dir := s.cfg.path("papers")
	if _, err := os.Stat(s.cfg.path("papers", "client.key")); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder of papers: %w", err)
	}
	root, err := sign(1, nil)
	if err != nil {
		return err
	}
	broker, err := sign(2, root)
	if err != nil {
		return err
	}
	client, err := sign(3, root)
	if err != nil {
		return err
	}
	for _, f := range []struct{ name, text string }{
		{"authority.pem", root.cert}, {"server.pem", broker.key + broker.cert}, {"client.pem", client.cert}, {"client.key", client.key},
	} {
		if err := os.WriteFile(s.cfg.path("papers", f.name), []byte(f.text), 0o600); err != nil {
			return fmt.Errorf("write papers: %w", err)
		}
	}
	return nil
}

// paper is a certificate with its key.
type paper struct {
	form      *x509.Certificate
	by        *ecdsa.PrivateKey
	cert, key string // PEM
}

// sign makes a certificate for the loopback address, signed by another, or by itself.
func sign(serial int64, by *paper) (*paper, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	p := &paper{by: key, form: &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("stack ", serial)}, IsCA: by == nil, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}}
	if by == nil {
		by = p
	}
	der, err := x509.CreateCertificate(rand.Reader, p.form, by.form, &key.PublicKey, by.by)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	p.cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	p.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return p, nil
}
