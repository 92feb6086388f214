package tracing

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// deliver sends a batch until it is accepted, refused for good, or out of time.
func (e *exporter) deliver(batch [][]byte) {
	deadline := time.Now().Add(e.retry.MaxElapsed)
	pause := e.retry.Initial
	for {
		told := e.attempt(e.ctx, batch)
		switch {
		case told == nil:
			return
		case e.ctx.Err() != nil:
			e.drop(dropShutdown, len(batch), nil)
			return
		case told.tooBig:
			_ = e.smaller(batch, told, func(part [][]byte) error { e.deliver(part); return nil })
			return
		}
		wait := told.after
		if wait == 0 {
			wait = jitter(pause)
			pause = min(2*pause, e.retry.Max)
		}
		if time.Now().Add(wait).After(deadline) {
			e.drop(dropExpired, len(batch), told)
			return
		}
		e.counts.retries.Add(1)
		sleep(e.ctx, wait)
	}
}

// attempt sends a batch once. It returns nil when the batch is done with: accepted,
// or refused for good, which is counted.
func (e *exporter) attempt(ctx context.Context, batch [][]byte) *sendError {
	rejected, err := e.sender.send(ctx, batch)
	if err == nil {
		rejected = min(max(rejected, 0), int64(len(batch)))
		e.counts.sent.Add(int64(len(batch)) - rejected)
		if rejected > 0 {
			e.drop(dropRejected, int(rejected), nil)
		}
		return nil
	}
	var told *sendError
	if !errors.As(err, &told) {
		told = &sendError{err: err}
	}
	if !told.retry && !told.tooBig && ctx.Err() == nil {
		e.drop(dropPermanent, len(batch), err)
		return nil
	}
	return told
}

// jitter spreads a pause by a third either way, so that the senders of many
// processes do not come back at once.
func jitter(d time.Duration) time.Duration {
	third := int64(d / 3)
	return d - time.Duration(third) + time.Duration(rand.Int64N(2*third+1))
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// smallestSpan is where cutting a span's content further is given up.
const smallestSpan = 16 << 10

// smaller sends a batch that is too big for the receiver by halves. A single span
// loses half of its content at a time.
func (e *exporter) smaller(batch [][]byte, err error, send func([][]byte) error) error {
	if len(batch) > 1 {
		e.counts.splits.Add(1)
		half := len(batch) / 2
		return errors.Join(send(batch[:half]), send(batch[half:]))
	}
	span := batch[0]
	short, ok := shortenSpan(span, len(span)/2)
	if len(span) < smallestSpan || !ok {
		e.drop(dropTooLarge, 1, err)
		return nil
	}
	e.counts.shortened.Add(1)
	return send([][]byte{short})
}
