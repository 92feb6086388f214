package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
)

// outcome is what a check expects of the relay.
type outcome int

const (
	relayed outcome = iota // both messages arrive as they were sent
	refused                // the request never reaches the provider, and gets a 4xx or 5xx
	broken                 // the answer breaks off, and the caller can tell
)

// check is one exchange that the doctor sends through the relay.
type check struct {
	name    string
	request string // the first @ stands for the prefix of the path
	answer  string // of the provider, as it goes over the wire
	piece   int    // bytes a write of the answer; 0: all at once
	end     ending
	want    outcome
}

// ending is what the provider does after its answer.
type ending int

const (
	keepOpen ending = iota
	finish          // closes the connection
	reset           // closes it with a reset
)

// request makes a POST with the given fields (each with its CRLF) and body.
func request(fields, body string) string {
	return fmt.Sprintf("POST @/v1/chat/completions HTTP/1.1\r\nHost: api.example\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(body), body)
}

const (
	get     = "GET @/v1/models HTTP/1.1\r\nHost: api.example\r\n\r\n"
	small   = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	sse     = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	prompt  = `{"model":"m","messages":[{"role":"user","content":"héllo ✓ 你好"}]}`
	lastOne = "0\r\n\r\n"
)

// chunks puts text into chunked framing, n bytes a chunk.
func chunks(text string, n int) string {
	var b strings.Builder
	for len(text) > 0 {
		m := min(n, len(text))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", m, text[:m])
		text = text[m:]
	}
	return b.String()
}

func withLength(fields string, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(body), body)
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s)) // neither can fail on a bytes.Buffer
	z.Close()
	return b.String()
}

// pattern is n bytes that no compressor or shortcut gets right by chance.
func pattern(n int) string {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return string(b)
}

