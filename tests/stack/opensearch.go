package stack

import (
	"context"
	_ "embed" // the class that starts the node
	"fmt"
	"os"
	"path/filepath"
)

// searchNode starts a node; java compiles it as it runs it.
//
//go:embed node/Node.java
var searchNode []byte

func (s *Stack) startOpenSearch(context.Context) error {
	dir := s.cfg.path("opensearch")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	class := filepath.Join(dir, "Node.java")
	if err := os.WriteFile(class, searchNode, 0o644); err != nil {
		return fmt.Errorf("write class: %w", err)
	}
	return s.spawn(command{
		name: string(OpenSearch), dir: dir,
		args: java("384m", "-cp", filepath.Join(s.searchJars, "*"), class, filepath.Join(dir, "data"),
			s.cfg.port(searchPort), s.cfg.port(searchNodePort)),
	})
}

func (s *Stack) openSearchReady(ctx context.Context) error {
	return answers(ctx, s.OpenSearchURL+"/_cluster/health")
}
