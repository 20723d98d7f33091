package stack

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// startStorage builds the server, which is a tool of this repository, and starts it.
func (s *Stack) startStorage(ctx context.Context) error {
	module, err := run(ctx, "", "go", "env", "GOMOD")
	if err != nil {
		return fmt.Errorf("find the repository: %w", err)
	}
	root, binary := filepath.Dir(strings.TrimSpace(module)), s.cfg.path("gofakes3")
	if _, err := run(ctx, "", "go", "-C", filepath.Join(root, "tools"), "build", "-o", binary, "github.com/johannesboyne/gofakes3/cmd/gofakes3"); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return s.spawn(command{
		name: string(Storage), dir: s.cfg.Home,
		args: []string{binary, "-backend", "memory", "-host", s.cfg.address(storagePort), "-initialbucket", "lake"},
	})
}

func (s *Stack) storageReady(context.Context) error {
	conn, err := net.DialTimeout("tcp", s.cfg.address(storagePort), time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}
