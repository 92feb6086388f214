package main

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/spanwire/spanwire/signing"
)

// signers are those of one configuration, by what is configured of each.
type signers map[signing.Config]*signer

// signer is a signer and what keeps its credentials fresh.
type signer struct {
	*signing.Signer
	cancel context.CancelFunc // nil before it was started
	done   chan struct{}
}

// add returns the signer for a provider whose requests are signed for service,
// unless the configuration says otherwise.
func (all signers) add(c signing.Config, service string, before signers, log *slog.Logger) (*signing.Signer, error) {
	c.Service = cmp.Or(c.Service, service)
	s := cmp.Or(all[c], before[c])
	if s == nil {
		made, err := signing.New(c, log)
		if err != nil {
			return nil, err
		}
		s = &signer{Signer: made}
	}
	all[c] = s
	return s.Signer, nil
}

// start lets those run that do not.
func (all signers) start() {
	for _, s := range all {
		if s.cancel != nil {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.cancel, s.done = cancel, make(chan struct{})
		go func() {
			defer close(s.done)
			s.Run(ctx)
		}()
	}
}

// stop ends those that are not among others. Calls that are under way keep what
// they have of them.
func (all signers) stop(others signers) {
	for c, s := range all {
		if others[c] == s || s.cancel == nil {
			continue
		}
		s.cancel()
		<-s.done
	}
}
