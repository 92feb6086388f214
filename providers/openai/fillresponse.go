package openai

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/toldcost"
	"github.com/spanwire/spanwire/llm"
)

// fill writes what was read of a response into c.
func (r *response) fill(c *llm.Call, h llm.Header) {
	if r.room.Lost > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response: %d bytes of text past the first %d were not kept", r.room.Lost, intake.MaxText))
	}
	if r.more {
		c.Problems = append(c.Problems, fmt.Sprintf("response: only the first %d items were read", maxItems))
	}
	c.ResponseID = jsonwalk.Unescape(r.id)
	if c.ResponseModel = jsonwalk.Unescape(r.model); c.ResponseModel == "" {
		c.ResponseModel = h.Get("x-ms-served-model")
	}
	setText(c, "openai.response.service_tier", r.tier)
	setText(c, "openai.response.status", r.status)
	setText(c, "openai.response.conversation", r.conversation)
	parts, count := r.parts()
	r.fillUsage(c, h, count)
	if r.err != nil {
		c.ErrorType, c.ErrorMessage = r.err.Code, apierror.Scrub(r.err.Message)
	}
	r.fillOutput(c, parts, count)
}

// tally is what items say that usage does not.
type tally struct {
	calls, web, files, images int
	containers                []string // that code ran in: they are billed a session, whatever ran
}

// parts reads the output: of the last whole object, else of the items as far as
// they have come.
func (r *response) parts() (parts []llm.Part, n tally) {
	take := func(val []byte) {
		role, of := readItem(val)
		if role == "user" || role == "system" || role == "developer" {
			return // what is compacted repeats the input
		}
		n.count(val)
		parts = append(parts, of...)
	}
	if len(r.output) > 0 {
		for e := jsonwalk.Array(r.output); e.Next(); {
			if jsonwalk.IsObject(e.Val) {
				take(e.Val)
			}
		}
		return parts, n
	}
	for _, it := range r.items {
		if len(it.raw) > 0 {
			take(it.raw)
			continue
		}
		parts = append(parts, it.parts()...)
		if k := string(it.kind); k == "function_call" || k == "custom_tool_call" {
			n.calls++
		}
	}
	return parts, n
}

// maxContainers bounds the containers of one response.
const maxContainers = 64

// count counts what is billed a call, and what the caller is to do.
func (n *tally) count(item []byte) {
	switch jsonwalk.Str(jsonwalk.Member(item, "type")) {
	case "function_call", "custom_tool_call", "local_shell_call", "apply_patch_call", "computer_call", "mcp_approval_request":
		n.calls++
	case "shell_call", "tool_search_call":
		// These run on either side.
		if s := jsonwalk.Str(jsonwalk.Member(item, "execution")); s == "client" {
			n.calls++
		}
	case "web_search_call":
		// Opening a page that was found is no search.
		if s := jsonwalk.Str(jsonwalk.Member(jsonwalk.Member(item, "action"), "type")); s == "" || s == "search" {
			n.web++
		}
	case "file_search_call":
		n.files++
	case "code_interpreter_call":
		id := jsonwalk.Str(jsonwalk.Member(item, "container_id"))
		if id != "" && len(n.containers) < maxContainers && !slices.Contains(n.containers, id) {
			n.containers = append(n.containers, id)
		}
	case "image_generation_call":
		if !jsonwalk.Empty(jsonwalk.Member(item, "result")) {
			n.images++
		}
	}
}

// parts makes parts of an item that did not come to its end.
func (it *item) parts() (parts []llm.Part) {
	kind := string(it.kind)
	add := func(t *intake.Text) (p llm.Part) {
		p.Content = jsonwalk.Unescape(t.Raw)
		if t.Seen > len(t.Raw) {
			p.Size = int64(t.Seen)
		}
		return p
	}
	for _, x := range it.pieces {
		p := add(&x.text)
		switch x.kind {
		case partReasoning:
			p.Type = llm.PartReasoning
		case partRefusal:
			p.Type = llm.PartRefusal
		default:
			p.Type = llm.PartText
		}
		parts = append(parts, p)
	}
	switch kind {
	case "function_call", "custom_tool_call", "mcp_call", "code_interpreter_call":
	case "":
		if it.args.Seen == 0 {
			return parts
		}
	default: // of the others the pieces are not what the whole item says
		return parts
	}
	p := add(&it.args)
	p.Arguments, p.Content = p.Content, ""
	p.ID, p.Name = jsonwalk.Unescape(it.callID), jsonwalk.Unescape(it.name)
	if id := jsonwalk.Unescape(it.id); p.ID == "" {
		p.ID = id
	} else if id != p.ID {
		p.Item = id
	}
	p.Type = llm.PartToolCall
	if row, ok := hosted[kind]; ok {
		p.Type = llm.PartServerToolCall
		p.Name = cmp.Or(row.name, p.Name)
	}
	return append(parts, p)
}

