package walk

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topics writes and reads topics for the examples.
type Topics struct {
	Broker   string
	Registry string // URL
}

// line is a record as a line of JSON. A value that is null or missing deletes the key.
type line struct {
	Key     string            `json:"key"`
	Headers map[string]string `json:"headers"`
	Value   json.RawMessage   `json:"value"`
}

// Write writes lines of JSON to a topic: the values as they are, or as Avro of the schema in a file. A value that is a text in JSON is
// written as that text.
func (t Topics) Write(ctx context.Context, topic, schemaFile string, lines io.Reader) error {
	encode := plainValue
	if schemaFile != "" {
		var err error
		if encode, err = t.avroValue(ctx, topic, schemaFile); err != nil {
			return err
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(t.Broker), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", t.Broker, err)
	}
	defer client.Close()
	for d := json.NewDecoder(lines); ; {
		var l line
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a record for %s: %w", topic, err)
		}
		r := &kgo.Record{Topic: topic}
		if l.Key != "" {
			r.Key = []byte(l.Key)
		}
		for k, v := range l.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
		}
		if len(l.Value) > 0 && string(l.Value) != "null" {
			if r.Value, err = encode(l.Value); err != nil {
				return fmt.Errorf("encode %s for %s: %w", l.Value, topic, err)
			}
		}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return fmt.Errorf("write to %s: %w", topic, err)
		}
	}
}

func plainValue(value json.RawMessage) ([]byte, error) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return []byte(text), nil
	}
	return value, nil
}

// avroValue registers a schema for the values of a topic, and encodes as Confluent's serializers do.
func (t Topics) avroValue(ctx context.Context, topic, file string) (func(json.RawMessage) ([]byte, error), error) {
	schema, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", topic, err)
	}
	codec, err := goavro.NewCodecForStandardJSONFull(string(schema))
	if err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", topic, err)
	}
	var answer struct{ ID uint32 }
	if err := t.ask(ctx, "/subjects/"+topic+"-value/versions", map[string]string{"schema": string(schema)}, &answer); err != nil {
		return nil, err
	}
	return func(value json.RawMessage) ([]byte, error) {
		native, _, err := codec.NativeFromTextual(value)
		if err != nil {
			return nil, err
		}
		return codec.BinaryFromNative(binary.BigEndian.AppendUint32([]byte{0}, answer.ID), native)
	}, nil
}

// ask sends a request to the registry: with a body a POST, else a GET.
func (t Topics) ask(ctx context.Context, path string, body, answer any) error {
	method := http.MethodGet
	var text []byte
	if body != nil {
		method = http.MethodPost
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
	}
	return askJSON(ctx, request{method, t.Registry + path, "application/vnd.schemaregistry.v1+json", text}, answer)
}

// request is one over HTTP.
type request struct {
	method, url, kind string
	body              []byte
}

// askJSON asks and decodes the answer, unless nobody wants it.
func askJSON(ctx context.Context, r request, answer any) error {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.url, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", r.method, r.url, resp.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// Read prints what a topic holds for a reader of committed records: a line for each, with its key and its value.
func (t Topics) Read(ctx context.Context, topic string, out io.Writer) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.Broker), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", t.Broker, err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err = errors.Join(err, ends.Error()); err != nil {
		return fmt.Errorf("find the end of %s: %w", topic, err)
	}
	// The end may lie behind the mark of a transaction, which no reader sees: what stays quiet is at its end.
	for quiet := 0; quiet < 5; quiet++ {
		poll, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		fetches := client.PollFetches(poll)
		cancel()
		for _, r := range fetches.Records() {
			quiet = -1
			if _, err := fmt.Fprintf(out, "%s\t%s\n", t.shown(ctx, r.Key), t.shown(ctx, r.Value)); err != nil {
				return err
			}
		}
		if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("read %s: %w", topic, err)
		}
	}
	return ctx.Err()
}

// shown is a key or a value as text: what begins like Avro of a registry is decoded.
func (t Topics) shown(ctx context.Context, data []byte) string {
	if data == nil {
		return "null"
	}
	if len(data) < 5 || data[0] != 0 {
		return string(data)
	}
	text, err := t.decode(ctx, binary.BigEndian.Uint32(data[1:]), data[5:])
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// decode is Avro as JSON, with its fields by name, for the decoder has them in any order.
func (t Topics) decode(ctx context.Context, schema uint32, data []byte) ([]byte, error) {
	var answer struct{ Schema string }
	if err := t.ask(ctx, fmt.Sprintf("/schemas/ids/%d", schema), nil, &answer); err != nil {
		return nil, err
	}
	codec, err := goavro.NewCodecForStandardJSONFull(answer.Schema)
	if err != nil {
		return nil, err
	}
	native, _, err := codec.NativeFromBinary(data)
	if err != nil {
		return nil, err
	}
	text, err := codec.TextualFromNative(nil, native)
	if err != nil {
		return nil, err
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// Delete deletes topics, where they are, and returns when they are gone.
func (t Topics) Delete(ctx context.Context, names ...string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.Broker))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", t.Broker, err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	for {
		answers, err := adm.DeleteTopics(ctx, names...)
		if err != nil {
			return fmt.Errorf("delete %s: %w", strings.Join(names, ", "), err)
		}
		left := 0
		for _, a := range answers {
			if !errors.Is(a.Err, kerr.UnknownTopicOrPartition) {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
