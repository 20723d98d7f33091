package coord

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"millrace/internal/broker/brokertest"
	"millrace/sinks"
	"millrace/sources"
)

// papers are an authority, and a certificate with its key that it has signed, in PEM.
type papers struct {
	authority, cert, key string
	pair                 tls.Certificate
	pool                 *x509.CertPool
}

func newPapers(t *testing.T) *papers {
	t.Helper()
	make1 := func(serial int64, isCA bool, parent *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		form := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("test ", serial)}, IsCA: isCA, BasicConstraintsValid: true,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		if parent == nil {
			parent, by = form, key
		}
		der, err := x509.CreateCertificate(rand.Reader, form, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der, key
	}
	root, rootKey := make1(1, true, nil, nil)
	parent, err := x509.ParseCertificate(root)
	if err != nil {
		t.Fatal(err)
	}
	leaf, leafKey := make1(2, false, parent, rootKey)
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	p := &papers{authority: text("CERTIFICATE", root), cert: text("CERTIFICATE", leaf), key: text("PRIVATE KEY", der), pool: x509.NewCertPool()}
	p.pool.AddCert(parent)
	if p.pair, err = tls.X509KeyPair([]byte(p.cert), []byte(p.key)); err != nil {
		t.Fatal(err)
	}
	return p
}

// secured is a broker that wants SASL and TLS with a client certificate, and a session with the secrets for it.
type secured struct {
	t    *testing.T
	addr string
	w    *kgo.Client
	cl   *client
	with string // the options of TLS
	cert string // in PEM, as the next
	key  string
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	p := newPapers(t)
	fake := brokertest.New(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "ann", "hunter22"), kfake.SeedTopics(1, "t"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{p.pair}, ClientCAs: p.pool, ClientAuth: tls.RequireAndVerifyClientCert}))
	k := &secured{t: t, addr: fake.ListenAddrs()[0], cl: connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))}
	k.w = brokertest.Client(t, k.addr, kgo.DefaultProduceTopic("t"), kgo.SASL(scram.Auth{User: "ann", Pass: "hunter22"}.AsSha512Mechanism()),
		kgo.DialTLSConfig(&tls.Config{RootCAs: p.pool, Certificates: []tls.Certificate{p.pair}}))
	k.cl.must("CREATE SECRET pass AS 'hunter21'")
	k.cl.must("CREATE SECRET k AS '" + p.key + "'")
	k.cl.must("CREATE SECRET ca AS '" + p.authority + "'")
	k.cert, k.key = p.cert, p.key
	k.with = ", SSL CERTIFICATE AUTHORITY = SECRET ca, SSL CERTIFICATE '" + p.cert + "', SSL KEY SECRET k"
	return k
}

func (k *secured) write(value string) {
	k.t.Helper()
	if err := k.w.ProduceSync(context.Background(), kgo.StringRecord(value)).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *secured) connection(options string) string {
	return "CREATE CONNECTION c TO KAFKA (BROKER '" + k.addr + "', " + options + ")"
}

// holds says whether the source has these rows.
func (k *secured) holds(want string) func() error {
	return func() error {
		rows, err := k.cl.run(context.Background(), "SELECT text FROM s ORDER BY text")
		if got := strings.Join(rows, " "); err != nil || got != want {
			return fmt.Errorf("got %s, %v", got, err)
		}
		return nil
	}
}

const saslLogin = "SASL MECHANISMS 'SCRAM-SHA-512', SASL USERNAME 'ann', SASL PASSWORD SECRET pass"

