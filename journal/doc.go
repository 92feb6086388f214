// Package journal keeps finished calls on disk until everybody who follows them
// has them: an append-only, hash-chained log that survives a crash.
//
// What [Journal.Append] returned without an error for is durable. Followers, each
// with a cursor of its own, then get every call at least once, in order; one that
// is down catches up, and a slow one holds nobody else.
//
// # Format, version 1
//
// A journal is a folder:
//
//	lock                            held while a program writes here
//	00000000000000000001.journal    segments, named by the number of their first record
//	cursors/NAME                    how far a follower is
//
// Numbers are little-endian. A segment is a header of 128 bytes and records.
//
//	 0  "SPANWJNL"
//	 8  u16  version, 1
//	10  u16  flags: 1 = contents were dropped to save space
//	16  u64  number of the first record
//	24  i64  when it was begun, Unix nanoseconds
//	32  [16] salt of the checksums
//	48  [32] hash of the record before the first; zero for the first of all
//	80  [16] id of the journal
//	124 u32  CRC-32C of the bytes before
//
// A record is a frame around a payload:
//
//	0  u32  length of the payload
//	4  u32  CRC-32C of the segment's salt, the length and the payload
//	8  payload:
//	    0  u8   version: 1, or 2 when the content is encrypted
//	    1  u8   kind: 1 = call, 2 = checkpoint
//	    4  u32  how many records of the same batch stand before it
//	    8  u64  number: 1 for the first record of a journal, then one by one
//	   16  i64  when it was appended, Unix nanoseconds
//	   24  [32] hash of the record before
//	   56  u32  length of the facts
//	   60  u32  length of the content
//	   64  [32] SHA-256 of the content; zero when there is none
//	   96       facts, then content
//
// The hash of a record is the SHA-256 of its payload up to the end of the facts.
// It covers the content by its digest, so that content can be dropped later and
// the chain still holds. The salt is random: nobody can write a prompt that looks
// like a record of this journal.
//
// A batch is written by one write and made durable by one fdatasync before the
// next one is begun. So what can be torn is within the last batch, and a record
// that says it belongs to a later batch proves that the ones before were durable:
// this is how a torn tail, which is cut off, is told from damage, which is kept
// and reported.
//
// An encrypted content is a text of package sealed, for the place "journal " and the
// hash of the record before. Its digest is that of the encrypted bytes, so that the
// chain is verified without the key. Facts are never encrypted.
//
// Facts and content are CBOR, as package callrecord defines it. What cannot be
// read that way gets a new version.
package journal
