package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metric is one metric of ours.
type metric struct {
	name   string
	kind   prometheus.ValueType
	labels []string
	help   string
}

// metrics is every metric whose value a Sampler gives. docs/metrics.md is made of it.
var metrics = []metric{
	{"millrace_source_records_total", prometheus.CounterValue, []string{"source", "result"},
		"Records read from a source: result ok went into the collection, bad could not be decoded."},
	{"millrace_source_errors", prometheus.GaugeValue, []string{"source"},
		"Rows of the relation that keeps the bad records of a source."},
	{"millrace_source_errors_dropped_total", prometheus.CounterValue, []string{"source"},
		"Bad records that the relation keeps no more, for there was no room or they were too old."},
	{"millrace_source_dead_letters_total", prometheus.CounterValue, []string{"source"},
		"Bad records written to the topic of dead letters."},
	{"millrace_source_offset", prometheus.GaugeValue, []string{"source", "partition"},
		"The next offset of a partition to be read."},
	{"millrace_source_high_watermark", prometheus.GaugeValue, []string{"source", "partition"},
		"The offset behind the last record of a partition, as the broker last said."},
	{"millrace_source_lag_seconds", prometheus.GaugeValue, []string{"source"},
		"How long ago the newest record that was read was written, or 0 when all were read. Of PostgreSQL, since when its log is not read to its end."},
	{"millrace_source_log_lag_bytes", prometheus.GaugeValue, []string{"source"},
		"Bytes of the log of a PostgreSQL that were not read."},
	{"millrace_source_log_retained_bytes", prometheus.GaugeValue, []string{"source"},
		"Bytes of its log that a PostgreSQL keeps for the replication slot of a source."},
	{"millrace_source_open_bytes", prometheus.GaugeValue, []string{"source", "place"},
		"Bytes of transactions that are open on a PostgreSQL, packed, by where they are: memory or disk."},
	{"millrace_view_records", prometheus.GaugeValue, []string{"view"},
		"Rows of a materialized view."},
	{"millrace_view_lag_seconds", prometheus.GaugeValue, []string{"view"},
		"How far the newest time at which a view can be read is behind the clock."},
	{"millrace_arrangement_bytes", prometheus.GaugeValue, []string{"object", "operator"},
		"Memory of an arrangement."},
	{"millrace_operator_elapsed_seconds_total", prometheus.CounterValue, []string{"object", "operator"},
		"Time that an operator has worked, over all workers."},
	{"millrace_subscribe_clients", prometheus.GaugeValue, nil,
		"Clients that SUBSCRIBE or TAIL."},
	{"millrace_subscribe_held_bytes", prometheus.GaugeValue, nil,
		"Memory held for clients that have not yet fetched what they subscribed to."},
	{"millrace_sink_records_total", prometheus.CounterValue, []string{"sink"},
		"Records written by a sink in committed transactions, since it was made."},
}

// The metrics that are not sampled.
const (
	buildName   = "millrace_build_info"
	buildHelp   = "Always 1; the labels say which build runs."
	queriesName = "millrace_query_duration_seconds"
	queriesHelp = "How long statements took, from the whole statement to the last row ready to be sent."
)

// queryBuckets are the upper bounds of the histogram, in seconds.
var queryBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Sampler gives the values of the metrics. It calls emit once for each metric and combination of labels, the labels
// in the order of docs/metrics.md. It must not wait for long: a scrape does.
type Sampler interface {
	Samples(emit func(metric string, value float64, labels ...string))
}

// Metrics is what /metrics shows: samples, the durations of statements, the Go runtime and the process.
type Metrics struct {
	*prometheus.Registry
	queries prometheus.Histogram
}

// NewMetrics makes the metrics of a server. version and goVersion say which build runs; sampler may be nil.
func NewMetrics(version, goVersion string, sampler Sampler) *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		queries:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: queriesName, Help: queriesHelp, Buckets: queryBuckets}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: buildName, Help: buildHelp,
		ConstLabels: prometheus.Labels{"version": version, "go_version": goVersion}})
	build.Set(1)
	m.MustRegister(build, m.queries, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if sampler != nil {
		m.MustRegister(newSampled(sampler))
	}
	return m
}

// ObserveQuery counts a statement that took d.
func (m *Metrics) ObserveQuery(d time.Duration) { m.queries.Observe(d.Seconds()) }

// sampled collects the metrics of a Sampler.
type sampled struct {
	sampler Sampler
	known   map[string]described
}

type described struct {
	metric
	desc *prometheus.Desc
}

func newSampled(s Sampler) *sampled {
	c := &sampled{sampler: s, known: map[string]described{}}
	for _, m := range metrics {
		c.known[m.name] = described{m, prometheus.NewDesc(m.name, m.help, m.labels, nil)}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *sampled) Describe(out chan<- *prometheus.Desc) {
	for _, m := range metrics {
		out <- c.known[m.name].desc
	}
}

// Collect implements prometheus.Collector. A sample that the table does not know makes the scrape say so.
func (c *sampled) Collect(out chan<- prometheus.Metric) {
	c.sampler.Samples(func(name string, value float64, labels ...string) {
		m, ok := c.known[name]
		if !ok {
			err := fmt.Errorf("no metric is called %q", name)
			out <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
			return
		}
		sample, err := prometheus.NewConstMetric(m.desc, m.kind, value, labels...)
		if err != nil {
			sample = prometheus.NewInvalidMetric(m.desc, fmt.Errorf("sample %s: %w", name, err))
		}
		out <- sample
	})
}

// MetricsDocument is docs/metrics.md.
func MetricsDocument() string {
	rows := []string{
		documented(buildName, "gauge", []string{"version", "go_version"}, buildHelp),
		documented(queriesName, "histogram", nil, queriesHelp),
	}
	for _, m := range metrics {
		kind := "gauge"
		if m.kind == prometheus.CounterValue {
			kind = "counter"
		}
		rows = append(rows, documented(m.name, kind, m.labels, m.help))
	}
	slices.Sort(rows)
	return documentHead + strings.Join(rows, "") + documentFoot
}

const documentHead = `# Metrics

<!-- Generated from console/metrics.go by "GOLDEN=update go test ./console"; do not edit. -->

The server shows these at ` + "`/metrics`" + ` on its HTTP port, in Prometheus's text form. Labels are names of objects, never values
of their data. Counters begin at 0 when the server starts.

| metric | type | labels | meaning |
|---|---|---|---|
`

const documentFoot = `
The metrics of the Go runtime (` + "`go_*`" + `) and of the process (` + "`process_*`" + `) are there too, as Prometheus's client library names them.
`

func documented(name, kind string, labels []string, help string) string {
	list := make([]string, len(labels))
	for i, l := range labels {
		list[i] = "`" + l + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, strings.Join(list, ", "), help)
}
