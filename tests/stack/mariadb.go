package stack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

func (s *Stack) startMariaDB(ctx context.Context) error {
	dir := s.cfg.path("mariadb")
	if _, err := os.Stat(dir); err != nil {
		if err := made(dir, "mysql", func(dir string) error { return initMariaDB(ctx, dir) }); err != nil {
			return err
		}
	}
	return s.spawn(command{
		name: string(MariaDB), user: "mysql", dir: dir,
		args: []string{
			"/usr/sbin/mariadbd", "--no-defaults", "--datadir=" + dir, "--bind-address=127.0.0.1",
			"--port=" + s.cfg.port(mariadbPort), "--socket=" + filepath.Join(dir, "socket"),
			"--pid-file=" + filepath.Join(dir, "pid"), "--skip-log-error", "--skip-name-resolve",
			"--default-time-zone=+00:00",
			// What Debezium reads: every row in full, with the names and types of its columns.
			"--server-id=4711", "--log-bin=binlog", "--binlog-format=ROW", "--binlog-row-image=FULL",
			"--binlog-row-metadata=FULL", "--gtid-strict-mode=ON", "--expire-logs-days=1",
			// A test does not outlive a power cut.
			"--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0",
		},
	})
}

func initMariaDB(ctx context.Context, dir string) error {
	_, err := run(ctx, "mysql", "mariadb-install-db", "--no-defaults", "--datadir="+dir,
		"--auth-root-authentication-method=normal", "--skip-test-db")
	return err
}

func (s *Stack) mariadbReady(ctx context.Context) error {
	_, err := run(ctx, "", "mariadb-admin", "--no-defaults", "-h127.0.0.1", "-P"+s.cfg.port(mariadbPort), "-uroot", "ping")
	return err
}

// MySQL runs statements in the MariaDB server and returns what its client prints, without headings.
func (s *Stack) MySQL(ctx context.Context, text string) (string, error) {
	out, err := run(ctx, "", "mariadb", "--no-defaults", "-h127.0.0.1", "-P"+s.cfg.port(mariadbPort), "-uroot",
		"--batch", "--skip-column-names", "-e", text)
	return strings.TrimRight(out, "\n"), err
}
