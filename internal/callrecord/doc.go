// Package callrecord turns calls into bytes and back, for everything that keeps
// them on disk.
//
// The bytes are CBOR (RFC 8949) maps with numbers for keys; the types [Facts] and
// [Said] and those within are their definition. Texts are byte strings, since what
// peers send need not be UTF-8. A key is never used for something else; readers
// skip keys that they do not know.
package callrecord