// fillUsage sets usage, tier, steps and cost.
func (r *response) fillUsage(c *llm.Call, h llm.Header, n tally) {
	c.UsageRaw = string(r.usage)
	u, ok := readUsage(r.usage)
	if !ok {
		if r.pending() && (r.background || string(r.status) == "queued") {
			c.Usage.Source = llm.UsageMissing // it is told by a later call: nothing is to be guessed
		}
		return
	}
	if u.Tier = jsonwalk.Unescape(r.tier); u.Tier == "auto" { // what was asked, not what served
		u.Tier = ""
	}
	r.addFees(&u, n)
	c.Usage = u
	if cost, ok := toldcost.Of(r.usage, h); ok {
		c.Cost = cost
	}
	c.Steps = r.steps(&u, n)
}

// pending says that the response is still being made.
func (r *response) pending() bool {
	s := string(r.status)
	return s == "queued" || s == "in_progress"
}

// addFees sets what is billed a call. What the provider counted goes before what
// the items show; 0 is only said where it was told.
func (r *response) addFees(u *llm.Usage, n tally) {
	for _, f := range []struct {
		kind  llm.UsageKind
		told  string // in tool_usage
		own   string // in the usage of xAI
		items int
	}{
		{llm.WebSearches, "web_search.num_requests", "server_side_tool_usage_details.web_search_calls", n.web},
		{llm.FileSearches, "file_search.num_requests", "server_side_tool_usage_details.file_search_calls", n.files},
		{llm.CodeSessions, "", "server_side_tool_usage_details.code_interpreter_calls", len(n.containers)},
	} {
		if v, ok := count([]byte(gjson.GetBytes(r.tools, f.told).Raw)); ok {
			u.Set(f.kind, v)
		} else if v, ok := count([]byte(gjson.GetBytes(r.usage, f.own).Raw)); ok {
			u.Set(f.kind, v)
		} else if _, known := u.Get(f.kind); !known && f.items > 0 {
			u.Set(f.kind, int64(f.items))
		}
	}
}

// steps splits what is billed at two models: the tokens of the tool that makes
// images are outside of the usage (wire reference, section 5.2). nil when it made
// none.
func (r *response) steps(main *llm.Usage, n tally) []llm.Step {
	img, ok := readUsage([]byte(gjson.GetBytes(r.tools, "image_gen").Raw))
	if !ok {
		return nil
	}
	in, _ := img.Input()
	out, _ := img.Output()
	if in+out == 0 {
		return nil
	}
	asImages(&img)
	if n.images > 0 {
		img.Set(llm.Images, int64(n.images))
	}
	model := jsonwalk.Unescape(r.imageModel)
	if model == "" {
		model = "gpt-image-1" // what the tool uses where nothing is said
	}
	return []llm.Step{{Kind: "message", Usage: *main}, {Kind: "image_generation", Model: model, Usage: img}}
}

// asImages says that output tokens of which no modality is told are those of
// images: a model for images makes nothing else.
func asImages(u *llm.Usage) {
	if _, told := u.Get(llm.ImageOutput); told {
		return
	}
	if out, ok := u.Get(llm.OutputText); ok {
		u.Set(llm.ImageOutput, out)
		u.Set(llm.OutputText, 0)
	}
}

// fillOutput sets the one message of a response and why it ended (wire reference,
// section 5.2: it is derived).
func (r *response) fillOutput(c *llm.Call, parts []llm.Part, n tally) {
	reason, normal := r.finish(n)
	if len(parts) == 0 && reason == "" {
		return
	}
	if len(parts) > 0 || !r.pending() && r.err == nil {
		c.Output = []llm.Message{{Role: "assistant", Parts: parts, FinishReason: normal}}
	}
	if reason != "" {
		c.FinishReasons = []string{reason}
	}
}

// finish returns why the response ended, in the provider's words as far as it has
// any, and the normal form; "" when it did not tell.
func (r *response) finish(n tally) (reason, normal string) {
	switch status := string(r.status); status {
	case "completed":
		if n.calls > 0 {
			return "tool_calls", "tool_call"
		}
		return "stop", "stop"
	case "incomplete":
		reason = jsonwalk.Unescape(r.reason)
		switch reason {
		case "":
			return status, status
		case "max_output_tokens", "max_tokens":
			return reason, "length"
		}
		return reason, finishName(reason)
	case "failed":
		return status, "error"
	case "cancelled":
		if reason = jsonwalk.Unescape(r.reason); reason == "" {
			reason = status
		}
		return reason, status
	case "", "queued", "in_progress":
	default:
		return status, status
	}
	return "", ""
}
