package walk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"millrace/internal/s3"
)

// Bucket is the bucket of the S3 server.
type Bucket struct {
	Server string // URL
}

// most is how many objects an example may leave.
const most = 100_000

// Fetch copies the objects below a prefix into a folder.
func (b Bucket) Fetch(ctx context.Context, prefix, folder string) error {
	return b.each(ctx, prefix, func(c *s3.Client, key string) error {
		body, err := c.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		to := filepath.Join(folder, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("make a folder: %w", err)
		}
		return os.WriteFile(to, body, 0o644)
	})
}

// Delete deletes the objects below a prefix.
func (b Bucket) Delete(ctx context.Context, prefix string) error {
	return b.each(ctx, prefix, func(c *s3.Client, key string) error { return c.Delete(ctx, key) })
}

func (b Bucket) each(ctx context.Context, prefix string, do func(c *s3.Client, key string) error) error {
	c, err := s3.New(s3.Options{Endpoint: b.Server, Bucket: "lake", AccessKey: "key", SecretKey: "secret"})
	if err != nil {
		return err
	}
	defer c.Close()
	keys, err := c.List(ctx, prefix+"/", most)
	if err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	for _, key := range keys {
		if err := do(c, key); err != nil {
			return err
		}
	}
	return nil
}
