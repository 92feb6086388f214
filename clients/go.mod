module github.com/spanwire/spanwire/clients

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/openai/openai-go/v3 v3.95.0
	github.com/spanwire/spanwire v0.0.0
	golang.org/x/tools v0.52.0
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/molecule-man/go-brrr v1.0.1 // indirect
	github.com/tidwall/gjson v1.20.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/tidwall/sjson v1.2.5 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/valyala/fasthttp v1.74.0 // indirect
)

replace github.com/spanwire/spanwire => ..
