package console

import (
	"encoding/json"
	"net/http"
	"path/filepath"
)

// CommandHeader has to be there in requests that do something, with the name of what is done: no page of another site can
// make a browser send it.
const CommandHeader = "X-Millrace-Command"

// BackupAnswer is what a backup answers.
type BackupAnswer struct {
	Bytes int64  `json:"bytes"`
	Error string `json:"error,omitempty"`
}

// backup copies the data directory to a folder of this machine.
func (c *console) backup(w http.ResponseWriter, q *http.Request) {
	dir := q.URL.Query().Get("dir")
	switch {
	case q.Header.Get(CommandHeader) != "backup":
		answer(w, http.StatusForbidden, BackupAnswer{Error: "the header " + CommandHeader + ": backup is missing"})
		return
	case c.opts.Backup == nil:
		answer(w, http.StatusConflict, BackupAnswer{Error: "the server keeps nothing that could be copied"})
		return
	case !filepath.IsAbs(dir):
		answer(w, http.StatusBadRequest, BackupAnswer{Error: "dir has to be the whole path of a folder that is not there yet"})
		return
	}
	n, err := c.opts.Backup(dir)
	if err != nil {
		answer(w, http.StatusInternalServerError, BackupAnswer{Error: err.Error()})
		return
	}
	answer(w, http.StatusOK, BackupAnswer{Bytes: n})
}

func answer(w http.ResponseWriter, status int, a BackupAnswer) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // a caller that has gone is not our concern
}
