package console

import (
	"bytes"
	_ "embed" // the page
	"html/template"
	"net"
	"net/http"
)

var (
	//go:embed page.html
	pageText string
	//go:embed console.css
	styleText []byte

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// view is what the page shows.
type view struct {
	Version  string
	SQLHost  string
	SQLPort  string
	Serving  bool
	Waiting  int
	Objects  int
	Sections []section
	Holders  []line
	Held     string
	Limit    string // empty when there is none
	Live     bool   // the page is asked for again and again
	Loopback bool   // whether the caller may see profiles
}

func (c *console) page(w http.ResponseWriter, q *http.Request) {
	r := c.opts.Readiness()
	_, waiting := r.ready()
	v := view{Version: c.opts.Version, Serving: r.Serving, Waiting: waiting, Objects: len(r.Objects), Sections: sections(r.Objects),
		Live: q.URL.Query().Has("live"), Loopback: isLoopback(q.RemoteAddr)}
	holders, held := r.Memory.largest()
	v.Holders, v.Held = holders, sizeText(held)
	if r.Memory.Limit > 0 {
		v.Limit = sizeText(r.Memory.Limit)
	}
	if host, port, err := net.SplitHostPort(c.opts.SQLAddr); err == nil {
		v.SQLHost, v.SQLPort = host, port
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		c.opts.Log.Error("cannot write the page", "err", err)
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // a caller that has gone is not our concern
}

func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(styleText) // a caller that has gone is not our concern
}