// checks returns everything that the doctor tries, in the order of the table.
func checks() []check {
	const events = ": ping\r\n\r\nevent: odd\r\ndata: {\"a\":\"✓\"}\r\n\r\ndata: one\ndata: two\n\nid: 7\nretry: 10\nerror: what\n\n: comment\n\ndata: [DONE]"
	big := pattern(32 << 20)
	list := []check{
		{name: "header order, case, repeats", request: request("x-LOWER: 1\r\nX-Upper:2\r\nX-Upper: \t3  \r\nX-uPPer: 4\r\nX-Empty:\r\nx-lower: 5\r\n", prompt),
			answer: withLength("x-B: 1\r\nX-a: 2\r\nX-B:3\r\nx-b: 4\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nSERVER: odd\r\n", "{}")},
		{name: "unknown headers, bytes above 127", request: request("X-Unknown-Thing: caf\xe9 \xe2\x9c\x93\r\nUser-Agent: odd/1\r\nAccept-Encoding: zstd;q=0.5, br\r\n", prompt), answer: small},
		{name: "16 KB of header in one line", request: request("X-Long: "+strings.Repeat("x", 16<<10)+"\r\n", prompt), answer: withLength("X-Long: "+strings.Repeat("y", 16<<10)+"\r\n", "{}")},
		{name: "path and query as they are", request: "GET @//v1/%2e%2e/a;b/./c%2Fd?x=%20+&&y[]=1|2&x=%zz HTTP/1.1\r\nHost: api.example\r\n\r\n", answer: small},
		{name: "status and reason", request: get, answer: "HTTP/1.1 299 Odd But  Fine\r\nContent-Length: 0\r\n\r\n"},
		{name: "no reason", request: get, answer: "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"},
		{name: "method of its own", request: "PATCHY @/v1/things HTTP/1.1\r\nHost: api.example\r\nContent-Length: 3\r\n\r\nabc", answer: small},
		{name: "OPTIONS", request: "OPTIONS @/v1/models HTTP/1.1\r\nHost: api.example\r\nOrigin: https://app.example\r\n\r\n", answer: "HTTP/1.1 204 No Content\r\nAllow: GET\r\n\r\n"},
		{name: "HEAD with a length", request: "HEAD @/v1/models HTTP/1.1\r\nHost: api.example\r\n\r\n", answer: "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"},
		{name: "204", request: get, answer: "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"},
		{name: "304 with a length", request: get, answer: "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 99\r\n\r\n"},
		{name: "103 before the answer", request: get, answer: "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + small},
		{name: "Expect: 100-continue", request: request("Expect: 100-continue\r\n", prompt), answer: small},
		{name: "chunked request", request: "POST @/v1/chat/completions HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(prompt, 7) + lastOne, answer: small},
		{name: "chunked request, 0 bytes", request: "POST @/v1/x HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n" + lastOne, answer: small},
		{name: "bodies of 0 bytes", request: request("", ""), answer: withLength("", "")},
		{name: "body that is not text", request: request("Content-Type: application/octet-stream\r\n", pattern(4096)), answer: withLength("", pattern(4096))},
		{name: "32 MiB up, 32 MiB down", request: request("", big), answer: withLength("", big)},
		{name: "32 MiB down, chunked", request: get, answer: sse + chunks(big, 16<<10) + lastOne},
		{name: "answer that ends with its connection", request: get, answer: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nabc", end: finish},
		{name: "chunk extensions and trailers", request: get, answer: sse + "3;odd=\"1\"\r\nabc\r\n0\r\nX-Trailer: 1\r\nx-trailer: 2\r\n\r\n"},
		{name: "gzip as it is", request: request("Accept-Encoding: gzip\r\n", prompt), answer: withLength("Content-Encoding: gzip\r\n", gzipped(events))},
		{name: "stream: comments, CRLF, no last blank line", request: request("", prompt), answer: sse + chunks(events, 40) + lastOne},
		{name: "stream: 200 KB in one line", request: request("", prompt), answer: sse + chunks("data: "+strings.Repeat("z", 200<<10)+"\n\n", 4096) + lastOne},
	}
	for _, piece := range []int{1, 7, 333} {
		list = append(list, check{name: fmt.Sprintf("stream in pieces of %d", piece), request: request("", prompt), answer: sse + chunks(events, 5) + lastOne, piece: piece})
	}
	list = append(list,
		check{name: "cut: stream between chunks", request: request("", prompt), answer: sse + chunks(events, 40), end: finish, want: broken},
		check{name: "cut: stream inside a chunk", request: request("", prompt), answer: sse + "ff\r\ndata: half", end: finish, want: broken},
		check{name: "cut: body shorter than its length", request: get, answer: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", end: finish, want: broken},
		check{name: "cut: reset in a stream", request: request("", prompt), answer: sse + chunks("data: one\n\n", 40), end: reset, want: broken},
		check{name: "cut: before any answer", request: get, end: finish, want: broken},
	)
	return append(list, ambiguous()...)
}

// ambiguous are heads that two readers may understand in two ways (RFC 9112,
// section 11.2: request smuggling). None may reach a provider.
func ambiguous() []check {
	var list []check
	add := func(name, head, body string) {
		list = append(list, check{name: "ambiguous: " + name, request: "POST @/v1/x HTTP/1.1\r\n" + head + "\r\n" + body, answer: small, want: refused})
	}
	const host = "Host: api.example\r\n"
	add("length and chunked", host+"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")
	add("two lengths", host+"Content-Length: 3\r\nContent-Length: 5\r\n", "abcde")
	add("list of lengths", host+"Content-Length: 3, 5\r\n", "abcde")
	add("signed length", host+"Content-Length: +3\r\n", "abc")
	add("negative length", host+"Content-Length: -1\r\n", "abc")
	add("length of 2^64", host+"Content-Length: 18446744073709551619\r\n", "abc")
	add("chunked twice", host+"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")
	add("chunked not last", host+"Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")
	add("unknown coding", host+"Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")
	add("folded line", host+"X-A: 1\r\n folded\r\nContent-Length: 0\r\n", "")
	add("folded coding", host+"Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")
	add("blank before the colon", host+"Content-Length : 3\r\n", "abc")
	add("blank before the name", host+" Content-Length: 3\r\n", "abc")
	add("bare LF", "Host: api.example\nContent-Length: 3\r\n", "abc")
	add("bare CR", host+"X-A: 1\rContent-Length: 9\r\nContent-Length: 3\r\n", "abc")
	add("NUL in a value", host+"X-A: 1\x002\r\nContent-Length: 3\r\n", "abc")
	add("no colon", host+"Content-Length 3\r\n", "abc")
	add("two hosts", host+"Host: other.example\r\nContent-Length: 0\r\n", "")
	add("no host", "Content-Length: 0\r\n", "")
	list = append(list,
		check{name: "ambiguous: chunk size not hex", request: "POST @/v1/x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", answer: small, want: refused},
		check{name: "ambiguous: chunk size of 2^64", request: "POST @/v1/x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", answer: small, want: refused},
		check{name: "ambiguous: blank in the target", request: "GET @/v1/x y HTTP/1.1\r\n" + host + "\r\n", answer: small, want: refused},
		check{name: "ambiguous: HTTP/0.9", request: "GET @/v1/x\r\n\r\n", answer: small, want: refused},
	)
	return list
}
