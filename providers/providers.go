// Package providers is the table of vendors: where each one is, which wire format
// it speaks, how it takes its key. It says which vendor a request is for, and
// turns finished exchanges into calls by their vendor's dialect.
//
// A vendor is data, one row of vendors below; a wire format is code, a folder
// beside this file and one row of dialects.
package providers

// Key says how a vendor takes its credential.
type Key uint8

// The ways to take a credential.
const (
	KeyNone   Key = iota // local servers; a bearer token where one is set
	KeyBearer            // Authorization: Bearer …
	KeyAPIKey            // api-key: … (Azure)
	KeyXAPI              // x-api-key: … (Anthropic)
	KeyGoogle            // x-goog-api-key: …, or ?key= in the query
)

// Usage says what is done for the usage of streams.
type Usage uint8

// The policies.
const (
	// UsageCount never touches a byte: what a provider does not report is counted.
	UsageCount Usage = iota
	// UsageAsk asks the provider for the usage of a stream where the caller did
	// not, and takes what that adds out of the answer.
	UsageAsk
)

// vendor is one row of the table.
type vendor struct {
	name     string // first segment of a path, name in config
	base     string // scheme and host, and a prefix that every path has; "" needs config
	hint     string // with base "": what to configure
	dialect  string
	provider string // gen_ai.provider.name (telemetry reference, section 1.2)
	key      Key
	usage    Usage
	local    bool     // runs on hardware of the user's own
	under    string   // with what every path of its API begins; "" when there is no such thing
	service  string   // name that requests are signed for (AWS)
	hosts    []string // further hosts that are this vendor: "*" stands for a part of a name
}

