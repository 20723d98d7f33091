package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/clock"
	"millrace/internal/demo/registry"
)

// What the demo does when nobody says otherwise.
const (
	DefaultRows         = 100_000
	DefaultRate         = 100
	DefaultKafkaPort    = 9092
	DefaultRegistryPort = 8081
)

const (
	host = "127.0.0.1"
	// beat is how often the stream writes.
	beat = 50 * time.Millisecond
	// pageviewBytes is how much of the page views the broker keeps: the demo may run for weeks.
	pageviewBytes = 512 << 20
	// retainEvery is after how many events the broker forgets what is beyond that.
	retainEvery = 100_000
	minUsers    = 100
	headerWait  = 10 * time.Second
	closeWait   = 2 * time.Second
)

// Options say what is in the shop and where it listens. The zero value is an empty shop on ports that are free.
type Options struct {
	Rows         int          // page views to load first; a hundredth as many users, at least 100
	Rate         int          // events a second after that; 0: none
	KafkaPort    int          // 0: any that is free
	RegistryPort int          // 0: any that is free
	Partitions   int          // of each topic; 0: 1
	Seed         uint64       // of all chance
	Clock        clock.Clock  // nil: the machine's
	Log          *slog.Logger // nil: none
}

// Demo is a running shop.
type Demo struct {
	opts     Options
	cluster  *kfake.Cluster
	registry *registry.Registry
	web      *http.Server
	webAddr  string
	client   *kgo.Client
	capture  *capture
	shop     *shop
	users    int // in the snapshot

	failed atomic.Pointer[error] // the first error of writing
	stop   context.CancelFunc
	done   sync.WaitGroup
	closed sync.Once
}

// Start runs a shop: it returns when all rows are loaded, and then streams until Close, or until ctx ends.
func Start(ctx context.Context, opts Options) (*Demo, error) {
	if opts.Rows < 0 || opts.Rate < 0 || opts.Partitions < 0 {
		return nil, fmt.Errorf("start demo: rows, rate and partitions cannot be negative")
	}
	opts.Partitions = max(opts.Partitions, 1)
	if opts.Clock == nil {
		opts.Clock = clock.System{}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	d := &Demo{opts: opts, registry: registry.New(), shop: newShop(opts.Seed), stop: cancel}
	if err := d.start(ctx); err != nil {
		_ = d.Close() // err says it already
		return nil, err
	}
	return d, nil
}

func (d *Demo) start(ctx context.Context) error {
	if err := d.startBroker(); err != nil {
		return err
	}
	if err := d.startRegistry(); err != nil {
		return err
	}
	began := d.opts.Clock.Now()
	if err := d.load(ctx); err != nil {
		return err
	}
	d.opts.Log.Info("demo is loaded", "kafka", d.KafkaAddr(), "registry", d.RegistryURL(),
		"users", d.users, "pageviews", d.opts.Rows, "took", d.opts.Clock.Now().Sub(began))
	if d.opts.Rate > 0 {
		d.done.Go(func() { d.keep(d.stream(ctx)) })
	}
	return nil
}

func (d *Demo) startBroker() error {
	cluster, err := kfake.NewCluster(kfake.Ports(d.opts.KafkaPort), kfake.ClusterID("demo"),
		kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	if err != nil {
		return fmt.Errorf("start demo broker on %s:%d: %w", host, d.opts.KafkaPort, err)
	}
	d.cluster = cluster
	parts := int32(d.opts.Partitions)
	if err := cluster.CreateTopic(UsersTopic, parts, nil); err != nil {
		return fmt.Errorf("create topic %s: %w", UsersTopic, err)
	}
	keep := map[string]string{"retention.bytes": strconv.Itoa(pageviewBytes / d.opts.Partitions)}
	if err := cluster.CreateTopic(PageviewsTopic, parts, keep); err != nil {
		return fmt.Errorf("create topic %s: %w", PageviewsTopic, err)
	}
	d.client, err = kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return fmt.Errorf("connect to demo broker: %w", err)
	}
	return nil
}

func (d *Demo) startRegistry() error {
	var err error
	if d.capture, err = newCapture(d.registry, d.opts.Partitions); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(d.opts.RegistryPort)))
	if err != nil {
		return fmt.Errorf("start demo schema registry: %w", err)
	}
	d.webAddr = ln.Addr().String()
	d.web = &http.Server{Handler: d.registry, ReadHeaderTimeout: headerWait}
	d.done.Go(func() {
		if err := d.web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			d.keep(fmt.Errorf("serve demo schema registry: %w", err))
		}
	})
	return nil
}

