package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const postgresBin = "/usr/lib/postgresql/15/bin"

// postgresSettings allow logical replication, and trade safety that a test does not need for speed. Commits are
// synchronous all the same: without that, logical decoding lags by the writer's delay of 200 ms.
const postgresSettings = `
wal_level = logical
max_wal_senders = 40
max_replication_slots = 40
wal_sender_timeout = 0
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
shared_buffers = 64MB
max_connections = 120
timezone = 'UTC'
`

func (s *Stack) startPostgres(ctx context.Context) error {
	dir := s.cfg.path("postgres")
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err != nil {
		if err := made(dir, "postgres", func(dir string) error { return initPostgres(ctx, dir) }); err != nil {
			return err
		}
	}
	return s.spawn(command{
		name: string(Postgres), user: "postgres", dir: dir,
		args: []string{postgresBin + "/postgres", "-D", dir, "-p", s.cfg.port(postgresPort)},
	})
}

func initPostgres(ctx context.Context, dir string) error {
	if _, err := run(ctx, "postgres", postgresBin+"/initdb", "-D", dir, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open settings: %w", err)
	}
	if _, err := file.WriteString(postgresSettings); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return file.Close()
}

func (s *Stack) postgresReady(ctx context.Context) error { return s.postgresAnswers(ctx, postgresPort) }
func (s *Stack) standbyReady(ctx context.Context) error  { return s.postgresAnswers(ctx, standbyPort) }

func (s *Stack) postgresAnswers(ctx context.Context, port int) error {
	_, err := run(ctx, "", postgresBin+"/pg_isready", "-q", "-h", "127.0.0.1", "-p", s.cfg.port(port))
	return err
}

// startStandby starts a copy of the server that follows it.
func (s *Stack) startStandby(ctx context.Context) error {
	dir := s.cfg.path("standby")
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err != nil {
		err := made(dir, "postgres", func(dir string) error {
			_, err := run(ctx, "postgres", postgresBin+"/pg_basebackup", "-D", dir, "-h", "127.0.0.1", "-p", s.cfg.port(postgresPort),
				"-U", "postgres", "-R", "-c", "fast", "--no-sync")
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.spawn(command{
		name: string(Standby), user: "postgres", dir: dir,
		args: []string{postgresBin + "/postgres", "-D", dir, "-p", s.cfg.port(standbyPort)},
	})
}

// made has fill fill a folder of an account. The folder is there only when that has been done: another service that fails ends it
// half-way, and a server that is started on half a folder fails in stranger ways than one that is started on none.
func made(dir, account string, fill func(dir string) error) error {
	part := dir + ".part"
	if err := ownedFolder(part, account); err != nil {
		return err
	}
	if err := fill(part); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear %s: %w", dir, err)
	}
	return os.Rename(part, dir)
}

// ownedFolder makes an empty folder that only account may enter; when we are not root, account is us.
func ownedFolder(dir, account string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := ids(account)
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// SQL runs statements in the PostgreSQL server and returns what psql prints, unaligned and without headings.
func (s *Stack) SQL(ctx context.Context, database, text string) (string, error) {
	return s.sqlAt(ctx, postgresPort, database, text)
}

// StandbySQL runs statements in the server that follows it.
func (s *Stack) StandbySQL(ctx context.Context, database, text string) (string, error) {
	return s.sqlAt(ctx, standbyPort, database, text)
}

func (s *Stack) sqlAt(ctx context.Context, port int, database, text string) (string, error) {
	out, err := run(ctx, "", "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
		"-p", s.cfg.port(port), "-U", "postgres", "-d", database, "-c", text)
	return strings.TrimRight(out, "\n"), err
}
