// Package store keeps finished calls on the local disk and answers questions about
// them: the embedded trace store.
//
// # Files
//
// A store is a folder with files of SQLite, three for each day (UTC) on which calls
// began, and one beside them:
//
//	lock                             held while a program writes here
//	meta.db                          totals of days that are over
//	calls/2026-11-21.db              calls, dictionary, hourly totals
//	calls/2026-11-21.bodies.db       what was said, each message once
//	calls/2026-11-21.fts.db          full text over it; can be made anew
//
// What is old goes by unlinking files: bodies first, then calls, then totals.
//
// # Exactly once
//
// [Store.Consume] may get a call more than once and keeps it once: a call is known
// by its id, in the file of the day on which it began, and the totals of its hour
// are changed in the same transaction. When [Store.Flush] returns, everything that
// was consumed before outlives the machine. So a journal that moves its cursor only
// after a flush loses nothing, and nothing is counted twice.
//
// # Once each
//
// An agent sends the whole conversation with every turn. Each message, tool and
// instruction is a piece, known by the SHA-256 of its fields; a call holds the
// numbers of its pieces, and only pieces that the day has not seen are written, those
// of some calls compressed together. Which pieces are known is kept in memory: a miss
// costs space and nothing else. What the last call of a conversation said is kept too,
// up to 8 MB of text, and compared first: only what is new is hashed.
//
// A store is written to by one program. Others may read it at the same time.
package store
