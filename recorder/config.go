package recorder

import (
	"errors"
	"fmt"
	"time"
)

// Config is what users set of a [Recorder].
type Config struct {
	// Workers is how many goroutines read exchanges.
	Workers int `mapstructure:"workers" yaml:"workers"`
	// QueueBytes bounds what waits and is being read, in captured bytes.
	QueueBytes int64 `mapstructure:"queue_bytes" yaml:"queue_bytes"`
	// QueueExchanges bounds the same in exchanges.
	QueueExchanges int `mapstructure:"queue_exchanges" yaml:"queue_exchanges"`
	// BatchCalls and BatchDelay: calls go to the sinks when there are so many, or
	// when the first of them has waited so long.
	BatchCalls int           `mapstructure:"batch_calls" yaml:"batch_calls"`
	BatchDelay time.Duration `mapstructure:"batch_delay" yaml:"batch_delay"`
	// SinkQueueBytes bounds what waits for one sink, in bytes of the calls.
	SinkQueueBytes int64 `mapstructure:"sink_queue_bytes" yaml:"sink_queue_bytes"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Workers:        2,
		QueueBytes:     64 << 20,
		QueueExchanges: 8192,
		BatchCalls:     256,
		BatchDelay:     50 * time.Millisecond,
		SinkQueueBytes: 64 << 20,
	}
}

// Validate says everything that is wrong with c. Zero values are right: they
// mean the defaults.
func (c Config) Validate() error {
	var errs []error
	notNegative := func(key string, n int64) {
		if n < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative: %d", key, n))
		}
	}
	notNegative("workers", int64(c.Workers))
	notNegative("queue_bytes", c.QueueBytes)
	notNegative("queue_exchanges", int64(c.QueueExchanges))
	notNegative("batch_calls", int64(c.BatchCalls))
	notNegative("batch_delay", int64(c.BatchDelay))
	notNegative("sink_queue_bytes", c.SinkQueueBytes)
	if c.Workers > maxWorkers {
		errs = append(errs, fmt.Errorf("workers must be at most %d: %d", maxWorkers, c.Workers))
	}
	return errors.Join(errs...)
}

// maxWorkers keeps a slip of the keyboard from starting a million goroutines.
const maxWorkers = 1024

// orDefaults fills in what was left out.
func (c Config) orDefaults() Config {
	d := DefaultConfig()
	if c.Workers <= 0 {
		c.Workers = d.Workers
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = d.QueueBytes
	}
	if c.QueueExchanges <= 0 {
		c.QueueExchanges = d.QueueExchanges
	}
	if c.BatchCalls <= 0 {
		c.BatchCalls = d.BatchCalls
	}
	if c.BatchDelay <= 0 {
		c.BatchDelay = d.BatchDelay
	}
	if c.SinkQueueBytes <= 0 {
		c.SinkQueueBytes = d.SinkQueueBytes
	}
	return c
}
