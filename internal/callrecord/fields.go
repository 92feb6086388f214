package callrecord

// The structs of a record, each field in the order in which they stand there.

func appendFacts(b []byte, v *Facts) []byte {
	f := begin(b)
	f.text(1, v.ID)
	f.text(2, string(v.Kind))
	f.text(3, v.Operation)
	f.text(4, v.Provider)
	f.text(5, v.Route)
	f.text(6, v.RequestModel)
	f.text(7, v.ResponseModel)
	f.text(8, v.ResponseID)
	f.bool(9, v.Stream)
	f.text(10, v.Method)
	f.text(11, v.Path)
	f.text(12, v.ServerAddress)
	f.int(13, int64(v.ServerPort))
	f.int(14, int64(v.Status))
	f.moment(15, v.Start)
	f.moment(16, v.FirstByte)
	f.moment(17, v.FirstToken)
	f.moment(18, v.End)
	f.int(19, int64(v.Overhead))
	sub(&f, 20, v.Chunks != (chunks{}), &v.Chunks, appendChunks)
	f.text(21, string(v.Ended))
	f.text(22, v.ErrorType)
	f.text(23, v.ErrorMessage)
	f.int(24, v.RequestBytes)
	f.int(25, v.ResponseBytes)
	f.texts(26, v.FinishReasons)
	sub(&f, 27, !v.Usage.IsZero(), &v.Usage, appendUsage)
	list(&f, 28, v.Steps, appendStep)
	f.text(29, v.UsageRaw)
	sub(&f, 30, v.Cost != (cost{}), &v.Cost, appendCost)
	sub(&f, 31, !v.Attribution.empty(), &v.Attribution, appendAttribution)
	sub(&f, 32, v.Place != (place{}), &v.Place, appendPlace)
	f.text(33, string(v.Content))
	f.bool(34, v.OmitInput)
	f.bool(35, v.OmitOutput)
	f.int(36, int64(v.Retry))
	list(&f, 37, v.Attrs, appendAttr)
	f.texts(38, v.Problems)
	f.text(39, v.UsageOf)
	sub(&f, 40, v.Run != nil, v.Run, appendRun)
	return f.end()
}

func appendSaid(b []byte, v *Said) []byte {
	f := begin(b)
	list(&f, 1, v.System, appendPart)
	list(&f, 2, v.Input, appendMessage)
	list(&f, 3, v.Output, appendMessage)
	list(&f, 4, v.Tools, appendTool)
	f.text(5, v.OutputSchema)
	list(&f, 6, v.Inferred, func(b []byte, ps *[]part) []byte { return appendParts(b, *ps) })
	sub(&f, 7, v.Raw != nil, v.Raw, appendRaw)
	return f.end()
}

func appendRaw(b []byte, v *raw) []byte {
	f := begin(b)
	f.text(1, v.Request)
	f.text(2, v.Response)
	f.bool(3, v.RequestCut)
	f.bool(4, v.ResponseCut)
	f.bool(5, v.RequestRedacted)
	f.bool(6, v.ResponseRedacted)
	return f.end()
}

func appendMessage(b []byte, v *message) []byte {
	f := begin(b)
	f.text(1, v.Role)
	f.text(2, v.Name)
	list(&f, 3, v.Parts, appendPart)
	f.text(4, v.FinishReason)
	return f.end()
}

func appendPart(b []byte, v *part) []byte {
	f := begin(b)
	f.text(1, v.Type)
	f.text(2, v.Content)
	f.text(3, v.ID)
	f.text(4, v.Name)
	f.text(5, v.Arguments)
	f.text(6, v.Response)
	f.bool(14, v.Failed)
	f.text(15, v.Item)
	f.text(7, v.Modality)
	f.text(8, v.MIMEType)
	f.text(9, v.URI)
	f.int(10, v.Size)
	f.text(11, v.SHA256)
	f.int(12, int64(v.Width))
	f.int(13, int64(v.Height))
	f.text(16, v.Detail)
	return f.end()
}

func appendTool(b []byte, v *tool) []byte {
	f := begin(b)
	f.text(1, v.Type)
	f.text(2, v.Name)
	f.text(3, v.Description)
	f.text(4, v.Parameters)
	return f.end()
}

func appendChunks(b []byte, v *chunks) []byte {
	f := begin(b)
	f.int(1, int64(v.Count))
	f.int(2, int64(v.GapMean))
	f.int(3, int64(v.GapP95))
	f.int(4, int64(v.GapMax))
	return f.end()
}

