package recorder

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/spanwire/spanwire/llm"
)

// limitContent removes from a call what its content mode and its caller do not
// let stay. An unknown mode counts as off: rather too little than too much.
func limitContent(c *llm.Call) {
	if c.OmitInput {
		c.System, c.Input, c.Tools, c.OutputSchema = nil, nil, nil, ""
	}
	if c.OmitOutput {
		c.Output = nil
	}
	if c.Raw != nil {
		switch {
		case c.Content != llm.ContentFull && c.Content != "" || c.OmitInput && c.OmitOutput:
			c.Raw = nil
		case c.OmitInput:
			c.Raw.Request = ""
		case c.OmitOutput:
			c.Raw.Response = ""
		}
	}
	var inferred []llm.Inferred
	if c.Run != nil {
		inferred = c.Run.Inferred
	}
	switch c.Content {
	case llm.ContentFull, "":
		c.Content = llm.ContentFull
	case llm.ContentMetadata:
		measureParts(c.System)
		measureMessages(c.Input)
		measureMessages(c.Output)
		for i := range inferred {
			measureParts(inferred[i].Parts)
		}
		for i := range c.Tools {
			c.Tools[i].Description, c.Tools[i].Parameters = "", ""
		}
		c.OutputSchema = ""
	default:
		c.Content = llm.ContentOff
		c.System, c.Input, c.Output, c.Tools, c.OutputSchema = nil, nil, nil, nil, ""
		dropParts(inferred)
	}
	if c.OmitInput { // results of tools, and what was asked of them, stand in the request
		dropParts(inferred)
	}
}

// dropParts leaves of inferred pieces what they are and takes what was said in them.
func dropParts(inferred []llm.Inferred) {
	for i := range inferred {
		for k := range inferred[i].Parts {
			p := &inferred[i].Parts[k]
			*p = llm.Part{Type: p.Type, ID: p.ID, Name: p.Name, Failed: p.Failed}
		}
	}
}

func measureMessages(ms []llm.Message) {
	for i := range ms {
		measureParts(ms[i].Parts)
	}
}

// measureParts puts size and digest in the place of the text of each part. A
// digest that is there already is of what was sent: it stays.
func measureParts(ps []llm.Part) {
	for i := range ps {
		p := &ps[i]
		held := p.Content
		for _, s := range [...]string{p.Arguments, p.Response, p.URI} {
			if held == "" {
				held = s
			}
		}
		if held != "" && p.SHA256 == "" {
			sum := sha256.Sum256([]byte(held))
			p.Size, p.SHA256 = int64(len(held)), hex.EncodeToString(sum[:])
		}
		p.Content, p.Arguments, p.Response, p.URI = "", "", "", ""
	}
}
