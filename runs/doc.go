// Package runs finds what an agent did from its calls alone: which call goes on
// from which, which tools ran between two calls, which run a tool call started.
//
// A caller that only changed its base URL sends no trace context, yet every
// request of an agent repeats the conversation so far, and every tool result
// names the tool call that it answers. A [Linker] takes calls in the order in
// which they ended and gives each its place. It is deterministic, reads no clock
// (time is that of the calls) and knows no vendor: it reads the neutral form.
//
// # How
//
// Messages are read into groups: what was said to the model (texts, tool results,
// media) and what it said (texts, tool calls), in turns. Only what both sides of
// a conversation keep counts: see readGroups. Hashes run along the groups. The
// hash of a request with its answer is remembered with the call, and so are the
// hash of the request alone, the ids that the answer gave out, and the answer by
// itself. A new call looks up what it repeats, the latest piece first; the first
// call found there that passes the guards is its parent.
//
// # Guards
//
// A link never crosses credential or team. An answer that gave out tool call ids
// is not one that came back with others. A call is no parent of one that started
// before it was answered. Ids that are not unique by their look (call_0) count for
// nothing by themselves. Where several calls fit equally well, what they were
// asked with (system prompt but for the time of day, tools, model, session) decides;
// where that does not, or more began alike than are looked at, nothing is guessed. Few
// equal words prove nothing.
//
// # Bounds
//
// What is remembered is bounded by bytes and by age; the oldest goes first, and
// Stats counts what went. Texts are kept as digests, but for the beginning of
// each answer and thought, the arguments of tool calls, and what was embedded a
// short while ago: as they were sent, in memory only. A call costs time by its length, never by what is
// remembered.
package runs
