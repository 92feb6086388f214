package tracing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// openOTLP opens a sender of spans by the OpenTelemetry protocol
// (https://opentelemetry.io/docs/specs/otlp/).
func openOTLP(e Exporter, env environment, _ Settings, around envelope) (sender, error) {
	t, err := env.resolve(e)
	if err != nil {
		return nil, err
	}
	trust, err := t.tls.config()
	if err != nil {
		return nil, err
	}
	if t.protocol == protocolGRPC {
		return openGRPC(t, trust, around)
	}
	return openHTTP(t, trust, around), nil
}

// config returns the TLS configuration, with what the files hold now.
func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.SkipVerify}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read trusted certificates: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read trusted certificates: %s holds no PEM certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// scrub takes the values of headers out of text that a receiver wrote, should it
// have repeated them, and shortens it.
func (t target) scrub(text string) string {
	for _, value := range t.headers {
		if len(value) >= 4 {
			text = strings.ReplaceAll(text, value, "[redacted]")
		}
		if _, key, ok := strings.Cut(value, " "); ok && len(key) >= 4 { // "Bearer key"
			text = strings.ReplaceAll(text, key, "[redacted]")
		}
	}
	return strings.ToValidUTF8(cutText(strings.TrimSpace(text), 300), "\uFFFD")
}

// partialSuccess reads ExportTraceServiceResponse.partial_success: how many spans
// were rejected, and why.
func partialSuccess(response []byte) (rejected int64, why string) {
	eachField(response, func(num protowire.Number, _, partial []byte) {
		if num != 1 {
			return
		}
		eachField(partial, func(num protowire.Number, field, body []byte) {
			switch num {
			case 1:
				if _, typ, n := protowire.ConsumeTag(field); typ == protowire.VarintType {
					v, _ := protowire.ConsumeVarint(field[n:])
					rejected = int64(v)
				}
			case 2:
				why = string(body)
			}
		})
	})
	return rejected, why
}

// statusMessageOf reads the message of a google.rpc.Status, the body of an error.
func statusMessageOf(body []byte) (message string) {
	eachField(body, func(num protowire.Number, _, text []byte) {
		if num == 2 {
			message = string(text)
		}
	})
	return message
}

var errTooBig = errors.New("the batch is too big for the receiver")
