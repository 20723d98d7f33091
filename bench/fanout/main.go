// Command fanout measures many readers of one view: so many connections subscribe to it, a view of one key changes so many times a
// second, and each reader notes how long after the INSERT a change has come. It prints percentiles over all changes of all readers, what
// of a processor the server took, and what memory a reader costs.
//
//	go run ./bench/fanout [-binary bin/millrace] [-readers 1000] [-rate 1000] [-seconds 20] [-http]
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"millrace/bench/server"
)

type options struct {
	binary  string
	readers int
	rate    int
	seconds int
	http    bool
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/millrace", "the server")
	flag.IntVar(&o.readers, "readers", 1000, "connections that subscribe")
	flag.IntVar(&o.rate, "rate", 1000, "updates a second, each of one row")
	flag.IntVar(&o.seconds, "seconds", 20, "how long")
	flag.BoolVar(&o.http, "http", false, "subscribe over HTTP, as server-sent events")
	flag.Parse()
	if err := measure(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, o options) (err error) {
	s, err := server.Start(ctx, o.binary, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	for _, text := range []string{"CREATE TABLE events (at bigint, k int)", "CREATE MATERIALIZED VIEW latest AS SELECT k, max(at) AS at FROM events GROUP BY k"} {
		if _, err := s.DB.Exec(ctx, text); err != nil {
			return err
		}
	}
	before, err := server.Memory(s.PID())
	if err != nil {
		return err
	}
	counts := make([]*reader, o.readers)
	var wait sync.WaitGroup
	for i := range counts {
		r := &reader{}
		counts[i] = r
		if err := r.open(o, s); err != nil {
			return fmt.Errorf("reader %d: %w", i, err)
		}
		wait.Go(r.read)
	}
	time.Sleep(time.Second)
	idle, err := server.Memory(s.PID())
	if err != nil {
		return err
	}
	cpu, err := server.Processor(s.PID())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := load(ctx, s, o); err != nil {
		return err
	}
	took := time.Since(began)
	used, err := server.Processor(s.PID())
	if err != nil {
		return err
	}
	loaded, err := server.Memory(s.PID())
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	for _, r := range counts {
		_ = r.conn.Close()
	}
	wait.Wait()
	report(o, counts, took, used-cpu)
	fmt.Printf("MILLRACE fanout memory_mib=%d idle_kib_per_reader=%d loaded_kib_per_reader=%d\n", loaded>>20, (idle-before)>>10/int64(o.readers), (loaded-before)>>10/int64(o.readers))
	return nil
}

func report(o options, readers []*reader, took, used time.Duration) {
	var total [buckets]int64
	changes, worst := int64(0), int64(0)
	least := int64(1 << 62)
	for _, r := range readers {
		n := int64(0)
		for i, c := range r.waits {
			total[i] += c
			n += c
		}
		changes += n
		least = min(least, n)
		worst = max(worst, r.worst.Load())
	}
	fmt.Printf("MILLRACE fanout http=%t readers=%d rate=%d seconds=%.1f changes_per_s=%.0f least_of_a_reader=%d p50_ms=%d p99_ms=%d worst_ms=%d cpu_share=%.2f\n",
		o.http, o.readers, o.rate, took.Seconds(), float64(changes)/took.Seconds(), least, percentile(&total, changes, 50), percentile(&total, changes, 99),
		worst, used.Seconds()/took.Seconds())
}

// buckets are how many milliseconds a reader tells apart; what waits longer is in the last.
const buckets = 10_000

func percentile(waits *[buckets]int64, n int64, p int64) int {
	sum := int64(0)
	for i, c := range waits {
		if sum += c; sum*100 >= n*p {
			return i
		}
	}
	return buckets
}

// reader is a connection that subscribes. It counts the new rows that come, by how long they took.
type reader struct {
	conn  net.Conn
	in    *bufio.Reader
	http  bool
	waits [buckets]int64
	worst atomic.Int64
}

func (r *reader) open(o options, s *server.Server) (err error) {
	r.http = o.http
	addr := s.SQL
	if o.http {
		addr = s.Web
	}
	if r.conn, err = net.Dial("tcp", addr); err != nil {
		return err
	}
	r.in = bufio.NewReaderSize(r.conn, 64<<10)
	if o.http {
		_, err = fmt.Fprintf(r.conn, "GET /api/subscribe?view=latest HTTP/1.1\r\nHost: %s\r\n\r\n", addr)
		return err
	}
	start := binary.BigEndian.AppendUint32(nil, 3<<16)
	start = append(start, "user\x00materialize\x00database\x00materialize\x00\x00"...)
	query := append([]byte("SUBSCRIBE latest"), 0)
	out := binary.BigEndian.AppendUint32(nil, uint32(len(start)+4))
	out = append(out, start...)
	out = append(out, 'Q')
	out = binary.BigEndian.AppendUint32(out, uint32(len(query)+4))
	_, err = r.conn.Write(append(out, query...))
	return err
}

// read reads until the connection is closed.
func (r *reader) read() {
	var err error
	for err == nil {
		if r.http {
			err = r.readLine()
		} else {
			err = r.readMessage()
		}
	}
}

// readMessage reads a message of PostgreSQL's protocol. A row has the time, the diff, the key, and when it was sent.
func (r *reader) readMessage() error {
	head, err := r.in.Peek(5)
	if err != nil {
		return err
	}
	kind, n := head[0], int(binary.BigEndian.Uint32(head[1:5]))+1
	if kind != 'D' || n > 64<<10 {
		_, err = r.in.Discard(n)
		return err
	}
	body, err := r.in.Peek(n)
	if err != nil {
		return err
	}
	var fields [4][]byte
	rest := body[7:]
	for i := range fields {
		size := int(int32(binary.BigEndian.Uint32(rest)))
		if rest = rest[4:]; size > 0 {
			fields[i], rest = rest[:size], rest[size:]
		}
	}
	if len(fields[1]) > 0 && fields[1][0] != '-' {
		r.note(fields[3])
	}
	_, err = r.in.Discard(n)
	return err
}

// readLine reads a line of an event.
func (r *reader) readLine() error {
	line, err := r.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("data: ")) {
		return nil
	}
	for {
		_, rest, found := bytes.Cut(line, []byte(`{"diff":1,"row":`))
		if !found {
			return nil
		}
		_, rest, _ = bytes.Cut(rest, []byte(`"at":`))
		end := bytes.IndexByte(rest, '}')
		if end < 0 {
			return nil
		}
		r.note(rest[:end])
		line = rest
	}
}

func (r *reader) note(sent []byte) {
	micros, err := strconv.ParseInt(string(sent), 10, 64)
	if err != nil {
		return
	}
	ms := max((time.Now().UnixMicro()-micros)/1000, 0)
	r.waits[min(ms, buckets-1)]++
	r.worst.Store(max(r.worst.Load(), ms))
}
