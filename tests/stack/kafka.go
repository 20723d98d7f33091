package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// clusterID is any 16 bytes in URL-safe base64.
const clusterID = "bWlsbHJhY2VzdGFjazEyMw"

// javaFlags keep a server small and quick to start; none of them lives long enough to gain from more.
var javaFlags = []string{
	"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", "-Xshare:auto", "-Djava.net.preferIPv4Stack=true",
}

const logSettings = `
rootLogger.level = WARN
rootLogger.appenderRefs = console
rootLogger.appenderRef.console.ref = Console
appender.console.type = Console
appender.console.name = Console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
logger.debezium.name = io.debezium
logger.debezium.level = INFO
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = INFO
`

func java(heap string, args ...string) []string {
	return append(append([]string{"java", "-Xmx" + heap}, javaFlags...), args...)
}

// kafkaSettings make a broker that is its own controller, with internal topics no larger than one broker needs.
func (s *Stack) kafkaSettings(data string) string {
	controller := s.cfg.address(controllerPort)
	lines := []string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.voters=1@" + controller,
		"controller.listener.names=CONTROLLER",
		"listeners=PLAINTEXT://" + s.KafkaAddr + ",LOGIN://" + s.KafkaLoginAddr + ",SECURE://" + s.KafkaSecureAddr + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + s.KafkaAddr + ",LOGIN://" + s.KafkaLoginAddr + ",SECURE://" + s.KafkaSecureAddr,
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name=PLAINTEXT",
		"listener.name.login.sasl.enabled.mechanisms=PLAIN",
		`listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="xyz";`,
		"log.dirs=" + data,
		"num.partitions=1",
		"auto.create.topics.enable=true",
		"group.initial.rebalance.delay.ms=0",
		"log.cleaner.dedupe.buffer.size=16777216",
		"log.segment.bytes=67108864",
	}
	for _, topic := range []string{"offsets.topic", "transaction.state.log", "share.coordinator.state.topic"} {
		lines = append(lines, topic+".num.partitions=1", topic+".replication.factor=1")
	}
	lines = append(lines, "transaction.state.log.min.isr=1", "share.coordinator.state.topic.min.isr=1")
	return strings.Join(append(lines, s.secureSettings()...), "\n") + "\n"
}

func (s *Stack) startKafka(ctx context.Context) error {
	data, settings := s.cfg.path("kafka"), s.cfg.path("kafka.properties")
	if err := os.WriteFile(settings, []byte(s.kafkaSettings(data)), 0o644); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if err := s.writePapers(); err != nil {
		return err
	}
	logging, err := s.writeLogSettings("kafka")
	if err != nil {
		return err
	}
	classes := []string{logging, "-cp", filepath.Join(s.kafkaJars, "*")}
	if _, err := os.Stat(filepath.Join(data, "meta.properties")); err != nil {
		format := append(classes, "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", settings, "--add-scram", scramUser)
		if _, err := run(ctx, "", java("128m", format...)...); err != nil {
			return fmt.Errorf("format log folder: %w", err)
		}
	}
	return s.spawn(command{name: string(Kafka), dir: s.cfg.Home, args: java("256m", append(classes, "kafka.Kafka", settings)...)})
}

func (s *Stack) writeLogSettings(name string) (flag string, err error) {
	path := s.cfg.path(name + "-log.properties")
	if err := os.WriteFile(path, []byte(logSettings), 0o644); err != nil {
		return "", fmt.Errorf("write log settings: %w", err)
	}
	return "-Dlog4j2.configurationFile=" + path, nil
}

// kafkaReady waits for the broker's own word: its port opens long before it serves.
func (s *Stack) kafkaReady(context.Context) error {
	log, err := os.ReadFile(s.logPath(string(Kafka)))
	if err != nil {
		return err
	}
	if !strings.Contains(string(log), "Kafka Server started") {
		return errors.New("the broker has not said that it started")
	}
	conn, err := net.DialTimeout("tcp", s.KafkaAddr, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}
