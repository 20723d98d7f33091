package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func (s *Stack) connectSettings() string {
	const json = "org.apache.kafka.connect.json.JsonConverter"
	lines := []string{
		"bootstrap.servers=" + s.KafkaAddr,
		"listeners=" + s.ConnectURL,
		"rest.advertised.host.name=127.0.0.1",
		"group.id=stack",
		"key.converter=" + json,
		"value.converter=" + json,
		"offset.storage.partitions=1",
		"status.storage.partitions=1",
		"offset.flush.interval.ms=1000",
		"plugin.path=" + s.plugins,
		"plugin.discovery=service_load",
		"topic.creation.enable=true",
		"scheduled.rebalance.max.delay.ms=0",
	}
	for _, what := range []string{"config", "offset", "status"} {
		lines = append(lines, what+".storage.topic=_connect_"+what, what+".storage.replication.factor=1")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (s *Stack) startConnect(context.Context) error {
	settings := s.cfg.path("connect.properties")
	if err := os.WriteFile(settings, []byte(s.connectSettings()), 0o644); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	logging, err := s.writeLogSettings("connect")
	if err != nil {
		return err
	}
	return s.spawn(command{name: string(Connect), dir: s.cfg.Home, args: java("512m", logging,
		"-cp", filepath.Join(s.kafkaJars, "*"), "org.apache.kafka.connect.cli.ConnectDistributed", settings)})
}

func (s *Stack) connectReady(ctx context.Context) error {
	return answers(ctx, s.ConnectURL+"/connectors")
}

// AvroConverters is the part of a connector's settings that makes it write keys and values as Confluent does: a
// zero byte, the schema's id in four bytes, Avro.
func (s *Stack) AvroConverters() map[string]string {
	registry := strings.TrimSuffix(s.RegistryURL, "/apis/ccompat/v7") + "/apis/registry/v2"
	settings := make(map[string]string)
	for _, side := range []string{"key", "value"} {
		settings[side+".converter"] = "io.apicurio.registry.utils.converter.AvroConverter"
		prefix := side + ".converter.apicurio.registry."
		settings[prefix+"url"] = registry
		settings[prefix+"auto-register"] = "true"
		settings[prefix+"as-confluent"] = "true"
		settings[prefix+"use-id"] = "contentId"
		settings[prefix+"headers.enabled"] = "false"
	}
	return settings
}

// MariaDBConnector is the settings of a Debezium connector for the tables of one database, with Avro converters;
// topics are called prefix.database.table. The account is the one that GrantDebezium makes.
func (s *Stack) MariaDBConnector(prefix, database string, more map[string]string) map[string]string {
	host, port, _ := net.SplitHostPort(s.MariaDBAddr)
	id := fnv.New32a()
	_, _ = id.Write([]byte(prefix)) // a hash does not fail
	settings := map[string]string{
		"connector.class":       "io.debezium.connector.mariadb.MariaDbConnector",
		"tasks.max":             "1",
		"topic.prefix":          prefix,
		"database.hostname":     host,
		"database.port":         port,
		"database.user":         "debezium",
		"database.password":     "debezium",
		"database.server.id":    strconv.Itoa(5000 + int(id.Sum32()%100000)),
		"database.include.list": database,
		"database.ssl.mode":     "disable",
		"schema.history.internal.kafka.bootstrap.servers": s.KafkaAddr,
		"schema.history.internal.kafka.topic":             "_history_" + prefix,
		"schema.name.adjustment.mode":                     "avro",
		"field.name.adjustment.mode":                      "avro",
		"topic.creation.default.replication.factor":       "1",
		"topic.creation.default.partitions":               "1",
		"poll.interval.ms":                                "100",
	}
	maps.Copy(settings, s.AvroConverters())
	maps.Copy(settings, more)
	return settings
}

// GrantDebezium makes the account that MariaDBConnector names.
func (s *Stack) GrantDebezium(ctx context.Context) error {
	_, err := s.MySQL(ctx, `CREATE USER IF NOT EXISTS 'debezium'@'%' IDENTIFIED BY 'debezium';
GRANT SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT, BINLOG MONITOR, LOCK TABLES ON *.* TO 'debezium'@'%';`)
	return err
}

// PutConnector creates a connector or changes its settings.
func (s *Stack) PutConnector(ctx context.Context, name string, settings map[string]string) error {
	body, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("encode settings of connector %s: %w", name, err)
	}
	_, err = s.askConnect(ctx, http.MethodPut, "/connectors/"+name+"/config", body)
	return err
}

// DeleteConnector removes a connector; its topics stay.
func (s *Stack) DeleteConnector(ctx context.Context, name string) error {
	_, err := s.askConnect(ctx, http.MethodDelete, "/connectors/"+name, nil)
	return err
}

// RestartConnector stops a connector with its tasks and starts them where they last stored their offsets.
func (s *Stack) RestartConnector(ctx context.Context, name string) error {
	_, err := s.askConnect(ctx, http.MethodPost, "/connectors/"+name+"/restart?includeTasks=true", nil)
	return err
}

// WaitConnector waits until a connector and all of its tasks run; one that failed is an error with its trace.
func (s *Stack) WaitConnector(ctx context.Context, name string) error {
	for {
		answer, err := s.askConnect(ctx, http.MethodGet, "/connectors/"+name+"/status", nil)
		if err != nil {
			return err
		}
		var status struct {
			Tasks []struct{ State, Trace string }
		}
		if err := json.Unmarshal(answer, &status); err != nil {
			return fmt.Errorf("decode status of connector %s: %w", name, err)
		}
		running := 0
		for _, task := range status.Tasks {
			switch task.State {
			case "RUNNING":
				running++
			case "FAILED":
				return fmt.Errorf("connector %s failed: %s", name, task.Trace)
			}
		}
		if running > 0 && running == len(status.Tasks) {
			return nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("wait for connector %s: %w", name, err)
		}
	}
}

// askConnect sends a request to the worker. While it rebalances it refuses for a moment, so that is asked again.
func (s *Stack) askConnect(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	for {
		code, answer, err := s.askOnce(ctx, method, path, body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		notYet := code == http.StatusNotFound && method == http.MethodGet // the status of a new connector
		switch {
		case code < 300:
			return answer, nil
		case !notYet && code != http.StatusConflict && code < 500:
			return nil, fmt.Errorf("%s %s: answer %d: %s", method, path, code, answer)
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return nil, fmt.Errorf("%s %s: still answer %d: %s: %w", method, path, code, answer, err)
		}
	}
}

func (s *Stack) askOnce(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.ConnectURL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
