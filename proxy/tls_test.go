package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// secure puts TLS on both sides of the relay.
func secure(cert tls.Certificate, pool *x509.CertPool) option {
	return func(b *bench, _ *Config, set *Settings) {
		b.up.Scheme = "https"
		set.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		set.UpstreamTLS = &tls.Config{RootCAs: pool}
	}
}

func (p *peer) secure(pool *x509.CertPool) *peer {
	tc := tls.Client(p.Conn, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	if err := tc.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	return &peer{tc, p.t, newReader(tc)}
}

func TestTLSOnBothSides(t *testing.T) {
	cert, pool := certificate(t)
	b := start(t, func(c net.Conn) {
		answering(hello, nil)(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}))
	}, secure(cert, pool))
	p := b.dial().secure(pool)
	for range 3 {
		p.send(post("/", strings.Repeat("x", 100<<10))).expect(hello)
		b.record()
	}
	if n := b.accepted.Load(); n != 1 {
		t.Errorf("%d upstream connections, want one that is used again", n)
	}
}

func TestTLSCallerGoesAwayInAStall(t *testing.T) {
	eachWatcher(t, func(t *testing.T) {
		cert, pool := certificate(t)
		ended := make(chan error, 1)
		b := start(t, func(c net.Conn) {
			tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			br := newReader(tc)
			if _, _, err := message(br); err == nil {
				io.WriteString(tc, chunkedHead+"1\r\na\r\n")
				_, err = br.ReadByte()
				ended <- err
			}
		}, secure(cert, pool))
		p := b.dial().secure(pool).send(get("/"))
		p.expect(chunkedHead + "1\r\na\r\n")
		p.Close()
		wait(t, ended, "the upstream did not notice")
		if ex := b.record(); ex.Ended != llm.EndClientGone {
			t.Error(ex.Ended)
		}
	})
}

// Under TLS a cut answer that ends with its connection can be told from a whole
// one, on both sides.
func TestTLSCut(t *testing.T) {
	cert, pool := certificate(t)
	for _, orderly := range []bool{true, false} {
		b := start(t, func(c net.Conn) {
			tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			if _, _, err := message(newReader(tc)); err != nil {
				return
			}
			io.WriteString(tc, "HTTP/1.1 200 OK\r\n\r\nall")
			if orderly {
				_ = tc.Close()
			}
		}, secure(cert, pool))
		p := b.dial().secure(pool).send(get("/"))
		p.expect("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall")
		if rest, err := p.end(); rest != "" || (err == nil) != orderly {
			t.Errorf("orderly %v: the caller saw %q, %v", orderly, rest, err)
		}
		if ex := b.record(); (ex.Ended == llm.EndComplete) != orderly {
			t.Errorf("orderly %v: recorded %v", orderly, ex.Ended)
		}
	}
}

func TestUntrustedUpstream(t *testing.T) {
	cert, _ := certificate(t)
	b := start(t, func(c net.Conn) {
		answering(hello, nil)(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}))
	},
		func(b *bench, _ *Config, _ *Settings) { b.up.Scheme = "https" })
	r, body, err := b.dial().send(get("/")).response("GET")
	if err != nil || r.StatusCode != 502 || !strings.Contains(body, "certificate") {
		t.Errorf("%v %q %v", r, body, err)
	}
	b.record()
}
