package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

func (s *Stack) startRegistry(context.Context) error {
	dir := s.cfg.path("registry")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	jars, err := filepath.Glob(filepath.Join(s.registryDir, "apicurio-registry-app-*-runner.jar"))
	if err != nil || len(jars) != 1 {
		return fmt.Errorf("find the registry's jar in %s: %d found", s.registryDir, len(jars))
	}
	return s.spawn(command{
		name: string(Registry), dir: dir,
		env: []string{"REGISTRY_DATASOURCE_URL=jdbc:h2:file:" + filepath.Join(dir, "db")},
		args: java("256m", "-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port="+s.cfg.port(registryPort),
			"-Dquarkus.log.level=WARN", "-Dquarkus.http.access-log.enabled=false",
			// Ids count content as Confluent's do, so that the id in a message is the id that this interface serves.
			"-Dregistry.ccompat.legacy-id-mode.enabled=false", "-jar", jars[0]),
	})
}

func (s *Stack) registryReady(ctx context.Context) error {
	return answers(ctx, s.RegistryURL+"/subjects")
}

// ServeRegistry serves the registry's Confluent-compatible interface from the root of a loopback port, where
// Confluent's registry has it, until stop is called. It returns the address as host:port.
func (s *Stack) ServeRegistry() (address string, stop func() error, err error) {
	target, err := url.Parse(s.RegistryURL)
	if err != nil {
		return "", nil, fmt.Errorf("parse registry address: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the registry: %w", err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	stop = func() error {
		err := server.Close()
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}
	return l.Addr().String(), stop, nil
}
