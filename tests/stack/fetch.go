package stack

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed poms/*.xml
var poms embed.FS

//go:embed requirements.txt
var requirements string

const mavenPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:"

// debian maps a program that must be there to the package that brings it.
var debian = []struct{ program, pkg string }{
	{postgresBin + "/postgres", "postgresql-15"},
	{"/usr/bin/psql", "postgresql-client-15"},
	{"/usr/sbin/mariadbd", "mariadb-server"},
	{"/usr/bin/mariadb", "mariadb-client"},
	{"java", "openjdk-17-jre-headless"},
	{"javac", "openjdk-17-jdk-headless"},
	{"mvn", "maven"},
	{"python3", "python3-venv"},
}

// installPackages installs the Debian packages whose programs are missing.
func (s *Stack) installPackages(ctx context.Context) error {
	var missing []string
	for _, d := range debian {
		if _, err := exec.LookPath(d.program); err != nil {
			missing = append(missing, d.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("missing packages %s: install them, or run as root", strings.Join(missing, " "))
	}
	s.say("installing %s", strings.Join(missing, " "))
	began := time.Now()
	restore, err := forbidServiceStart()
	if err != nil {
		return err
	}
	_, err = run(ctx, "", "apt-get", "update", "-qq")
	if err == nil {
		_, err = run(ctx, "", append([]string{
			"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300",
			"install", "-y", "-qq", "--no-install-recommends",
		}, missing...)...)
	}
	if err := errors.Join(err, restore()); err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(missing, " "), err)
	}
	s.say("installed %s in %s", strings.Join(missing, " "), took(began))
	return nil
}

// forbidServiceStart keeps Debian's packages from starting servers of their own when they are installed, until
// the function it returns is called.
func forbidServiceStart() (restore func() error, err error) {
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); err == nil {
		return func() error { return nil }, nil
	}
	if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return nil, fmt.Errorf("write service policy: %w", err)
	}
	return func() error { return os.Remove(policy) }, nil
}

// artifacts copies the jars of a pom, or unpacks the archives it names, into a folder of the cache.
func (s *Stack) artifacts(ctx context.Context, pom, goal string) (string, error) {
	recipe, err := poms.ReadFile("poms/" + pom + ".xml")
	if err != nil {
		return "", fmt.Errorf("read pom %s: %w", pom, err)
	}
	return s.cached(pom, recipe, func(dir string) error {
		file := dir + ".xml"
		if err := os.WriteFile(file, recipe, 0o644); err != nil {
			return fmt.Errorf("write pom: %w", err)
		}
		_, err := run(ctx, "", "mvn", "-q", "-B", "-Dmaven.repo.local="+filepath.Join(s.cfg.Cache, "m2"), "-f", file,
			mavenPlugin+goal, "-DincludeScope=runtime", "-DoutputDirectory="+dir)
		return errors.Join(err, os.Remove(file))
	})
}

// cached returns the folder of the cache that make fills according to recipe. The folder is made beside its
// final place and renamed when complete.
func (s *Stack) cached(name string, recipe []byte, fill func(dir string) error) (string, error) {
	sum := sha256.Sum256(recipe)
	dir := filepath.Join(s.cfg.Cache, name+"-"+hex.EncodeToString(sum[:4]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	s.say("fetching %s", name)
	began := time.Now()
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return "", fmt.Errorf("clear cache: %w", err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return "", fmt.Errorf("make cache: %w", err)
	}
	if err := fill(partial); err != nil {
		return "", fmt.Errorf("fetch %s: %w", name, err)
	}
	if err := os.Rename(partial, dir); err != nil {
		return "", fmt.Errorf("keep %s: %w", name, err)
	}
	s.say("fetched %s in %s", name, took(began))
	return dir, nil
}

// Fetch installs and fetches everything that the end-to-end tests need, and starts nothing.
func (s *Stack) Fetch(ctx context.Context) error {
	if err := s.fetch(ctx, usual()); err != nil {
		return err
	}
	if _, err := s.Python(ctx); err != nil {
		return err
	}
	_, err := s.JDBC(ctx)
	return err
}

// fetch brings everything that the services need into the cache.
func (s *Stack) fetch(ctx context.Context, services []Service) error {
	cache, err := acquire(ctx, filepath.Join(s.cfg.Cache, "lock"), func() { s.say("another run fills the cache, waiting for it") })
	if err != nil {
		return err
	}
	err = s.installPackages(ctx)
	if err == nil && (slices.Contains(services, Kafka) || slices.Contains(services, Connect)) {
		s.kafkaJars, err = s.artifacts(ctx, "kafka", "copy-dependencies")
	}
	if err == nil && slices.Contains(services, Registry) {
		s.registryDir, err = s.artifacts(ctx, "registry", "unpack-dependencies")
	}
	if err == nil && slices.Contains(services, OpenSearch) {
		s.searchJars, err = s.artifacts(ctx, "opensearch", "copy-dependencies")
	}
	if err == nil && slices.Contains(services, Connect) {
		s.plugins, err = s.fetchPlugins(ctx)
	}
	return errors.Join(err, cache.release())
}

// workerOwns are the jars that the Connect worker has itself: a plugin that brings others would clash.
var workerOwns = []string{"connect-", "kafka-clients-", "slf4j-api-", "lz4-", "snappy-", "zstd-"}

// fetchPlugins lays the connectors and the Avro converter side by side, a folder for each.
func (s *Stack) fetchPlugins(ctx context.Context) (string, error) {
	converter, err := s.artifacts(ctx, "converter", "copy-dependencies")
	if err != nil {
		return "", err
	}
	debezium, err := s.artifacts(ctx, "debezium", "unpack-dependencies")
	if err != nil {
		return "", err
	}
	return s.cached("plugins", []byte(converter+debezium), func(dir string) error {
		if err := os.CopyFS(dir, os.DirFS(debezium)); err != nil {
			return fmt.Errorf("copy connectors: %w", err)
		}
		avro := filepath.Join(dir, "avro-converter")
		if err := os.Mkdir(avro, 0o755); err != nil {
			return fmt.Errorf("make folder of converter: %w", err)
		}
		if err := copyJars(avro, converter); err != nil {
			return fmt.Errorf("copy converter: %w", err)
		}
		return writeManifest(filepath.Join(avro, "services.jar"))
	})
}

func copyJars(dst, src string) error {
	return fs.WalkDir(os.DirFS(src), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if slices.ContainsFunc(workerOwns, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			return nil
		}
		return os.Link(filepath.Join(src, path), filepath.Join(dst, path))
	})
}

// writeManifest writes the jar that tells the worker of the converter: its own jar does not, and without that
// the worker would have to scan every class of every plugin.
func writeManifest(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create manifest: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	jar := zip.NewWriter(file)
	entry, err := jar.Create("META-INF/services/org.apache.kafka.connect.storage.Converter")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if _, err := entry.Write([]byte("io.apicurio.registry.utils.converter.AvroConverter\n")); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return jar.Close()
}

// Python returns the interpreter of a virtual environment that holds the clients of requirements.txt.
func (s *Stack) Python(ctx context.Context) (string, error) {
	cache, err := acquire(ctx, filepath.Join(s.cfg.Cache, "lock"), func() { s.say("another run fills the cache, waiting for it") })
	if err != nil {
		return "", err
	}
	python, err := s.python(ctx)
	return python, errors.Join(err, cache.release())
}

// python makes the environment. It does not move once made, since its programs know their place: a file in it
// tells that it is complete.
func (s *Stack) python(ctx context.Context) (string, error) {
	if err := s.installPackages(ctx); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(requirements))
	dir := filepath.Join(s.cfg.Cache, "python-"+hex.EncodeToString(sum[:4]))
	python, complete := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return python, nil
	}
	s.say("fetching Python clients")
	began := time.Now()
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("clear Python environment: %w", err)
	}
	if _, err := run(ctx, "", "python3", "-m", "venv", dir); err != nil {
		return "", fmt.Errorf("make Python environment: %w", err)
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
		return "", fmt.Errorf("write requirements: %w", err)
	}
	if _, err := run(ctx, "", python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", list); err != nil {
		return "", fmt.Errorf("install Python clients: %w", err)
	}
	s.say("fetched Python clients in %s", took(began))
	return python, os.WriteFile(complete, nil, 0o644)
}

// JDBC returns the class path of the PostgreSQL JDBC driver.
func (s *Stack) JDBC(ctx context.Context) (string, error) { return s.classPath(ctx, "jdbc") }

// Flink returns the class path of Flink SQL with its connector for Kafka; it is fetched when it is asked for first.
func (s *Stack) Flink(ctx context.Context) (string, error) { return s.classPath(ctx, "flink") }

// classPath fetches the jars of a pom, which only the caller needs.
func (s *Stack) classPath(ctx context.Context, pom string) (string, error) {
	cache, err := acquire(ctx, filepath.Join(s.cfg.Cache, "lock"), func() { s.say("another run fills the cache, waiting for it") })
	if err != nil {
		return "", err
	}
	err = s.installPackages(ctx)
	var dir string
	if err == nil {
		dir, err = s.artifacts(ctx, pom, "copy-dependencies")
	}
	return filepath.Join(dir, "*"), errors.Join(err, cache.release())
}
