// Package gemini reads Google's wire formats, from the Gemini API and from Vertex
// AI: generateContent and its streams, embeddings, predict, interactions, and Live
// over WebSocket.
//
// What is read is told by the path: its verb behind a colon, or its end (wire
// reference, sections 2 and 8). A response is read while it passes, by a [Reader];
// the request from its copy, by [Dialect.ReadRequest]; a Live session by both
// sides' frames, one call a turn. Nothing here does I/O or starts a goroutine.
package gemini
