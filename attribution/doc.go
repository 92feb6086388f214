// Package attribution says whom a call is for: team, user, session, tags,
// metadata, agent and retry, from the words that callers already send. It also
// says which request headers are meant for a gateway and not for the provider.
//
// For each of these the first source that speaks wins, in this order:
//
//	1  the caller's key, where the configuration maps it (team and user; see Key)
//	2  our own headers: x-spanwire-…
//	3  coding agents: Claude Code, Codex
//	4  headers of gateways, tracers and apps, in the order of the table in headers.go
//	5  x-…-session-id of anybody (session only)
//	6  fields of the body
//	7  W3C baggage
//	8  a mapped key that allows others to speak first, then default_team
//
// Tags and metadata add up: with one key from two sources the first one wins.
// A session is never invented: no source, no session.
//
// Everything that comes from outside is bounded and cleaned before it is kept,
// and a credential is never kept: what is kept is the beginning of its SHA-256.
//
// docs/attribution.md has every header.
package attribution