// vendors has every vendor of the wire reference (sections 2, 4, 10 to 16). Paths
// are relayed as they are, so no base here carries a prefix.
var vendors = []vendor{
	{name: "openai", base: "https://api.openai.com", dialect: "openai", provider: "openai", key: KeyBearer, usage: UsageAsk, under: "/v1/", hosts: []string{"*.api.openai.com"}},
	{name: "azure", hint: "https://{resource}.openai.azure.com", dialect: "openai", provider: "azure.ai.openai", key: KeyAPIKey, usage: UsageAsk, hosts: []string{"*.openai.azure.com", "*.cognitiveservices.azure.com"}},
	{name: "azure-ai", hint: "https://{resource}.services.ai.azure.com", dialect: "openai", provider: "azure.ai.inference", key: KeyAPIKey, hosts: []string{"*.services.ai.azure.com", "*.models.ai.azure.com"}},
	{name: "anthropic", base: "https://api.anthropic.com", dialect: "anthropic", provider: "anthropic", key: KeyXAPI, under: "/v1/"},
	{name: "gemini", base: "https://generativelanguage.googleapis.com", dialect: "gemini", provider: "gcp.gemini", key: KeyGoogle},
	{name: "vertex", base: "https://aiplatform.googleapis.com", dialect: "gemini", provider: "gcp.vertex_ai", key: KeyBearer, hosts: []string{"*-aiplatform.googleapis.com", "aiplatform.*.rep.googleapis.com"}},
	{name: "bedrock", hint: "https://bedrock-runtime.{region}.amazonaws.com", dialect: "bedrock", provider: "aws.bedrock", key: KeyBearer, service: "bedrock", hosts: []string{"bedrock-runtime.*.amazonaws.com", "bedrock-runtime-fips.*.amazonaws.com", "bedrock-runtime.*.amazonaws.com.cn", "bedrock-runtime.*.api.aws", "bedrock-runtime-fips.*.api.aws"}},
	{name: "bedrock-mantle", hint: "https://bedrock-mantle.{region}.api.aws", dialect: "openai", provider: "aws.bedrock", key: KeyBearer, service: "bedrock-mantle", hosts: []string{"bedrock-mantle.*.api.aws"}},
	{name: "cohere", base: "https://api.cohere.com", dialect: "cohere", provider: "cohere", key: KeyBearer, hosts: []string{"api.cohere.ai"}},

	{name: "groq", base: "https://api.groq.com", dialect: "openai", provider: "groq", key: KeyBearer},
	{name: "mistral", base: "https://api.mistral.ai", dialect: "openai", provider: "mistral_ai", key: KeyBearer, hosts: []string{"codestral.mistral.ai"}},
	{name: "xai", base: "https://api.x.ai", dialect: "openai", provider: "x_ai", key: KeyBearer, hosts: []string{"*.api.x.ai"}},
	{name: "deepseek", base: "https://api.deepseek.com", dialect: "openai", provider: "deepseek", key: KeyBearer},
	{name: "together", base: "https://api.together.xyz", dialect: "openai", provider: "together_ai", key: KeyBearer, hosts: []string{"api.together.ai"}},
	{name: "fireworks", base: "https://api.fireworks.ai", dialect: "openai", provider: "fireworks", key: KeyBearer},
	{name: "cerebras", base: "https://api.cerebras.ai", dialect: "openai", provider: "cerebras", key: KeyBearer},
	{name: "perplexity", base: "https://api.perplexity.ai", dialect: "openai", provider: "perplexity", key: KeyBearer},
	{name: "moonshot", base: "https://api.moonshot.ai", dialect: "openai", provider: "moonshot_ai", key: KeyBearer, hosts: []string{"api.moonshot.cn"}},
	{name: "zai", base: "https://api.z.ai", dialect: "openai", provider: "zai", key: KeyBearer},
	{name: "alibaba", base: "https://dashscope-intl.aliyuncs.com", dialect: "openai", provider: "alibaba", key: KeyBearer, hosts: []string{"dashscope.aliyuncs.com", "dashscope-us.aliyuncs.com"}},
	{name: "huggingface", base: "https://router.huggingface.co", dialect: "openai", provider: "huggingface", key: KeyBearer, hosts: []string{"api-inference.huggingface.co", "*.endpoints.huggingface.cloud"}},
	{name: "snowflake", hint: "https://{account}.snowflakecomputing.com", dialect: "openai", provider: "snowflake", key: KeyBearer, hosts: []string{"*.snowflakecomputing.com"}},
	{name: "crusoe", base: "https://api.inference.crusoecloud.com", dialect: "openai", provider: "crusoe", key: KeyBearer},
	{name: "avian", base: "https://api.avian.io", dialect: "openai", provider: "avian", key: KeyBearer},
	{name: "writer", base: "https://api.writer.com", dialect: "openai", provider: "writer", key: KeyBearer},
	{name: "voyage", base: "https://api.voyageai.com", dialect: "openai", provider: "voyage", key: KeyBearer},
	{name: "jina", base: "https://api.jina.ai", dialect: "openai", provider: "jina", key: KeyBearer},
	{name: "replicate", base: "https://api.replicate.com", dialect: "replicate", provider: "replicate", key: KeyBearer},
	{name: "watsonx", hint: "https://{region}.ml.cloud.ibm.com", dialect: "watsonx", provider: "ibm.watsonx.ai", key: KeyBearer, hosts: []string{"*.ml.cloud.ibm.com"}},

	{name: "openrouter", base: "https://openrouter.ai", dialect: "openai", provider: "openrouter", key: KeyBearer},
	{name: "vercel", base: "https://ai-gateway.vercel.sh", dialect: "openai", provider: "vercel", key: KeyBearer},
	{name: "cloudflare", base: "https://gateway.ai.cloudflare.com", dialect: "openai", provider: "cloudflare", key: KeyBearer},
	{name: "portkey", base: "https://api.portkey.ai", dialect: "openai", provider: "portkey", key: KeyBearer},
	{name: "helicone", base: "https://ai-gateway.helicone.ai", dialect: "openai", provider: "helicone", key: KeyBearer, hosts: []string{"*.helicone.ai"}},

	{name: "ollama", base: "http://localhost:11434", dialect: "ollama", provider: "ollama", key: KeyNone, local: true},
	{name: "ollama-cloud", base: "https://ollama.com", dialect: "ollama", provider: "ollama", key: KeyBearer},
	{name: "vllm", base: "http://localhost:8000", dialect: "openai", provider: "vllm", key: KeyNone, local: true},
	{name: "lmstudio", base: "http://localhost:1234", dialect: "openai", provider: "lmstudio", key: KeyNone, local: true},
	{name: "litellm", base: "http://localhost:4000", dialect: "openai", provider: "litellm", key: KeyBearer},
	// Its usual port, 8080, is ours.
	{name: "llamacpp", hint: "http://localhost:{port}", dialect: "openai", provider: "llamacpp", key: KeyNone, local: true},
	{name: "gpustack", hint: "http://{server}", dialect: "openai", provider: "gpustack", key: KeyBearer, local: true},
}