// KafkaAddr is where the broker listens.
func (d *Demo) KafkaAddr() string { return d.cluster.ListenAddrs()[0] }

// RegistryURL is where the registry listens.
func (d *Demo) RegistryURL() string { return "http://" + d.webAddr }

// Users is the number of users at the start.
func (d *Demo) Users() int { return d.users }

// Close stops everything and waits for it. It returns the first error that the stream or the registry met.
func (d *Demo) Close() error {
	d.closed.Do(func() {
		d.stop()
		if d.web != nil {
			ctx, cancel := context.WithTimeout(context.Background(), closeWait)
			defer cancel()
			if d.web.Shutdown(ctx) != nil {
				_ = d.web.Close() // a client held on: its connection is cut
			}
		}
		d.done.Wait()
		if d.client != nil {
			d.client.Close()
		}
		if d.cluster != nil {
			d.cluster.Close()
		}
	})
	return d.err()
}

func (d *Demo) err() error {
	if p := d.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// keep remembers the first error. An end that was asked for is none.
func (d *Demo) keep(err error) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return
	}
	if d.failed.CompareAndSwap(nil, &err) {
		d.opts.Log.Error("demo stopped", "err", err)
	}
}

// load writes the snapshot and the page views before the start.
func (d *Demo) load(ctx context.Context) error {
	now := d.opts.Clock.Now()
	d.users = max(d.opts.Rows/100, minUsers)
	for _, c := range d.shop.snapshot(now, d.users) {
		if err := d.writeChange(ctx, c); err != nil {
			return err
		}
	}
	for n := range d.opts.Rows {
		if err := d.writeView(ctx, d.shop.earlierView(now), now, n); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("load demo: %w", ctx.Err())
		}
	}
	if err := d.client.Flush(ctx); err != nil {
		return fmt.Errorf("load demo: %w", err)
	}
	return d.err()
}

// stream writes Rate events a second until ctx ends. After a pause of the machine it does not catch up.
func (d *Demo) stream(ctx context.Context) error {
	began, written := d.opts.Clock.Now(), 0
	for {
		if err := d.opts.Clock.Sleep(ctx, beat); err != nil {
			return err
		}
		now := d.opts.Clock.Now()
		due := int(now.Sub(began).Seconds() * float64(d.opts.Rate))
		written = max(written, due-d.opts.Rate)
		for ; written < due; written++ {
			if err := d.writeEvent(ctx, d.shop.next(now), now, written); err != nil {
				return err
			}
		}
		if err := d.err(); err != nil {
			return err
		}
	}
}

func (d *Demo) writeEvent(ctx context.Context, e event, now time.Time, n int) error {
	if n%retainEvery == retainEvery-1 {
		d.cluster.ApplyRetention()
	}
	if e.change != nil {
		return d.writeChange(ctx, *e.change)
	}
	return d.writeView(ctx, *e.view, now, n)
}

func (d *Demo) writeChange(ctx context.Context, c change) error {
	records, err := d.capture.messages(c)
	if err != nil {
		return err
	}
	for _, r := range records {
		d.produce(ctx, r)
	}
	return nil
}

// writeView writes the n-th page view; they go round the partitions.
func (d *Demo) writeView(ctx context.Context, v pageview, now time.Time, n int) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode page view: %w", err)
	}
	d.produce(ctx, &kgo.Record{
		Topic: PageviewsTopic, Partition: int32(n % d.opts.Partitions), Value: value, Timestamp: now,
	})
	return nil
}

// produce hands a record to the client, and waits while the client's buffer is full.
func (d *Demo) produce(ctx context.Context, r *kgo.Record) {
	d.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err != nil {
			d.keep(fmt.Errorf("write to %s: %w", r.Topic, err))
		}
	})
}
