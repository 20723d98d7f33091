package tidy

// Rules says what is allowed in a tree.
type Rules struct {
	// Module is the path that the imports of the tree's own packages begin with.
	Module string
	// Folders are the top-level folders there may be, besides hidden ones and those that git ignores.
	Folders []string
	// Ranks order the folders: a package may import from its own folder and from folders of lower rank.
	Ranks []Rank
	// Doors are imports that are open to a few packages only, whatever the ranks say.
	Doors []Door
	// Modules are the third-party modules there may be, and the packages that may import each.
	Modules []Module
	// Timekeepers are the folders that may read the clock of the machine and the global source of chance.
	Timekeepers []string
	// Panickers are the folders that may call panic.
	Panickers []string
	// BadNames are package names that say nothing.
	BadNames []string
	Limits   Limits
	// Exceptions are findings that are accepted, each for a reason.
	Exceptions []Exception
}

// Rank gives a folder, and what lies in it, a height.
type Rank struct {
	Folder string
	Height int
}

// Door keeps a folder from being imported by others than the folders in To.
type Door struct {
	From   string // the folder whose packages are kept: those below it that To does not name may not import
	Target string
	To     []string
}

// Module is a third-party module and the folders that may import it.
type Module struct {
	Path string
	In   []string
	// Tests are folders whose test files may import it besides.
	Tests []string
}

// Limits are the sizes that are not exceeded.
type Limits struct {
	FileLines, FunctionLines, Parameters, Results, Nesting int
}

// Exception accepts the findings of one rule at one place.
type Exception struct {
	Rule   string
	Path   string // of the file, or of the folder with all in it
	Name   string // of the function; empty: whatever the rule finds at Path
	Reason string
}

// repository is what this project keeps to.
var repository = Rules{
	Module: "millrace",
	Folders: []string{
		"arrangement", "bench", "cmd", "console", "coord", "dataflow", "docs", "examples", "internal", "pgwire",
		"repr", "sinks", "sources", "sql", "tests", "tools",
	},
	Ranks: []Rank{
		{"internal", 0},
		{"repr", 10},
		{"arrangement", 20},
		{"dataflow", 30},
		{"sql/ast", 40},
		{"sql/expr", 41},
		{"sql/parse", 41},
		{"sql/fn", 42},
		{"sql/rel", 42},
		{"sql/plan", 43},
		{"sql/opt", 43},
		{"sql/lower", 43},
		{"sql", 44},
		{"sources", 44},
		{"sinks", 44},
		{"coord", 50},
		{"pgwire", 60},
		{"console", 60},
		{"bench", 65},
		{"cmd", 70},
		{"examples", 80},
		{"tests", 90},
		{"bench/ingest", 95}, // starts the real servers
	},
	Doors: []Door{
		{From: "sql", Target: "dataflow", To: []string{"sql/lower"}},
		{From: "sql", Target: "arrangement", To: []string{"sql/lower"}},
		{From: "", Target: "internal/tidy", To: nil},
	},
	Modules: []Module{
		{Path: "github.com/BurntSushi/toml", In: []string{"cmd", "bench"}},
		{Path: "github.com/apache/arrow-go/v18", In: []string{"sinks/parquet", "sources/parquet"}},
		{Path: "github.com/auxten/postgresql-parser", In: []string{"sql/parse", "sql/plan"}},
		{Path: "github.com/bufbuild/protocompile", In: []string{"repr/format/protobuf"}},
		{Path: "github.com/cockroachdb/apd/v3", In: []string{"repr", "sql"}, Tests: []string{"dataflow"}},
		{Path: "github.com/coder/websocket", In: []string{"console/api"}},
		{Path: "github.com/jackc/pglogrepl", In: []string{"sources/postgres"}},
		{Path: "github.com/jackc/pgproto3/v2", In: []string{"pgwire"}, Tests: []string{"tests"}},
		{Path: "github.com/jackc/pgx/v5", In: []string{"sources/postgres", "sinks/postgres", "bench", "cmd", "tests"}, Tests: []string{"pgwire"}},
		{Path: "github.com/klauspost/compress", In: []string{"internal/journal", "internal/spool", "sources/file"}},
		{
			Path: "github.com/linkedin/goavro/v2", In: []string{"repr/format/avro", "internal/demo", "tests"},
			Tests: []string{"sources", "sinks", "coord", "internal/registry"},
		},
		{Path: "github.com/prometheus/client_golang", In: []string{"console", "coord"}},
		{Path: "github.com/prometheus/client_model", Tests: []string{"console", "coord"}},
		{Path: "github.com/tidwall/btree", In: []string{"arrangement"}},
		{
			Path:  "github.com/twmb/franz-go/pkg/kfake",
			In:    []string{"cmd", "internal/demo", "internal/broker/brokertest", "bench", "tests"},
			Tests: []string{"internal/broker", "sources", "sinks/kafka", "coord"},
		},
		{
			Path: "github.com/twmb/franz-go", In: []string{"internal/broker", "sources/kafka", "sources/deadletter", "sinks/kafka", "cmd", "internal/demo", "bench", "tests"},
			Tests: []string{"coord", "sources"},
		},
		{Path: "google.golang.org/protobuf", In: []string{"repr/format/protobuf"}, Tests: []string{"sources/kafka"}},
		{Path: "golang.org/x/sys", In: []string{"internal/journal", "cmd"}},
	},
	Timekeepers: []string{"internal/clock", "tests", "bench"},
	Panickers:   []string{"internal/check"},
	BadNames:    []string{"util", "utils", "common", "base", "helper", "helpers", "types", "misc", "lib", "shared"},
	Limits:      Limits{FileLines: 800, FunctionLines: 80, Parameters: 5, Results: 3, Nesting: 3},
	Exceptions:  []Exception{},
}
