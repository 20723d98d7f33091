package coord

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/internal/broker/brokertest"
)

// formerly are the options of a login in the words of 2021, the password and the key as they are given.
func (k *secured) formerly(password, key string) string {
	return fmt.Sprintf(`security_protocol = 'sasl_ssl', sasl_mechanisms = 'SCRAM-SHA-512', sasl_username = 'ann', sasl_password = %s,
		ssl_ca_pem = SECRET ca, ssl_certificate_pem = SECRET cert, ssl_key_pem = %s`, password, key)
}

// TestFormerLogin: in the dialect of 2021 a source and a sink say themselves how to log in at the broker that they name; nothing shows
// the password, and one that is a secret can change while they run.
func TestFormerLogin(t *testing.T) {
	t.Parallel()
	k := newSecured(t)
	k.cl.must("CREATE SECRET cert AS '" + k.cert + "'")
	k.write("a")
	at := func(topic, options string) string {
		return "KAFKA BROKER '" + k.addr + "' TOPIC '" + topic + "' WITH (" + options + ")"
	}
	_ = k.cl.fails("08001", "CREATE SOURCE no FROM "+at("t", k.formerly("'wrong'", "SECRET k"))+" FORMAT TEXT")
	k.cl.must("CREATE SOURCE s FROM " + at("t", k.formerly("'hunter22'", "'"+k.key+"'")) + " FORMAT TEXT")
	awaits(t, "reading a", k.holds("a"))
	k.cl.must("ALTER SECRET pass AS 'hunter22'")
	k.cl.must("CREATE MATERIALIZED VIEW v AS SELECT text FROM s")
	k.cl.must("CREATE SINK o FROM v INTO " + at("out", k.formerly("SECRET pass", "SECRET k")+", partition_count = 1") + " FORMAT JSON")
	awaits(t, "the topic is made", func() error {
		_, err := k.cl.run(t.Context(), "CREATE SOURCE back FROM "+at("out", k.formerly("SECRET pass", "SECRET k"))+" FORMAT JSON")
		if err != nil {
			return err
		}
		return nil
	})
	awaits(t, "the sink writes", func() error {
		if got := k.cl.one("SELECT count(*) FROM back"); got != "1" {
			return fmt.Errorf("%s records", got)
		}
		return nil
	})
	k.cl.must("ALTER SINK o SET (COMMIT INTERVAL '200 ms')")
	k.cl.must("ALTER SECRET pass AS 'hunter21'")
	k.write("b")
	awaits(t, "reading b", k.holds("a b"))
	k.cl.must("ALTER SECRET pass AS 'hunter22'")
	awaits(t, "the sink goes on", func() error {
		if got := k.cl.one("SELECT count(*) FROM back"); got != "2" {
			return fmt.Errorf("%s records", got)
		}
		return nil
	})
	for _, text := range []string{"SHOW CREATE SOURCE s", "SHOW CREATE SINK o", "SELECT create_sql FROM mz_catalog.mz_objects", "SELECT statement FROM mz_internal.mz_definitions"} {
		if all := strings.Join(k.cl.must(text), "\n"); strings.Contains(all, "hunter2") || strings.Contains(all, "PRIVATE KEY") {
			t.Errorf("%s shows %s", text, all)
		}
	}
	if got := k.cl.one("SHOW CREATE SINK o"); !strings.Contains(got, "SASL_PASSWORD = SECRET pass") || !strings.Contains(got, "COMMIT INTERVAL = '200 ms'") {
		t.Errorf("the sink is %s", got)
	}
	_ = k.cl.fails("2BP01", "DROP SECRET pass")
	for _, tc := range []struct{ options, code, want string }{
		{"security_protocol = 'sasl_ssl'", "22023", "needs SASL MECHANISMS"},
		{"security_protocol = 'tls'", "22023", "unrecognized SECURITY PROTOCOL"},
		{"sasl_password_env = 'PASS'", "0A000", "the server's own"},
		{"ssl_ca_location = '/etc/passwd'", "0A000", "ssl_ca_pem"},
		{"username = 'x'", "0A000", "username"},
		{"colour = 'red'", "0A000", "COLOUR"},
	} {
		for _, statement := range []string{"CREATE SOURCE x FROM " + at("t", tc.options) + " FORMAT TEXT", "CREATE SINK x FROM v INTO " + at("x", tc.options) + " FORMAT JSON"} {
			_, err := k.cl.run(t.Context(), statement)
			if err == nil || err.Code != tc.code || !strings.Contains(err.Message+err.Hint, tc.want) || err.Position == 0 {
				t.Errorf("%s: %+v", statement, err)
			}
		}
	}
}

// newGuardedRegistry is a registry that wants a login, and a broker whose topic guarded has a schema in it.
func newGuardedRegistry(t *testing.T) (url, broker string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, ok := r.BasicAuth(); !ok || user != "ann" || pass != "open sesame" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "-value/versions/latest") && !strings.Contains(r.URL.Path, "/schemas/ids/") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code": 40401, "message": "subject not found"}`) // a client that went away reads nothing
			return
		}
		_, _ = io.WriteString(w, `{"subject": "guarded-value", "version": 1, "id": 1, "schema": "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}"}`)
	}))
	t.Cleanup(srv.Close)
	fake := brokertest.New(t, kfake.SeedTopics(1, "guarded"))
	return srv.URL, fake.ListenAddrs()[0]
}

// TestFormerRegistry: the user and password of a registry that the statement names by its address.
func TestFormerRegistry(t *testing.T) {
	t.Parallel()
	r, broker := newGuardedRegistry(t)
	cl := connect(t, start(t, quiet()))
	source := func(name, with string) string {
		return "CREATE SOURCE " + name + " FROM KAFKA BROKER '" + broker + "' TOPIC 'guarded' FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '" + r + "'" + with
	}
	_ = cl.fails("28000", source("no", ""))
	cl.must("CREATE SECRET pw AS 'open sesame'")
	cl.must(source("s", " WITH (username = 'ann', password = SECRET pw)"))
	cl.must(source("plain", " WITH (username = 'ann', password = 'open sesame')"))
	if all := strings.Join(cl.must("SELECT create_sql FROM mz_catalog.mz_objects"), "\n"); strings.Contains(all, "sesame") {
		t.Errorf("the catalog shows %s", all)
	}
	_ = cl.fails("0A000", source("no", " WITH (ssl_ca_location = '/etc/passwd')"))
}
