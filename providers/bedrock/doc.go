// Package bedrock reads the runtime API of Amazon Bedrock: Converse and invoke,
// whole and as AWS event streams (wire reference, section 9). Bodies of invoke are
// those of the model's vendor; a vendor with an API of its own is read by the
// dialect of that, as a guest.
package bedrock
