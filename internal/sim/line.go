package sim

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// Line carries the bytes of TCP connections to a target, as a network does: until it is cut, stalls, or loses one direction.
// What it is told holds for the connections that are open, and for new ones until it is mended.
type Line struct {
	target string
	listen net.Listener
	wait   sync.WaitGroup

	mu    sync.Mutex // guards all below
	flow  *sync.Cond // something changed
	state lineState
	open  map[*wire]bool
	tap   func(sent []byte) (drop bool)
	ended bool
}

type lineState int

const (
	lineUp lineState = iota
	lineCut
	lineStalled
	lineMute // what the target answers is lost
)

// wire is a connection that is carried.
type wire struct{ client, server net.Conn }

func (w *wire) close() {
	_ = w.client.Close()
	_ = w.server.Close()
}

// NewLine makes a line to a target, which need not listen yet.
func NewLine(target string) (*Line, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a line to %s: %w", target, err)
	}
	l := &Line{target: target, listen: ln, open: map[*wire]bool{}}
	l.flow = sync.NewCond(&l.mu)
	l.wait.Go(l.accept)
	return l, nil
}

// Addr is the near end.
func (l *Line) Addr() string { return l.listen.Addr().String() }

// Tap lets f see what clients send, piece by piece as it comes; a piece that f drops ends its connection.
func (l *Line) Tap(f func(sent []byte) (drop bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tap = f
}

// Cut ends all connections, and new ones at once.
func (l *Line) Cut() { l.set(lineCut, true) }

// Stall lets connections stand, and nothing pass.
func (l *Line) Stall() { l.set(lineStalled, false) }

// Mute lets pass what clients send, and loses every answer.
func (l *Line) Mute() { l.set(lineMute, false) }

// Mend lets all pass again. Connections that lost answers end, for what follows would not fit.
func (l *Line) Mend() {
	l.mu.Lock()
	lost := l.state == lineMute
	l.mu.Unlock()
	l.set(lineUp, lost)
}

// Drop ends the connections that are open; new ones are carried.
func (l *Line) Drop() { l.set(lineUp, true) }

// Close ends the line, and returns when nothing of it runs.
func (l *Line) Close() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	_ = l.listen.Close() // nobody dials any more
	l.set(lineCut, true)
	l.wait.Wait()
}

func (l *Line) set(state lineState, hangUp bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = state
	if hangUp {
		for w := range l.open {
			w.close()
		}
	}
	l.flow.Broadcast()
}

func (l *Line) accept() {
	for {
		client, err := l.listen.Accept()
		if err != nil {
			return
		}
		l.wait.Go(func() { l.carry(client) })
	}
}

// carry serves one connection.
func (l *Line) carry(client net.Conn) {
	w := &wire{client: client}
	if !l.passes() {
		_ = client.Close()
		return
	}
	var err error
	if w.server, err = net.Dial("tcp", l.target); err != nil {
		_ = client.Close()
		return
	}
	l.mu.Lock()
	l.open[w] = true
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pump(w, w.server, w.client, true) })
	both.Go(func() { l.pump(w, w.client, w.server, false) })
	both.Wait()
	l.mu.Lock()
	delete(l.open, w)
	l.mu.Unlock()
}

// passes waits while the line is stalled, and says whether anything can pass.
func (l *Line) passes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.state == lineStalled {
		l.flow.Wait()
	}
	return l.state != lineCut && !l.ended
}

// pump carries one direction until either side ends.
func (l *Line) pump(w *wire, to io.Writer, from io.Reader, sent bool) {
	defer w.close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !l.pass(to, buf[:n], sent) || err != nil {
			return
		}
	}
}

func (l *Line) pass(to io.Writer, b []byte, sent bool) bool {
	if !l.passes() {
		return false
	}
	l.mu.Lock()
	tap, lost := l.tap, l.state == lineMute && !sent
	l.mu.Unlock()
	if lost {
		return true
	}
	if sent && tap != nil && tap(b) {
		return false
	}
	_, err := to.Write(b)
	return err == nil
}