// TestSecureKafka reads through SASL and TLS with a client certificate, and takes another password while it runs.
func TestSecureKafka(t *testing.T) {
	t.Parallel()
	k := newSecured(t)
	k.write("a")
	const source = "CREATE SOURCE s FROM KAFKA CONNECTION c (TOPIC 't') FORMAT TEXT"
	k.cl.must(k.connection(saslLogin+k.with) + " WITH (VALIDATE = false)")
	_ = k.cl.fails("08001", source)
	k.cl.must("ALTER SECRET pass AS 'hunter22'")
	k.cl.must("VALIDATE CONNECTION c")
	k.cl.must(source)
	awaits(t, "reading a", k.holds("a"))
	_ = k.cl.fails("08001", "ALTER CONNECTION c SET (SASL USERNAME 'bob')")
	k.cl.must("ALTER CONNECTION c SET (SASL USERNAME 'bob', VALIDATE = false)")
	awaits(t, "stalling", func() error {
		rows, err := k.cl.run(context.Background(), "SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = 's'")
		if got := strings.Join(rows, ""); err != nil || !strings.HasPrefix(got, "stalled|") || !strings.Contains(got, "closed the connection") {
			return fmt.Errorf("%s: %v", got, err)
		}
		return nil
	})
	k.write("b")
	k.cl.must("ALTER CONNECTION c SET (SASL USERNAME 'ann')")
	awaits(t, "reading b", k.holds("a b"))
	for _, text := range []string{"SHOW CREATE CONNECTION c", "SHOW CREATE SECRET pass", "SELECT create_sql FROM mz_catalog.mz_objects", "SELECT create_sql FROM mz_catalog.mz_connections", "SELECT name FROM mz_catalog.mz_secrets", "SELECT statement FROM mz_internal.mz_definitions"} {
		if all := strings.Join(k.cl.must(text), "\n"); strings.Contains(all, "hunter2") || strings.Contains(all, "PRIVATE KEY") {
			t.Errorf("%s shows %s", text, all)
		}
	}
	if all := strings.Join(k.cl.must("SHOW CREATE CONNECTION c"), "\n"); !strings.Contains(all, "SASL PASSWORD = SECRET pass") {
		t.Errorf("SHOW CREATE names no secret: %s", all)
	}
	same(t, "connections", k.cl.must("SELECT c.name, c.type, s.name FROM mz_connections c, mz_secrets s WHERE s.name = 'pass'"), "c|kafka|pass")
	_ = k.cl.fails("2BP01", "DROP SECRET pass")
}

// TestConnectionRefusals: what keeps a connection from being made is said, and no password with it.
func TestConnectionRefusals(t *testing.T) {
	t.Parallel()
	k := newSecured(t)
	for _, tc := range []struct{ options, code, message string }{
		{saslLogin + k.with, "08001", "closed the connection"}, // so says kfake of a wrong password
		{saslLogin, "08001", "is not trusted"},
		{"SECURITY PROTOCOL PLAINTEXT", "08001", "closed the connection"},
		{"SECURITY PROTOCOL SASL_PLAINTEXT", "22023", "needs SASL MECHANISMS, SASL USERNAME and SASL PASSWORD"},
		{"SASL MECHANISMS 'GSSAPI'", "22023", "unrecognized SASL mechanism"},
		{"SECURITY PROTOCOL 'TLS'", "22023", "unrecognized SECURITY PROTOCOL"},
		{"SECURITY PROTOCOL PLAINTEXT, SASL USERNAME 'x'", "22023", "has no SASL options"},
		{"SSL CERTIFICATE AUTHORITY 'x'", "22023", "no certificate in PEM"},
		{"SSL KEY SECRET k", "22023", "no pair of certificate and key"},
		{"SASL PASSWORD SECRET nobody", "42704", `secret "nobody" does not exist`},
		{"COLOUR 'red'", "0A000", "COLOUR"},
	} {
		_, err := k.cl.run(context.Background(), k.connection(tc.options))
		if err == nil || err.Code != tc.code || !strings.Contains(err.Message, tc.message) || strings.Contains(err.Error()+err.Hint, "hunter2") {
			t.Errorf("%.60s: got %v", tc.options, err)
		}
	}
}

