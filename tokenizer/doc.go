// Package tokenizer counts tokens where a provider reported none.
//
// A reported number always wins: only the sides of a call's usage that nobody
// told are counted, and every count says where it is from. A public vocabulary
// over a whole text is exact; with the measured constants of a chat's wrapping it
// is a rule; another family's text counted with OpenAI's vocabulary and a factor,
// or a text of which only a part was kept, is estimated; a cut answer, or one
// whose reasoning is hidden, is a lower bound and called partial.
//
// The constants (overheads.json) are data. Work is bounded for any input.
package tokenizer
