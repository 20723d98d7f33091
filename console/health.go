package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// liveWait is how long the server may take to show that it does its work.
const liveWait = 5 * time.Second

func (c *console) livez(w http.ResponseWriter, q *http.Request) {
	if c.opts.Live != nil {
		ctx, cancel := context.WithTimeout(q.Context(), liveWait)
		defer cancel()
		if err := c.opts.Live(ctx); err != nil {
			plain(w, http.StatusServiceUnavailable, fmt.Sprintf("not alive: %v\n", err))
			return
		}
	}
	plain(w, http.StatusOK, "ok\n")
}

func (c *console) readyz(w http.ResponseWriter, q *http.Request) {
	r := c.opts.Readiness()
	ok, waiting := r.ready()
	var b strings.Builder
	writeObjects(&b, r, q.URL.Query().Has("verbose"))
	switch {
	case ok:
		b.WriteString("ok\n")
	case !r.Serving:
		b.WriteString("not ready: the catalog is not loaded\n")
	default:
		fmt.Fprintf(&b, "not ready: %d of %d objects\n", waiting, len(r.Objects))
	}
	status := http.StatusOK
	if !ok {
		status = http.StatusServiceUnavailable
	}
	plain(w, status, b.String())
}

// writeObjects writes a line for each object that is not ready, [-], and with all for those that are, [+].
func writeObjects(b *strings.Builder, r Readiness, all bool) {
	for _, o := range r.Objects {
		if o.Ready && !all {
			continue
		}
		mark := "[-]"
		if o.Ready {
			mark = "[+]"
		}
		line := mark + o.Kind + " " + o.Name
		if o.Detail != "" {
			line += ": " + o.Detail
		}
		b.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n")
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a caller that has gone is not our concern
}
