package coord

import (
	"strings"
	"testing"

	"millrace/sql/ast"
	"millrace/sql/parse"
)

// TestCatalogHidesSecrets: what SHOW CREATE and mz_objects show has no password in it.
func TestCatalogHidesSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL 'http://u:hunter2@h:8081', USERNAME 'u', PASSWORD 'hunter2')`,
		`CREATE SOURCE s FROM KAFKA BROKER 'k' TOPIC 't' FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://u:hunter2@h:8081'`,
	} {
		stmts, err := parse.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		st := stmts[0].Stmt
		if c, ok := st.(*ast.CreateConnection); ok {
			st = withoutPassword(c)
		}
		shown := createText(st)
		if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "h:8081") {
			t.Errorf("the catalog shows %s", shown)
		}
	}
}
