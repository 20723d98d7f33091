package samples

import (
	"bufio"
	"compress/gzip"
	"embed"
	"encoding/csv"
	"encoding/json"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

//go:embed testdata
var files embed.FS

// Record is a captured record.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []struct {
		Key   string
		Value []byte
	}
}

// Subject is a version of a schema as the registry had it.
type Subject struct {
	ID      int    `json:"id"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
	Schema  string `json:"schema"`
}

// Null is what a Table has for NULL.
const Null = `\N`

// Topics are the records of each topic, in the order of partitions and offsets.
func Topics(t testing.TB) map[string][]Record {
	t.Helper()
	topics := map[string][]Record{}
	eachLine(t, "topics.jsonl.gz", func(r Record) { topics[r.Topic] = append(topics[r.Topic], r) })
	if len(topics) != 90 {
		t.Fatalf("%d topics, want 90", len(topics))
	}
	return topics
}

// Schemas are the texts of the schemas by the ids that are in the messages.
func Schemas(t testing.TB) map[int]string {
	t.Helper()
	var byID map[int]string
	if err := json.NewDecoder(open(t, "schemas_by_id.json.gz")).Decode(&byID); err != nil {
		t.Fatal(err)
	}
	return byID
}

// Latest are the newest versions of the subjects.
func Latest(t testing.TB) map[string]Subject {
	t.Helper()
	latest := map[string]Subject{}
	eachLine(t, "subjects.jsonl.gz", func(s Subject) {
		if s.Version >= latest[s.Subject].Version {
			latest[s.Subject] = s
		}
	})
	return latest
}

// Table is a table as its database printed it at the end: the columns, and the rows. The two databases print NULL and escapes each in
// their way; here they are alike.
func Table(t testing.TB, name string) (cols []string, rows [][]string) {
	t.Helper()
	var lines [][]string
	var err error
	if strings.HasPrefix(name, "pg.") {
		lines, err = csv.NewReader(open(t, "expected/"+name+".csv.gz")).ReadAll()
	} else {
		lines, err = readTabbed(open(t, "expected/"+name+".tsv.gz"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) == 0 {
		t.Fatalf("table %s has no head", name)
	}
	return lines[0], lines[1:]
}

// readTabbed reads lines as MariaDB's client prints them.
func readTabbed(r io.Reader) ([][]string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\0`, "\x00")
	var lines [][]string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		cells := strings.Split(line, "\t")
		for i := range cells {
			if cells[i] = unescape.Replace(cells[i]); cells[i] == "NULL" {
				cells[i] = Null
			}
		}
		lines = append(lines, cells)
	}
	return lines, nil
}

// Window repeats runs of records as a connector does that lost its place: back some way, at times to the beginning, then on from there.
func Window[R any](r *rand.Rand, records []R, partition func(R) int32) []R {
	seen := map[int32][]R{}
	var out []R
	for _, rec := range records {
		p := partition(rec)
		out = append(out, rec)
		seen[p] = append(seen[p], rec)
		if r.IntN(10) < 3 {
			back, most := seen[p], 12
			if r.IntN(4) == 0 {
				most = len(back)
			}
			out = append(out, back[len(back)-1-r.IntN(min(most, len(back))):]...)
		}
	}
	return out
}

func open(t testing.TB, name string) io.Reader {
	t.Helper()
	f, err := files.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// eachLine reads lines of JSON.
func eachLine[T any](t testing.TB, name string, take func(T)) {
	t.Helper()
	lines := bufio.NewScanner(open(t, name))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		take(v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
