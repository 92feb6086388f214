package tracing

// schemaURL names the conventions that spans and metrics follow. v1.41 is the
// last release of the general conventions that contains GenAI.
const schemaURL = "https://opentelemetry.io/schemas/1.41.0"

// Attributes that are computed from a call. What a dialect reads off the wire
// comes as llm.Attr and is not listed here.
const (
	// GenAI, https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-spans.md
	keyOperation       = "gen_ai.operation.name"
	keyProvider        = "gen_ai.provider.name"
	keyRequestModel    = "gen_ai.request.model"
	keyRequestStream   = "gen_ai.request.stream"
	keyChoiceCount     = "gen_ai.request.choice.count"
	keyResponseModel   = "gen_ai.response.model"
	keyResponseID      = "gen_ai.response.id"
	keyFinishReasons   = "gen_ai.response.finish_reasons"
	keyFirstChunk      = "gen_ai.response.time_to_first_chunk"
	keyInputTokens     = "gen_ai.usage.input_tokens"
	keyOutputTokens    = "gen_ai.usage.output_tokens"
	keyCacheRead       = "gen_ai.usage.cache_read.input_tokens"
	keyCacheCreation   = "gen_ai.usage.cache_creation.input_tokens"
	keyReasoningTokens = "gen_ai.usage.reasoning.output_tokens"
	keyUsageCost       = "gen_ai.usage.cost"
	keyConversation    = "gen_ai.conversation.id"
	keyAgent           = "gen_ai.agent.name"
	keySystem          = "gen_ai.system_instructions"
	keyInput           = "gen_ai.input.messages"
	keyOutput          = "gen_ai.output.messages"
	keyTools           = "gen_ai.tool.definitions"
	keyTokenType       = "gen_ai.token.type"
	keyToolName        = "gen_ai.tool.name"
	keyToolType        = "gen_ai.tool.type"
	keyToolCallID      = "gen_ai.tool.call.id"
	keyToolArguments   = "gen_ai.tool.call.arguments"
	keyToolResult      = "gen_ai.tool.call.result"

	// General conventions.
	keyErrorType     = "error.type"
	keyServerAddress = "server.address"
	keyServerPort    = "server.port"
	keyHTTPMethod    = "http.request.method"
	keyHTTPMethodRaw = "http.request.method_original"
	keyHTTPStatus    = "http.response.status_code"
	keyURLPath       = "url.path"
	keySessionID     = "session.id"
	keyUserID        = "user.id"
	keyServiceTier   = "openai.response.service_tier"

	// Spanwire's own.
	keyCallID           = "spanwire.call.id"
	keyKind             = "spanwire.operation.kind"
	keyRoute            = "spanwire.route"
	keyTeam             = "spanwire.team"
	keyTags             = "spanwire.tags"
	keyMetadataPrefix   = "spanwire.metadata."
	keyKeyFingerprint   = "spanwire.key.fingerprint"
	keyUsageSource      = "spanwire.usage.source"
	keyUsageRaw         = "spanwire.usage.raw"
	keyUsagePrefix      = "spanwire.usage."
	keyCostSource       = "spanwire.cost.source"
	keyCostStatus       = "spanwire.cost.status"
	keyCostUSD          = "spanwire.cost.usd"
	keyCostTotal        = "spanwire.cost.total"    // in another currency …
	keyCostCurrency     = "spanwire.cost.currency" // … which is this one
	keyCostInput        = "spanwire.cost.input"
	keyCostOutput       = "spanwire.cost.output"
	keyCostCacheRead    = "spanwire.cost.cache_read"
	keyCostCacheWrite   = "spanwire.cost.cache_write"
	keyCostTools        = "spanwire.cost.tools"
	keyCostPrice        = "spanwire.cost.price"
	keyFirstToken       = "spanwire.time_to_first_token"
	keyChunks           = "spanwire.chunks.count"
	keyGapMean          = "spanwire.chunks.gap.mean"
	keyGapP95           = "spanwire.chunks.gap.p95"
	keyGapMax           = "spanwire.chunks.gap.max"
	keyOverhead         = "spanwire.overhead"
	keyRequestBytes     = "spanwire.request.bytes"
	keyResponseBytes    = "spanwire.response.bytes"
	keyEnd              = "spanwire.end"
	keyRetryCount       = "spanwire.retry.count"
	keyParentCall       = "spanwire.parent.call.id"
	keyRetryOf          = "spanwire.retry.of"
	keyRepeatOf         = "spanwire.repeat.of"
	keyRunID            = "spanwire.run.id"
	keyRunTurn          = "spanwire.run.turn"
	keyRunByCall        = "spanwire.run.by.call.id"
	keyRunByTool        = "spanwire.run.by.tool.call.id"
	keySession          = "spanwire.session.id"
	keySessionInferred  = "spanwire.session.inferred"
	keyInferred         = "spanwire.inferred"
	keyEvidence         = "spanwire.evidence"
	keyConfidence       = "spanwire.confidence"
	keyToolDuration     = "spanwire.tool.duration"
	keyToolRun          = "spanwire.tool.run.id"
	keyToolSize         = "spanwire.tool.call"
	keyProblems         = "spanwire.problems"
	keyContentTruncated = "spanwire.content.truncated"
)

// computed holds the keys that a call's carried attributes must not repeat: OTLP
// wants unique keys, and what the program computed with is what is true.
var computed = keySet(
	keyOperation, keyProvider, keyRequestModel, keyRequestStream, keyResponseModel, keyResponseID,
	keyFinishReasons, keyFirstChunk, keyInputTokens, keyOutputTokens, keyCacheRead, keyCacheCreation,
	keyReasoningTokens, keyUsageCost, keyConversation, keyAgent, keySystem, keyInput, keyOutput, keyTools,
	keyErrorType, keyServerAddress, keyServerPort, keyHTTPMethod, keyHTTPMethodRaw, keyHTTPStatus, keyURLPath,
	keySessionID, keyUserID, keyCallID, keyKind, keyRoute, keyTeam, keyTags, keyKeyFingerprint,
	keyUsageSource, keyUsageRaw, keyCostSource, keyCostStatus, keyCostUSD, keyCostTotal, keyCostCurrency, keyCostInput, keyCostOutput,
	keyCostCacheRead, keyCostCacheWrite, keyCostTools, keyCostPrice, keyFirstToken, keyChunks, keyGapMean,
	keyGapP95, keyGapMax, keyOverhead, keyRequestBytes, keyResponseBytes, keyEnd, keyRetryCount, keyParentCall,
	keyProblems, keyContentTruncated, keyRetryOf, keyRepeatOf, keyRunID, keyRunTurn, keyRunByCall, keyRunByTool,
	keySession, keySessionInferred, keyInferred, keyEvidence, keyConfidence,
)

func keySet(keys ...string) map[string]struct{} {
	set := make(map[string]struct{}, len(keys))
	for _, k := range keys {
		set[k] = struct{}{}
	}
	return set
}

// isContent says whether an attribute holds prompts or answers as JSON text.
func isContent(key string) bool {
	return key == keyInput || key == keyOutput || key == keySystem || key == keyTools
}
