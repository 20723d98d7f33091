package sim

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	return ln.Addr().String()
}

// TestLine: bytes pass, stall, are lost and pass again; a cut ends connections, and refuses new ones until it is mended.
func TestLine(t *testing.T) {
	t.Parallel()
	l, err := NewLine(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	ask := func(c net.Conn, limit time.Duration) error {
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return err
	}
	expect := func(what string, c net.Conn, want error) {
		t.Helper()
		limit := 10 * time.Second
		if want == os.ErrDeadlineExceeded {
			limit = 50 * time.Millisecond
		}
		got := ask(c, limit)
		if want == nil && got != nil || want != nil && got == nil || want == os.ErrDeadlineExceeded && !errors.Is(got, want) {
			t.Fatalf("%s: got %v, want %v", what, got, want)
		}
	}
	c := dial()
	expect("up", c, nil)
	l.Stall()
	expect("stalled", c, os.ErrDeadlineExceeded)
	l.Mend()
	if _, err := io.ReadFull(c, make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) { // the deadline is over, the byte is not lost
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatalf("what stalled is lost: %v", err)
	}
	expect("mended", c, nil)
	l.Mute()
	expect("mute", c, os.ErrDeadlineExceeded)
	l.Mend()
	expect("after lost answers", c, io.EOF)
	l.Cut()
	expect("cut", dial(), io.EOF)
	l.Mend()
	c = dial()
	expect("mended after a cut", c, nil)
	l.Tap(func(sent []byte) bool { return string(sent) == "x" })
	expect("dropped", c, io.EOF)
}
