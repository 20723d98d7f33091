package main

import (
	"context"
	"fmt"
	"time"

	"millrace/coord"
	"millrace/coord/catalog"
	"millrace/internal/clock"
)

// sampler gives the metrics their values.
type sampler struct{ c *coord.Coordinator }

// emitter takes one value of a metric.
type emitter = func(metric string, value float64, labels ...string)

// Samples emits one value for each metric and object.
func (s sampler) Samples(emit emitter) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	st, err := s.c.Status(ctx)
	if err != nil {
		return
	}
	now := clock.System{}.Now().UnixMilli()
	for _, it := range s.c.Catalog().Items() {
		if o, ok := st.Objects[it.ID]; ok {
			sampleObject(it, o, now, emit)
		}
	}
	var held int64
	for _, sub := range st.Subscriptions {
		held += sub.HeldBytes
	}
	emit("millrace_subscribe_clients", float64(len(st.Subscriptions)))
	emit("millrace_subscribe_held_bytes", float64(held))
}

func sampleObject(it *catalog.Item, o catalog.ObjectStatus, now int64, emit emitter) {
	switch {
	case it.Kind == catalog.Source && !it.Hidden:
		sampleSource(it.FullName(), o, now, emit)
	case it.Kind == catalog.MaterializedView:
		sampleView(it.FullName(), o, now, emit)
	case it.Kind == catalog.Sink:
		emit("millrace_sink_records_total", float64(o.Good), it.FullName())
	}
}

func sampleSource(name string, o catalog.ObjectStatus, now int64, emit emitter) {
	emit("millrace_source_records_total", float64(o.Good), name, "ok")
	emit("millrace_source_records_total", float64(o.Bad), name, "bad")
	emit("millrace_source_dead_letters_total", float64(o.Letters), name)
	emit("millrace_source_errors", float64(o.ErrorsKept), name)
	emit("millrace_source_errors_dropped_total", float64(o.ErrorsDropped), name)
	lag := 0.0
	for _, p := range o.Partitions {
		emit("millrace_source_offset", float64(p.Next), name, fmt.Sprint(p.Partition))
		emit("millrace_source_high_watermark", float64(p.High), name, fmt.Sprint(p.Partition))
		if p.High > p.Next {
			lag = secondsOf(now - o.NewestMS)
		}
	}
	if l := o.Log; l != nil {
		if lag = 0; l.BehindMS > 0 {
			lag = secondsOf(now - l.BehindMS)
		}
		emit("millrace_source_log_lag_bytes", float64(l.Lag()), name)
		emit("millrace_source_log_retained_bytes", float64(l.Retained()), name)
		emit("millrace_source_open_bytes", float64(l.OpenBytes), name, "memory")
		emit("millrace_source_open_bytes", float64(l.SpilledBytes), name, "disk")
	}
	emit("millrace_source_lag_seconds", lag, name)
}

func sampleView(name string, o catalog.ObjectStatus, now int64, emit emitter) {
	emit("millrace_view_records", float64(o.Rows), name)
	if o.Upper > 0 { // it is filled
		emit("millrace_view_lag_seconds", secondsOf(now-int64(o.Upper)+1), name)
	}
	emit("millrace_arrangement_bytes", float64(o.Bytes), name, "output")
	for i, op := range o.Operators {
		label := fmt.Sprintf("%d %s", i, op.Label)
		emit("millrace_arrangement_bytes", float64(op.Bytes), name, label)
		emit("millrace_operator_elapsed_seconds_total", op.Elapsed.Seconds(), name, label)
	}
}

func secondsOf(millis int64) float64 { return float64(millis) / 1000 }
