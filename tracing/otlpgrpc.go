package tracing

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	stdgzip "google.golang.org/grpc/encoding/gzip" // its init comes before ours, which replaces what it registers
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// grpcSender calls TraceService.Export with requests that are encoded already.
// Safe for concurrent use.
type grpcSender struct {
	target target
	around envelope
	conn   *grpc.ClientConn
	header metadata.MD
	opts   []grpc.CallOption
}

func openGRPC(t target, trust *tls.Config, around envelope) (*grpcSender, error) {
	creds := credentials.NewTLS(trust)
	if t.plaintext {
		creds = insecure.NewCredentials()
	}
	_, host, _ := strings.Cut(t.endpoint, "://")
	conn, err := grpc.NewClient(host,
		grpc.WithTransportCredentials(creds),
		grpc.WithUserAgent("spanwire-otlp"),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 10 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", host, err)
	}
	s := &grpcSender{target: t, around: around, conn: conn, header: metadata.MD{}}
	for name, value := range t.headers {
		s.header.Set(name, value)
	}
	s.opts = []grpc.CallOption{grpc.ForceCodecV2(encoded{})}
	if t.compression == compressGzip {
		s.opts = append(s.opts, grpc.UseCompressor(stdgzip.Name))
	}
	return s, nil
}

// keeps is always true: gRPC may still write a message whose call has ended.
func (s *grpcSender) keeps() bool { return true }

func (s *grpcSender) close() error { return s.conn.Close() }

func (s *grpcSender) String() string { return s.target.endpoint + " (" + protocolGRPC + ")" }

func (s *grpcSender) send(ctx context.Context, spans [][]byte) (int64, error) {
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, s.header), s.target.timeout)
	defer cancel()
	request, _ := s.around.pieces(spans)
	var response []byte
	if err := s.conn.Invoke(ctx, exportMethod, request, &response, s.opts...); err != nil {
		return 0, s.refusal(err)
	}
	rejected, _ := partialSuccess(response)
	return rejected, nil
}

// refusal says what an error means (https://opentelemetry.io/docs/specs/otlp/#failures).
func (s *grpcSender) refusal(err error) error {
	st := status.Convert(err)
	e := &sendError{err: fmt.Errorf("export spans to %s: %s: %s", s.conn.Target(), st.Code(), s.target.scrub(st.Message()))}
	after, told := retryInfo(st)
	switch st.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		e.retry, e.after = true, after
	case codes.ResourceExhausted:
		e.retry, e.after = told, after
		e.tooBig = !told && aboutSize(st.Message())
	}
	return e
}

func retryInfo(st *status.Status) (after time.Duration, told bool) {
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return max(info.GetRetryDelay().AsDuration(), 0), true
		}
	}
	return 0, false
}

// aboutSize tells a message that is too large from a quota that is used up: gRPC
// has one code for both.
func aboutSize(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "larger than max") || strings.Contains(message, "too large") ||
		strings.Contains(message, "too big") || strings.Contains(message, "message size") || strings.Contains(message, "exceeds")
}

// encoded is the codec of messages that are bytes already: requests in pieces,
// responses in one.
type encoded struct{}

var errNotBytes = errors.New("BUG: not encoded")

func (encoded) Marshal(v any) (mem.BufferSlice, error) {
	pieces, ok := v.([][]byte)
	if !ok {
		return nil, errNotBytes
	}
	out := make(mem.BufferSlice, 0, len(pieces))
	for _, p := range pieces {
		out = append(out, mem.SliceBuffer(p))
	}
	return out, nil
}

func (encoded) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return errNotBytes
	}
	*b = data.Materialize()
	return nil
}

func (encoded) Name() string { return "proto" }

// init replaces the gzip of gRPC, for both directions of every connection in the
// process, by one of half the cost. gRPC knows no other way than its registry.
func init() { encoding.RegisterCompressor(&fastGzip{}) }

// fastGzip is gzip at level 1 with pooled state.
type fastGzip struct{ writers, readers sync.Pool }

func (g *fastGzip) Name() string { return stdgzip.Name }

func (g *fastGzip) Compress(w io.Writer) (io.WriteCloser, error) {
	z, _ := g.writers.Get().(*gzip.Writer)
	if z == nil {
		var err error
		if z, err = gzip.NewWriterLevel(w, gzip.BestSpeed); err != nil {
			return nil, err
		}
	}
	z.Reset(w)
	return &pooledWriter{z, g}, nil
}

type pooledWriter struct {
	*gzip.Writer
	owner *fastGzip
}

func (w *pooledWriter) Close() error {
	defer w.owner.writers.Put(w.Writer)
	return w.Writer.Close()
}

func (g *fastGzip) Decompress(r io.Reader) (io.Reader, error) {
	z, _ := g.readers.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	if err := z.Reset(r); err != nil {
		return nil, err
	}
	return &pooledReader{z, g}, nil
}

type pooledReader struct {
	*gzip.Reader
	owner *fastGzip
}

func (r *pooledReader) Close() error {
	err := r.Reader.Close()
	_ = r.Reader.Reset(bytes.NewReader(nil)) // lets go of the message; an empty one is an error
	r.owner.readers.Put(r.Reader)
	return err
}