func appendCost(b []byte, v *cost) []byte {
	f := begin(b)
	f.int(1, int64(v.Total))
	f.int(2, int64(v.Input))
	f.int(3, int64(v.Output))
	f.int(4, int64(v.CacheRead))
	f.int(5, int64(v.CacheWrite))
	f.int(6, int64(v.Tools))
	f.text(12, string(v.Currency))
	f.text(7, string(v.Source))
	f.text(8, string(v.Status))
	f.text(9, v.Price)
	f.int(10, int64(v.Table))
	f.bool(11, v.HasTable)
	return f.end()
}

func appendPlace(b []byte, v *place) []byte {
	f := begin(b)
	f.id16(1, v.Trace)
	f.id8(2, v.Span)
	f.id8(3, v.Parent)
	f.int(4, int64(v.Flags))
	f.text(5, v.State)
	f.bool(6, v.Remote)
	f.text(7, v.ParentCall)
	return f.end()
}

func appendAttribution(b []byte, v *attribution) []byte {
	f := begin(b)
	f.text(1, v.Team)
	f.text(2, v.User)
	f.text(3, v.Session)
	f.text(4, v.SessionSource)
	f.text(5, v.Agent)
	f.texts(6, v.Tags)
	list(&f, 7, v.Metadata, appendAttr)
	f.text(8, v.Key)
	return f.end()
}

func appendStep(b []byte, v *step) []byte {
	f := begin(b)
	f.text(1, v.Kind)
	f.text(2, v.Model)
	sub(&f, 3, !v.Usage.IsZero(), &v.Usage, appendUsage)
	return f.end()
}

func appendRun(b []byte, v *run) []byte {
	f := begin(b)
	f.text(1, v.ID)
	f.text(2, v.Session)
	f.int(3, int64(v.Turn))
	f.text(4, v.RetryOf)
	f.text(5, v.RepeatOf)
	f.text(6, v.ByCall)
	f.text(7, v.ByTool)
	f.texts(8, v.Evidence)
	list(&f, 9, v.Inferred, appendInferred)
	f.text(10, v.Confidence)
	sub(&f, 11, v.Root != (spanRef{}), &v.Root, appendSpanRef)
	f.id8(12, v.Above)
	list(&f, 13, v.Links, appendSpanRef)
	return f.end()
}

func appendSpanRef(b []byte, v *spanRef) []byte {
	f := begin(b)
	f.id16(1, v.Trace)
	f.id8(2, v.Span)
	return f.end()
}

func appendInferred(b []byte, v *inferred) []byte {
	f := begin(b)
	f.text(1, v.Operation)
	f.text(2, v.Call)
	f.text(3, v.Run)
	f.moment(4, v.Start)
	f.moment(5, v.End)
	f.texts(6, v.Evidence)
	f.text(7, v.Confidence)
	sub(&f, 8, v.Span != (spanRef{}), &v.Span, appendSpanRef)
	f.id8(9, v.Above)
	f.int(10, int64(v.Duration))
	return f.end()
}

func appendUsage(b []byte, v *usage) []byte {
	f := begin(b)
	list(&f, 1, v.Counts, func(b []byte, n *int64) []byte { return appendInt(b, *n) })
	f.text(2, string(v.Source))
	f.text(3, v.Tier)
	f.text(4, v.Speed)
	f.text(5, v.Region)
	f.bool(6, v.Batch)
	f.bool(7, v.Inconsistent)
	f.text(8, v.ImageForm)
	return f.end()
}

// appendParts writes a list of parts; one that is nil differs from an empty one.
func appendParts(b []byte, ps []part) []byte {
	if ps == nil {
		return append(b, cborNull)
	}
	return appendList(b, ps, appendPart)
}

func appendMoment(b []byte, m moment) []byte {
	return appendInt(appendInt(appendHead(b, cborArray, 2), m.Sec), int64(m.Nsec))
}

// appendAttr writes an attribute, whose value plain has made one of these.
func appendAttr(b []byte, a *attr) []byte {
	b = appendBytes(appendHead(b, cborArray, 2), a.Key)
	switch v := a.Value.(type) {
	case string:
		return appendBytes(b, v)
	case int64:
		return appendInt(b, v)
	case float64:
		return appendFloat(b, v)
	case bool:
		return appendBool(b, v)
	case []string:
		if v != nil {
			return appendTexts(b, v)
		}
	}
	return append(b, cborNull)
}

func (a *attribution) empty() bool {
	return a.Team == "" && a.User == "" && a.Session == "" && a.SessionSource == "" && a.Agent == "" && len(a.Tags) == 0 && len(a.Metadata) == 0 && a.Key == ""
}
