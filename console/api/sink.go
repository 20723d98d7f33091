package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"millrace/repr"
)

// httpStream is the answer to a request that does not end.
type httpStream struct {
	s  *Server
	w  *bufio.Writer
	rc *http.ResponseController
}

func newHTTPStream(s *Server, w http.ResponseWriter) *httpStream {
	return &httpStream{s: s, w: bufio.NewWriterSize(&timedWriter{s: s, w: w, rc: http.NewResponseController(w)}, 16<<10), rc: http.NewResponseController(w)}
}

// timedWriter gives each write a deadline.
type timedWriter struct {
	s  *Server
	w  http.ResponseWriter
	rc *http.ResponseController
}

// Write sends bytes, or fails when the client takes none for too long.
func (t *timedWriter) Write(b []byte) (int, error) {
	_ = t.rc.SetWriteDeadline(t.s.clock.Now().Add(t.s.opts.WriteTimeout)) // a recorder has none
	return t.w.Write(b)
}

func (h *httpStream) write(b []byte) bool {
	_, err := h.w.Write(b)
	return err == nil
}

func (h *httpStream) flush() bool { return h.w.Flush() == nil && h.rc.Flush() == nil }

// socket sends each line as a message.
type socket struct {
	s    *Server
	ctx  context.Context //nolint:containedctx // it is that of the request, in the form of a sink
	conn *websocket.Conn
}

func (k *socket) write(b []byte) bool {
	for line := range bytes.Lines(b) {
		ctx, cancel := context.WithTimeout(k.ctx, k.s.opts.WriteTimeout)
		err := k.conn.Write(ctx, websocket.MessageText, bytes.TrimSuffix(line, []byte("\n")))
		cancel()
		if err != nil {
			return false
		}
	}
	return true
}

func (k *socket) flush() bool { return true } // each message is sent at once

// mostMessage is how many bytes a message of a client may have.
const mostMessage = 4 << 10

// closePatience is how long the end of a WebSocket may take.
const closePatience = time.Second

// webSocket follows a stream over a WebSocket. Who may ask was checked before.
func (s *Server) webSocket(w http.ResponseWriter, q *http.Request, o *opened) {
	conn, err := websocket.Accept(w, q, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the origin was checked, by our own rule
	if err != nil {
		return // the client was told
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(mostMessage)
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		defer cancel()
		s.listen(ctx, conn, o)
	}()
	s.follow(ctx, o, objects(o.cols), &socket{s: s, ctx: q.Context(), conn: conn})
	cancel()
	_ = conn.CloseNow()
	<-heard
}

// listen takes what the client acknowledges: {"acknowledge": "<id>"}. It ends with the connection.
func (s *Server) listen(ctx context.Context, conn *websocket.Conn, o *opened) {
	session, err := s.session(nil)
	if err != nil {
		return
	}
	defer session.Close()
	own := &opened{session: session, named: o.named}
	for {
		_, body, e := conn.Read(ctx)
		if e != nil {
			return
		}
		if err := own.hear(ctx, body); err != nil {
			told, cancel := context.WithTimeout(ctx, closePatience)
			_ = conn.Write(told, websocket.MessageText, appendJSON(nil, &notice{Event: "error", Error: errorOf(err)})) // it ends anyway
			cancel()
			_ = conn.Close(websocket.StatusPolicyViolation, err.Code)
			return
		}
	}
}

// hear takes a message of a client.
func (o *opened) hear(ctx context.Context, body []byte) *repr.Error {
	var m struct {
		Acknowledge string `json:"acknowledge"`
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Acknowledge == "" {
		return repr.NewError(repr.CodeProtocolViolation, "a message has to be {\"acknowledge\": \"<id>\"}")
	}
	if o.named == "" {
		return repr.NewError(repr.CodeWrongObjectType, "only a subscription takes acknowledgements, not a view")
	}
	at, err := strconv.ParseUint(m.Acknowledge, 10, 62)
	if err != nil {
		return repr.NewError(repr.CodeInvalidParameter, "\""+m.Acknowledge+"\" is not the id of an event")
	}
	return o.acknowledge(ctx, repr.Time(at))
}