// TestKafkaSourceRefusals: what cannot be is refused with a name, a place and a hint, before anything is reached for.
func TestKafkaSourceRefusals(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	for _, tc := range []struct{ text, code, message string }{
		{"TOPIC 't'", "42601", "the source has no FORMAT"},
		{"TOPIC 't' FORMAT JSON ENVELOPE UPSERT (COLOUR = red)", "0A000", "COLOUR"},
		{"TOPIC 't' KEY FORMAT TEXT VALUE FORMAT JSON ENVELOPE UPSERT (VALUE DECODING ERRORS = OFF)", "22023", "INLINE"},
		{"TOPIC 't' VALUE FORMAT JSON ENVELOPE UPSERT", "42601", "needs to know the format of the key"},
		{"TOPIC 't' FORMAT JSON (GUESS)", "22023", "GUESS"},
		{"TOPIC 't' FORMAT CSV WITH 0 COLUMNS", "22023", "CSV has 1 to"},
		{"TOPIC 't' FORMAT CSV WITH 2 COLUMNS DELIMITED BY '::'", "22023", "one-byte"},
		{"TOPIC 't' FORMAT REGEX 'x'", "0A000", "this format"},
		{"TOPIC 't' FORMAT AVRO USING SCHEMA FILE '/etc/passwd'", "0A000", "does not read the files of the server"},
		{"TOPIC 't' FORMAT AVRO USING SCHEMA '{}' (COLOUR = red)", "22023", "COLOUR"},
		{"TOPIC 't' WITH (start_offset = 'x') FORMAT JSON", "22023", "START OFFSET"},
		{"TOPIC 't' WITH (start_offset = 1, start_timestamp = 5) FORMAT JSON", "42601", "cannot both"},
		{"TOPIC 't' WITH (speed = 5) FORMAT JSON", "0A000", "SPEED"},
	} {
		_, err := cl.run(context.Background(), "CREATE SOURCE s FROM KAFKA BROKER '127.0.0.1:1' "+tc.text)
		if err == nil || err.Code != tc.code || !strings.Contains(err.Message+err.Hint, tc.message) || err.Position == 0 {
			t.Errorf("%s: got %+v", tc.text, err)
		}
	}
	for _, tc := range []struct{ columns, code, message string }{
		{"(a int CHECK (a > 1))", "0A000", "constraint"},
		{"(a int, PRIMARY KEY (a))", "0A000", "NOT ENFORCED"},
		{"(a int, a text)", "42701", "more than once"},
	} {
		_, err := cl.run(context.Background(), "CREATE SOURCE s "+tc.columns+" FROM KAFKA BROKER '127.0.0.1:1' TOPIC 't' FORMAT JSON")
		if err == nil || err.Code != tc.code || !strings.Contains(err.Message+err.Hint, tc.message) || err.Position == 0 {
			t.Errorf("%s: got %+v", tc.columns, err)
		}
	}
}

// TestSinkIntoItsOwnSource: a topic is refused from which the sink's rows come, over whatever views; one of another broker is not.
func TestSinkIntoItsOwnSource(t *testing.T) {
	t.Parallel()
	opts := quiet()
	opts.Source = func(string) sources.Described { return &pushed{read: new(int64)} }
	opts.Sink = func(string, sinks.Options) SinkConnector { return taker{} }
	cl := connect(t, start(t, opts))
	cl.must("CREATE SOURCE s FROM KAFKA BROKER 'one:9092,two:9092' TOPIC 't' FORMAT TEXT")
	cl.must("CREATE VIEW v AS SELECT * FROM s")
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM v")
	for _, from := range []string{"s", "m"} {
		err := cl.fails("55006", "CREATE SINK k FROM "+from+" INTO KAFKA BROKER 'two:9092' TOPIC 't' FORMAT JSON")
		if !strings.Contains(err.Message, `topic "t" is read by source "s"`) || err.Position == 0 {
			t.Errorf("from %s: %+v", from, err)
		}
	}
	cl.must("CREATE SINK other FROM m INTO KAFKA BROKER 'three:9092' TOPIC 't' FORMAT JSON")
	cl.must("CREATE TABLE apart (a int)")
	cl.must("CREATE SINK elsewhere FROM apart INTO KAFKA BROKER 'one:9092' TOPIC 't' FORMAT JSON")
}

// TestInferNotice: the columns that were found are told.
func TestInferNotice(t *testing.T) {
	t.Parallel()
	addr, write := topicOf(t)
	write(`{"id":1,"Name":"x"}`)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	cl.must("CREATE SOURCE s FROM KAFKA BROKER '" + addr + "' TOPIC 't' FORMAT JSON (INFER)")
	if len(cl.notices) != 1 || cl.notices[0].Message != `the columns that the records have: id bigint, "Name" text` {
		t.Errorf("got %+v", cl.notices)
	}
	if got := strings.Join(cl.must("SELECT * FROM s"), ","); got != "1|x" {
		t.Errorf("got %s", got)
	}
}
