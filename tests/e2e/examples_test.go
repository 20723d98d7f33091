package e2e

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"millrace/tests/walk"
)

// TestExamples runs every example in both dialects, as its README says it, and holds each block to the answer that stands behind it.
func TestExamples(t *testing.T) {
	need(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range walk.Examples {
		for _, dialect := range walk.Dialects {
			t.Run(e.Name+" "+dialect, func(t *testing.T) {
				r := real(t)
				running(t, e.Services...)
				var out strings.Builder
				place := &walk.Place{Root: root, Scratch: t.TempDir(), Registry: r.registryAddr, Stack: r.stack, Out: &out}
				t.Cleanup(func() {
					if err := place.Clean(context.Background(), e); err != nil {
						t.Error(err)
					}
				})
				s := serve(t, "--host-aliases", walk.Aliases(r.stack, r.registryAddr))
				place.SQL, place.HTTP = net.JoinHostPort(s.host, s.port), s.http
				if err := place.Run(t.Context(), e, dialect); err != nil {
					t.Errorf("%v\nup to there:\n%s", err, out.String())
				}
			})
		}
	}
}
