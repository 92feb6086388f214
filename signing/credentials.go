package signing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

var (
	errNone    = errors.New("the proxy could not get AWS credentials of its own; its log says why")
	errLate    = errors.New("the proxy has no AWS credentials yet")
	errExpired = errors.New("the proxy's AWS credentials have expired and could not be renewed; its log says why")
)

const (
	fetchTime = 30 * time.Second // one attempt to get credentials
	reread    = 5 * time.Minute  // when credentials that never expire are looked up again: files change
	ahead     = 5 * time.Minute  // how long before their end others are renewed
	leastWait = 10 * time.Second // between two attempts that succeed
	firstWait = time.Second      // after an attempt that did not; it doubles
	mostWait  = time.Minute      // …, up to here
)

// source gets credentials.
type source func(context.Context) (aws.Credentials, error)

// held is what is known of credentials. It is never changed.
type held struct {
	aws.Credentials
	err error // why there are none
}

// newSource returns what looks for credentials where AWS's own programs do. Each
// time it looks anew, since files and the environment of a role change.
func newSource(c Config) (source, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DisableKeepAlives = true // it is asked a few times an hour
	})
	load := func(ctx context.Context) (aws.Config, error) {
		opts := []func(*config.LoadOptions) error{
			config.WithRegion(c.Region), config.WithHTTPClient(client), config.WithLogger(logging.Nop{}),
		}
		if c.Profile != "" {
			opts = append(opts, config.WithSharedConfigProfile(c.Profile))
		}
		return config.LoadDefaultConfig(ctx, opts...)
	}
	if _, err := load(context.Background()); err != nil { // a missing profile, a file that cannot be read
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	return func(ctx context.Context) (aws.Credentials, error) {
		cfg, err := load(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		if c.RoleARN == "" {
			return cfg.Credentials.Retrieve(ctx)
		}
		return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), c.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "spanwire"
		}).Retrieve(ctx)
	}, nil
}

// Run gets credentials and renews them before they expire, until ctx ends. What
// goes wrong is in the log, once for each time that it begins to go wrong.
func (s *Signer) Run(ctx context.Context) {
	wait, failing := firstWait, false
	for {
		got, err := s.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		next := wait
		switch old := s.held.Load(); {
		case err == nil:
			s.held.Store(&held{Credentials: got})
			if failing {
				s.log.Info("AWS credentials are there again", "source", got.Source)
			}
			next, wait, failing = renewal(got, time.Now()), firstWait, false
		default:
			if !failing {
				s.log.Error("cannot get AWS credentials", "region", s.conf.Region, "service", s.conf.Service, "error", err)
			}
			if old == nil || !old.HasKeys() {
				s.held.Store(&held{err: errNone})
			}
			wait, failing = min(2*wait, mostWait), true
		}
		select {
		case <-s.tried:
		default:
			close(s.tried)
		}
		if !s.pause(ctx, next) {
			return
		}
	}
}

func (s *Signer) fetch(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	got, err := s.source(ctx)
	if err == nil && !got.HasKeys() {
		err = errors.New("they are empty")
	}
	return got, err
}

// pause waits for d, or until new credentials are asked for, though never less
// than leastWait then.
func (s *Signer) pause(ctx context.Context, d time.Duration) bool {
	soonest := time.NewTimer(min(d, leastWait))
	defer soonest.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-soonest.C:
	}
	rest := time.NewTimer(max(d-leastWait, 0))
	defer rest.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-rest.C:
	case <-s.renew:
	}
	return true
}

// renewal says how long credentials are used before others are got.
func renewal(c aws.Credentials, now time.Time) time.Duration {
	if !c.CanExpire {
		return reread
	}
	left := c.Expires.Sub(now)
	if left > 2*ahead {
		return left - ahead
	}
	return max(left/2, leastWait)
}

// credentials returns those to sign with now.
func (s *Signer) credentials(ctx context.Context) (aws.Credentials, error) {
	select {
	case <-s.tried:
	default:
		select {
		case <-s.tried:
		case <-ctx.Done():
			return aws.Credentials{}, errLate
		}
	}
	h := s.held.Load()
	switch {
	case h.err != nil:
		return aws.Credentials{}, h.err
	case h.Expired():
		return aws.Credentials{}, errExpired
	}
	return h.Credentials, nil
}
