package signing

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Config is what users set for a provider whose requests are signed.
type Config struct {
	Region       string `mapstructure:"region"`         // that the requests are for: us-east-1
	Service      string `mapstructure:"service"`        // name to sign for; "" is that of the provider
	Profile      string `mapstructure:"profile"`        // of the shared files; "" is what the environment says
	RoleARN      string `mapstructure:"role_arn"`       // assumed with the credentials found; "" for none
	MaxBodyBytes int64  `mapstructure:"max_body_bytes"` // a larger body gets 413; 0 is DefaultMaxBody
}

// DefaultMaxBody is how much of a body is read to sign it. Bedrock takes bodies of
// 25 MB at most (InvokeModel, body: maximum length of 25000000).
const DefaultMaxBody = 32 << 20

var scopeWord = regexp.MustCompile(`^[a-z0-9-]+$`)

// Validate says what of the configuration cannot work.
func (c Config) Validate() error {
	var errs []error
	if !scopeWord.MatchString(c.Region) {
		errs = append(errs, fmt.Errorf("region: %q is not a region such as us-east-1", c.Region))
	}
	if c.Service != "" && !scopeWord.MatchString(c.Service) {
		errs = append(errs, fmt.Errorf("service: %q is not a name such as bedrock", c.Service))
	}
	if c.RoleARN != "" && !strings.HasPrefix(c.RoleARN, "arn:") {
		errs = append(errs, fmt.Errorf("role_arn: %q is no ARN of a role", c.RoleARN))
	}
	if c.MaxBodyBytes < 0 || c.MaxBodyBytes > 1<<30 {
		errs = append(errs, errors.New("max_body_bytes: is not between 0 and 1 GiB"))
	}
	return errors.Join(errs...)
}

// Body returns how many bytes of a body are read to sign it.
func (c Config) Body() int64 { return cmp.Or(c.MaxBodyBytes, DefaultMaxBody) }
