package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"millrace/repr"
)

// webhookPath is what the requests of webhooks begin with.
const webhookPath = "/api/webhook/"

// webhookStatus is how an error is answered, by its SQLSTATE or by the class of that.
var webhookStatus = map[string]int{
	repr.CodeUndefinedTable: http.StatusNotFound, repr.CodeWrongObjectType: http.StatusNotFound, "3D000": http.StatusNotFound,
	repr.CodeInsufficientPrivilege: http.StatusForbidden,
	"22":                           http.StatusBadRequest, "53400": http.StatusTooManyRequests, "53": http.StatusServiceUnavailable,
	"55": http.StatusServiceUnavailable, "57": http.StatusServiceUnavailable, "58": http.StatusServiceUnavailable,
}

// webhook answers POST /api/webhook/DATABASE/SCHEMA/SOURCE: with 200 when the rows are durable.
func (s *Server) webhook(w http.ResponseWriter, q *http.Request) {
	to, err := s.coord.Webhook(q.Context(), q.PathValue("database"), q.PathValue("schema"), q.PathValue("name"))
	if err != nil {
		refuseWebhook(w, err)
		return
	}
	if coding := q.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		refuse(w, http.StatusUnsupportedMediaType, repr.NewError(repr.CodeFeatureNotSupported, "Content-Encoding "+coding+" is not supported yet"))
		return
	}
	body, e := io.ReadAll(http.MaxBytesReader(w, q.Body, mostBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(e, &large):
		refuse(w, http.StatusRequestEntityTooLarge, repr.NewError(repr.CodeProgramLimit, "the request is larger than 16 MiB").WithHint("send it in pieces"))
		return
	case e != nil:
		return // the client has gone
	}
	headers := make(map[string]string, len(q.Header))
	for name, values := range q.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	n, err := to.Take(q.Context(), headers, body)
	if err != nil {
		refuseWebhook(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]int{"rows": n}) // a client that has gone is not our concern
}

// refuseWebhook answers with an error, and says when to come again where that may help.
func refuseWebhook(w http.ResponseWriter, err *repr.Error) {
	status, ok := webhookStatus[err.Code]
	if !ok {
		status, ok = webhookStatus[err.Code[:2]]
	}
	if !ok {
		status = http.StatusInternalServerError
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	refuse(w, status, err)
}
