package coord

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// documentPart is a wait, a block of SQL or what its last statement shows.
var documentPart = regexp.MustCompile("(?s)<!-- wait (\\w+) -->|```sql\n(.*?)```(?:\n\n```text\n(.*?)```)?")

// TestTimeDocument runs the examples of docs/time.md.
func TestTimeDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/time.md")
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		parts := documentPart.FindAllStringSubmatch(string(text), -1)
		if len(parts) < 10 {
			t.Fatalf("%d examples", len(parts))
		}
		for _, p := range parts {
			if p[1] != "" {
				d, err := time.ParseDuration(p[1])
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(d)
				continue
			}
			var shown string
			for st := range strings.SplitSeq(strings.TrimSuffix(p[2], ";\n"), ";\n") {
				shown = strings.Join(append(cl.must(st), ""), "\n")
			}
			if p[3] != "" && shown != p[3] {
				t.Errorf("%s\ngives\n%s\nwant\n%s", p[2], shown, p[3])
			}
		}
	})
}
