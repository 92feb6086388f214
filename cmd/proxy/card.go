package main

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// card is a call for people to read in a terminal.
func card(c *llm.Call) string {
	var k cardText
	k.line("call", c.ID)
	k.line("what", strings.TrimSpace(c.Operation+" "+c.Model()+" by "+c.Provider))
	if c.RequestModel != "" && c.ResponseModel != "" && c.RequestModel != c.ResponseModel {
		k.line("asked for", c.RequestModel)
	}
	k.line("request", fmt.Sprintf("%s %s to %s, %d bytes", c.Method, c.Path, c.ServerAddress, c.RequestBytes))
	status := fmt.Sprintf("%d, %d bytes", c.Status, c.ResponseBytes)
	if c.Ended != "" && c.Ended != llm.EndComplete {
		status += ", " + string(c.Ended)
	}
	k.line("answer", status)
	if c.ErrorType != "" {
		k.line("error", strings.TrimSpace(c.ErrorType+" "+c.ErrorMessage))
	}
	k.times(c)
	k.who(c)
	k.usage(c)
	k.cost(c)
	for _, p := range c.Problems {
		k.line("problem", p)
	}
	for _, a := range c.Attrs {
		k.line("", fmt.Sprintf("%s = %v", a.Key, a.Value))
	}
	k.said(c)
	return k.b.String()
}

type cardText struct{ b strings.Builder }

// line writes a name and a value that is told by others: on one line.
func (k *cardText) line(name, value string) {
	if value != "" {
		fmt.Fprintf(&k.b, "%-10s %s\n", name, safe(value, 400))
	}
}

func (k *cardText) times(c *llm.Call) {
	if c.Start.IsZero() {
		return
	}
	s := c.Start.Local().Format("2006-01-02 15:04:05.000 MST")
	if !c.End.IsZero() {
		s += ", took " + took(c.End.Sub(c.Start))
	}
	if !c.FirstToken.IsZero() {
		s += ", first token after " + took(c.FirstToken.Sub(c.Start))
	}
	k.line("when", s)
}

func (k *cardText) who(c *llm.Call) {
	var parts []string
	for _, x := range [][2]string{{"team", c.Attribution.Team}, {"user", c.Attribution.User}, {"session", c.Attribution.Session}, {"agent", c.Attribution.Agent}, {"key", c.Attribution.Key}, {"tags", strings.Join(c.Attribution.Tags, ", ")}} {
		if x[1] != "" {
			parts = append(parts, x[0]+" "+x[1])
		}
	}
	k.line("who", strings.Join(parts, " · "))
	where := "trace " + hex.EncodeToString(c.Place.Trace[:]) + " span " + hex.EncodeToString(c.Place.Span[:])
	if c.Place.Parent != [8]byte{} {
		where += " under " + hex.EncodeToString(c.Place.Parent[:])
	}
	k.line("where", where)
	if c.Run != nil && c.Run.ID != "" {
		k.line("run", fmt.Sprintf("%s, turn %d", c.Run.ID, c.Run.Turn))
	}
}

func (k *cardText) usage(c *llm.Call) {
	var parts []string
	for _, kind := range llm.UsageKinds() {
		if n, ok := c.Usage.Get(kind); ok && (n > 0 || kind == llm.UncachedInput || kind == llm.OutputText) {
			parts = append(parts, strconv.FormatInt(n, 10)+" "+strings.ReplaceAll(kind.String(), "_", " "))
		}
	}
	if len(parts) == 0 {
		parts = []string{"not known"}
	}
	s := strings.Join(parts, ", ")
	if c.Usage.Source != "" {
		s += " (" + string(c.Usage.Source) + ")"
	}
	k.line("usage", s)
}

func (k *cardText) cost(c *llm.Call) {
	if !c.Cost.Known() {
		k.line("cost", "not known: "+string(c.Cost.Status))
		return
	}
	s := c.Cost.Money().String()
	var parts []string
	for _, x := range []struct {
		name   string
		amount llm.Pico
	}{{"input", c.Cost.Input}, {"cache read", c.Cost.CacheRead}, {"cache write", c.Cost.CacheWrite}, {"output", c.Cost.Output}, {"tools", c.Cost.Tools}} {
		if x.amount != 0 {
			parts = append(parts, x.name+" "+llm.Money{Amount: x.amount, Currency: c.Cost.Currency}.String())
		}
	}
	if len(parts) > 0 {
		s += " = " + strings.Join(parts, " + ")
	}
	from := []string{string(c.Cost.Source)}
	for _, x := range []string{string(c.Cost.Status), c.Cost.Price} {
		if x != "" && x != string(llm.CostOK) {
			from = append(from, x)
		}
	}
	k.line("cost", s+" ("+strings.Join(from, ", ")+")")
}

// said writes what was said: the conversation, tools last.
func (k *cardText) said(c *llm.Call) {
	if len(c.System) > 0 {
		k.head("system")
		k.parts(c.System)
	}
	for i := range c.Input {
		k.head(c.Input[i].Role)
		k.parts(c.Input[i].Parts)
	}
	for i := range c.Output {
		head := "answer"
		if len(c.Output) > 1 {
			head += " " + strconv.Itoa(i+1)
		}
		if r := c.Output[i].FinishReason; r != "" {
			head += " (" + r + ")"
		}
		k.head(head)
		k.parts(c.Output[i].Parts)
	}
	if len(c.Tools) > 0 {
		k.head("tools")
		for _, t := range c.Tools {
			fmt.Fprintf(&k.b, "%s  %s\n", safe(t.Name, 64), safe(t.Description, 100))
		}
	}
}

func (k *cardText) head(name string) {
	name = safe(name, 60)
	fmt.Fprintf(&k.b, "\n── %s %s\n", name, strings.Repeat("─", max(3, 70-len(name))))
}

func (k *cardText) parts(ps []llm.Part) {
	for i := range ps {
		p := &ps[i]
		switch {
		case p.Arguments != "" || p.Type == llm.PartToolCall:
			fmt.Fprintf(&k.b, "→ %s(%s)\n", safe(p.Name, 64), text(p.Arguments))
		case p.Response != "" || p.Type == llm.PartToolCallResponse:
			fmt.Fprintf(&k.b, "← %s\n", text(p.Response))
		case p.Content != "" && p.Type != llm.PartBlob:
			mark := ""
			if p.Type != llm.PartText {
				mark = "[" + safe(p.Type, 32) + "] "
			}
			fmt.Fprintf(&k.b, "%s%s\n", mark, text(p.Content))
		default:
			what := slices.DeleteFunc([]string{p.Type, p.Modality, p.MIMEType, p.URI, p.ID}, func(s string) bool { return s == "" })
			fmt.Fprintf(&k.b, "[%s, %d bytes]\n", safe(strings.Join(what, " "), 300), p.Size)
		}
	}
}

// text returns a text of several lines for a terminal, without what it would take for
// a command.
func text(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || strconv.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
