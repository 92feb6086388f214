// Package cohere reads the API of Cohere, versions 1 and 2: chat, generate,
// embeddings and rerank (wire reference, section 11); and rerank as the vendors
// that copy it answer it.
package cohere
