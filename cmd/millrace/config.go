package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"millrace/internal/dial"
)

// config is everything that can be set. A flag wins over the environment, that over the file, that over the default.
type config struct {
	DataDir     string
	Volatile    bool
	SQLListen   string
	HTTPListen  string
	HTTPOrigins string
	Workers     int
	MemoryLimit string
	LogFormat   string
	LogLevel    string
	HostAliases string
	FileSinks   string
	FileSources string
	TickEvery   time.Duration
	History     time.Duration
	LogSegment  string
	LogCompress bool
	File        string
}

// envPrefix and the name of a flag in capitals make the variable that sets it.
const envPrefix = "MILLRACE_"

// flags declares the flags that every command with a server has.
func (c *config) flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.Volatile, "volatile", false, "keep nothing: what is there is lost when the server stops")
	fs.StringVar(&c.DataDir, "data-dir", "./millrace-data", "`folder` that the server keeps its data in")
	fs.StringVar(&c.SQLListen, "sql-listen", "127.0.0.1:6875", "`host:port` for psql and drivers")
	fs.StringVar(&c.HTTPListen, "http-listen", "127.0.0.1:6874", "`host:port` for health, metrics and profiles")
	fs.StringVar(&c.HTTPOrigins, "http-origins", "", "`origins` of pages that may ask over HTTP beside the server's own, such as http://localhost:8000,…")
	fs.IntVar(&c.Workers, "workers", runtime.GOMAXPROCS(0), "workers of each dataflow")
	fs.StringVar(&c.MemoryLimit, "memory-limit", "75%", "memory to stay under: a `size` such as 4GiB, or a share of the machine's such as 75%")
	fs.StringVar(&c.LogFormat, "log-format", "auto", "text, json, or auto: text on a terminal, json otherwise")
	fs.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&c.FileSinks, "file-sinks", "", "the `folder` below which sinks may write files; nowhere unless it is given")
	fs.StringVar(&c.HostAliases, "host-aliases", "", "addresses to dial in place of others, as `host:port=host:port,…`: for names of a tutorial that are not yours")
	fs.StringVar(&c.FileSources, "file-sources", "", "`folders`, separated by commas, whose files CREATE SOURCE … FROM FILE may read; none when empty")
	fs.DurationVar(&c.TickEvery, "tick-interval", time.Second, "the longest time between two ticks")
	fs.DurationVar(&c.History, "retain-history", 10*time.Second, "how far back AS OF reaches")
	fs.StringVar(&c.LogSegment, "log-segment", "32MiB", "`size` of a file of the log, which is folded when it is full")
	fs.BoolVar(&c.LogCompress, "log-compress", false, "the data is compressed: less of the disk, more of the processor")
	fs.StringVar(&c.File, "config", "", "a TOML `file` with these names as keys")
}

// operand takes the argument that is no flag, which stands in front of the flags, behind or between them; it is empty when there is none.
func operand(fs *flag.FlagSet, args []string) (name string, flags []string) {
	if len(args) > 0 && (args[0] == "-" || !strings.HasPrefix(args[0], "-")) {
		return args[0], args[1:]
	}
	out := fs.Output()
	fs.SetOutput(io.Discard) // what is wrong is told when the flags are read
	err := fs.Parse(args)
	fs.SetOutput(out)
	if err != nil || fs.NArg() == 0 {
		return "", args
	}
	at := len(args) - fs.NArg()
	return args[at], slices.Concat(args[:at], args[at+1:])
}

// load fills what the command line left open from the environment and the file.
func load(fs *flag.FlagSet, c *config, args []string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(0)
		}
		return errUsage
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if file, ok := os.LookupEnv(envPrefix + "CONFIG"); ok && !given["config"] {
		c.File = file
	}
	fromFile, err := readFile(fs, c.File)
	if err != nil {
		return err
	}
	var failed error
	fs.VisitAll(func(f *flag.Flag) {
		if given[f.Name] || failed != nil {
			return
		}
		key := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, from := os.Getenv(key), key
		if value == "" {
			value, from = fromFile[f.Name], c.File
		}
		if value == "" {
			return
		}
		if err := fs.Set(f.Name, value); err != nil {
			failed = fmt.Errorf("%s in %s: %w", f.Name, from, err)
		}
	})
	return failed
}

// readFile reads a configuration file; a key that is no flag is an error that names the nearest.
func readFile(fs *flag.FlagSet, path string) (map[string]string, error) {
	out := map[string]string{}
	if path == "" {
		return out, nil
	}
	var keys map[string]any
	if _, err := toml.DecodeFile(path, &keys); err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	for k, v := range keys {
		name := strings.ReplaceAll(k, "_", "-")
		if fs.Lookup(name) == nil {
			return nil, fmt.Errorf("configuration %s: unknown key %q; the keys are the names of the flags", path, k)
		}
		out[name] = fmt.Sprint(v)
	}
	return out, nil
}

// origins are the origins of pages that may ask over HTTP.
func (c *config) origins() []string {
	return strings.FieldsFunc(c.HTTPOrigins, func(r rune) bool { return r == ',' || r == ' ' })
}

// fileSources are the folders whose files sources may read, from the root of the file system on.
func (c *config) fileSources() ([]string, error) {
	var out []string
	for _, dir := range strings.FieldsFunc(c.FileSources, func(r rune) bool { return r == ',' }) {
		full, err := filepath.Abs(strings.TrimSpace(dir))
		if err != nil {
			return nil, fmt.Errorf("file sources %q: %w", dir, err)
		}
		if info, err := os.Stat(full); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("file sources %q: it is not a folder", dir)
		}
		out = append(out, full)
	}
	return out, nil
}

func (c *config) aliases() (map[string]string, error) { return dial.ParseAliases(c.HostAliases) }

// memoryBytes is the memory limit in bytes.
func (c *config) memoryBytes() (int64, error) {
	n, err := c.memoryAsked()
	if err == nil && n < leastMemory {
		err = fmt.Errorf("memory limit %q: that are %d bytes, and a server needs 32MiB at least; write a size such as 4GiB, or a share such as 75%%", c.MemoryLimit, n)
	}
	return n, err
}

// leastMemory is the smallest limit that is taken for what was meant: a number without a unit is bytes.
const leastMemory = 32 << 20

func (c *config) memoryAsked() (int64, error) {
	s := strings.TrimSpace(c.MemoryLimit)
	if share, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.ParseFloat(share, 64)
		if err != nil || n <= 0 || n > 100 {
			return 0, fmt.Errorf("memory limit %q: a share is between 0%% and 100%%", s)
		}
		total, err := machineMemory()
		return int64(float64(total) * n / 100), err
	}
	n, ok := parseBytes(s)
	if !ok {
		return 0, fmt.Errorf("memory limit %q: write a size such as 4GiB, or a share such as 75%%", s)
	}
	return n, nil
}

// parseBytes reads a size.
func parseBytes(s string) (int64, bool) {
	units := []struct {
		suffix string
		factor int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1000}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}
	for _, u := range units {
		if num, ok := strings.CutSuffix(s, u.suffix); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
			if err != nil || n <= 0 {
				break
			}
			return int64(n * float64(u.factor)), true
		}
	}
	return 0, false
}

// machineMemory is what the control group allows, or else what the machine has.
func machineMemory() (int64, error) {
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 && n < 1<<50 {
			return n, nil
		}
	}
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read how much memory there is: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "MemTotal:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("how much memory there is cannot be read; give --memory-limit a size")
}
