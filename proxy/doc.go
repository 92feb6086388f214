// Package proxy relays HTTP/1.1 exchanges between callers and providers byte for
// byte and shows an observer what went by, after it went by.
//
// The relay works on connections of its own: heads are parsed once, checked by
// fasthttp's parser as a strict gate, and their original bytes are what is sent
// on; chunked framing is followed, not decoded. It knows no body format: what a
// dialect must decide stands behind the interfaces of route.go, each declared
// here and implemented elsewhere.
//
// Nothing here waits for a recorder. A finished exchange is offered once and
// forgotten. docs/adr/0001-data-path.md has the reasons and the figures.
package proxy
