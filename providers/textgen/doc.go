// Package textgen reads the text generation APIs that are like no other: IBM
// watsonx, the predictions of Replicate, and Hugging Face's inference server (wire
// reference, section 11). Which one an exchange belongs to is told by its path and
// its members.
package textgen
