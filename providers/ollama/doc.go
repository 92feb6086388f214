// Package ollama reads the native API of Ollama: chat, generate and embeddings
// (wire reference, section 10). Its copies of other APIs are read as those.
package ollama
