package e2e

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// staying is an examples/run that waits.
type staying struct {
	cmd *exec.Cmd
	env []string // what it says to export
	log syncBuffer
}

// stay starts examples/run --stay beside the other servers, and returns when it has said what to export.
func stay(t *testing.T, name string) *staying {
	t.Helper()
	s := &staying{cmd: exec.Command("../../examples/run", "--stay", "--sql-listen", freeAddress(t), "--http-listen", freeAddress(t), name)}
	s.cmd.Env = append(os.Environ(), "STACK_BASE_PORT="+strconv.Itoa(portBeside(t)), "STACK_HOME="+t.TempDir())
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it has ended, unless the test failed; its servers go with it
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			s.env = append(s.env, v)
		}
		if strings.HasPrefix(lines.Text(), "Blocks of SQL") {
			return s
		}
	}
	t.Fatalf("it ended before it was ready: %v\n%s", s.cmd.Wait(), s.log.String())
	return nil
}

// portBeside is a base port beside that of the other servers.
func portBeside(t *testing.T) int {
	t.Helper()
	_, text, err := net.SplitHostPort(fetched(t).KafkaAddr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port + 50
}

// TestExampleStays: what examples/run --stay says to export is all that the blocks of a README need, and ctrl-C ends it in order.
func TestExampleStays(t *testing.T) {
	need(t)
	s := stay(t, "clickstream")
	const blocks = `examples/tool write imply-news < examples/clickstream/records.json
psql -X -q -v ON_ERROR_STOP=1 "$MILLRACE" <<END
CREATE SOURCE raw FROM KAFKA BROKER 'kafka:9092' TOPIC 'imply-news' KEY FORMAT TEXT VALUE FORMAT TEXT INCLUDE KEY AS sid_key ENVELOPE NONE;
END
until [ "$(psql -X -A -t "$MILLRACE" -c 'SELECT count(*) FROM raw')" = 5 ]; do :; done
curl -sf "http://$MILLRACE_HTTP_LISTEN/readyz" > "$SCRATCH/ready"`
	cmd := exec.CommandContext(t.Context(), "timeout", "60", "bash", "-euc", blocks)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v\n%s", err, s.log.String())
		}
	case <-time.After(time.Minute):
		t.Fatalf("it does not end\n%s", s.log.String())
	}
}
