package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/llm"
)

// ErrNotFound says that there is no such call, trace, session or run.
var ErrNotFound = errors.New("not in the store")

// Call returns a call with what was said in it, as far as that is kept: a call whose
// content is gone has the attribute spanwire.content.dropped. Its day is found by the
// time in the id, else by looking at every day.
func (r *Reader) Call(ctx context.Context, id string) (*llm.Call, error) {
	days, err := r.days(time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	for _, day := range near(days, id) {
		c, err := r.callOf(ctx, day, id)
		if errors.Is(err, ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read call %.64q: %w", id, err)
		}
		return c, nil
	}
	return nil, fmt.Errorf("call %.64q: %w", id, ErrNotFound)
}

// near returns days with those first on which a call of an id may have begun: UUIDs
// of version 7 tell the time.
func near(days []string, id string) []string {
	b, ok := uuidBytes(id)
	if !ok || b[6]>>4 != 7 {
		return days
	}
	var ms int64
	for _, x := range b[:6] {
		ms = ms<<8 | int64(x)
	}
	told := time.UnixMilli(ms).UTC()
	out := make([]string, 0, len(days))
	for _, first := range []bool{true, false} {
		for _, day := range days {
			if (day == told.Format(time.DateOnly) || day == told.Add(-time.Minute).Format(time.DateOnly)) == first {
				out = append(out, day)
			}
		}
	}
	return out
}

func (r *Reader) callOf(ctx context.Context, day, id string) (*llm.Call, error) {
	var c *llm.Call
	var n int64
	err := r.withCalls(ctx, day, func(conn *sqlite.Conn) error {
		key := idOf(id)
		if key == nil {
			key = ""
		}
		return query(conn, "SELECT n, facts FROM call WHERE id = ?", func(st *sqlite.Stmt) (err error) {
			n = st.ColumnInt64(0)
			c, err = (&records{conn: conn}).call(n, column(st, 1))
			return err
		}, key)
	})
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, ErrNotFound
	}
	return c, r.fill(ctx, day, []numbered{{n, c}})
}

// numbered is a call and its number on its day.
type numbered struct {
	n    int64
	call *llm.Call
}

func decodeFacts(b []byte) (*llm.Call, error) {
	plain, err := expand(b)
	if err != nil {
		return nil, err
	}
	return callrecord.DecodeFacts(plain)
}

// fill puts what was said back into calls of one day.
func (r *Reader) fill(ctx context.Context, day string, calls []numbered) error {
	err := r.withBodies(ctx, day, func(conn *sqlite.Conn) error {
		b := newBodies(conn, day, r.seal)
		for _, c := range calls {
			err := b.give(c.n, c.call)
			if errors.Is(err, ErrSealed) {
				c.call.System, c.call.Tools, c.call.Input, c.call.Output, c.call.Raw = nil, nil, nil, nil, nil
				c.call.Problems = append(c.call.Problems, "store: what was said is "+ErrSealed.Error())
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		for _, c := range calls {
			c.call.SetAttr(contentDropped, true)
		}
		return nil
	}
	return err
}

// contentDropped marks a call whose content was there once (docs/telemetry.md).
const contentDropped = "spanwire.content.dropped"

// bodies reads what was said on one day. Rows that were read once are kept: the
// turns of a conversation share theirs.
type bodies struct {
	conn *sqlite.Conn
	day  string
	seal Sealer
	rows map[int64][][]byte // pieces by the number of their call
	sums map[int64][]byte   // hashes of the block that was looked at last
	held int                // bytes in rows
}

func newBodies(conn *sqlite.Conn, day string, seal Sealer) *bodies {
	return &bodies{conn: conn, day: day, seal: seal, rows: map[int64][][]byte{}}
}

// ErrSealed says that what was said is encrypted and no key was given.
var ErrSealed = errors.New("encrypted, and no key is given")

// unsealed returns what was sealed for a place, or what was not sealed as it is.
func (b *bodies) unsealed(data []byte, kind string, id int64) ([]byte, error) {
	if len(data) == 0 || data[0] != sealedMark {
		return data, nil
	}
	if b.seal == nil {
		return nil, ErrSealed
	}
	return b.seal.Open(nil, data, placeOf(b.day, kind, id))
}

// mostHeld is how many bytes of pieces are kept while calls are read.
const mostHeld = 64 << 20

// give puts back into c what was said in it.
func (b *bodies) give(n int64, c *llm.Call) error {
	m, ok, err := b.manifest(n)
	if err != nil || !ok {
		return err
	}
	var raw [sections]strings.Builder
	for s, ids := range m {
		for i, id := range ids {
			p, err := b.piece(id)
			switch {
			case err != nil:
			case section(s) == secRequest || section(s) == secResponse:
				raw[s].Write(p)
			default:
				err = put(c, section(s), i, p)
			}
			if err != nil {
				return fmt.Errorf("piece %d of call %s: %w", i, c.ID, err)
			}
		}
	}
	if c.Raw != nil {
		c.Raw.Request, c.Raw.Response = raw[secRequest].String(), raw[secResponse].String()
	}
	return nil
}

func (b *bodies) manifest(n int64) (m manifest, ok bool, err error) {
	err = query(b.conn, "SELECT manifest FROM said WHERE n = ?", func(st *sqlite.Stmt) error {
		ok = true
		m, err = readManifest(column(st, 0))
		return err
	}, n)
	return m, ok, err
}

func readManifest(squeezed []byte) (manifest, error) {
	plain, err := expandSmall(squeezed)
	if err != nil {
		return manifest{}, err
	}
	return decodeManifest(plain)
}

// put adds one piece to c.
func put(c *llm.Call, s section, i int, p []byte) error {
	switch s {
	case secSystem:
		ps, err := callrecord.DecodeParts(p)
		c.System = append(c.System, ps...)
		return err
	case secTools:
		t, err := callrecord.DecodeTool(p)
		c.Tools = append(c.Tools, t)
		return err
	case secInput:
		m, err := callrecord.DecodeMessage(p)
		c.Input = append(c.Input, m)
		return err
	case secOutput:
		m, err := callrecord.DecodeMessage(p)
		c.Output = append(c.Output, m)
		return err
	case secSchema:
		c.OutputSchema = string(p)
	case secRaw:
		r, err := callrecord.DecodeRawFlags(p)
		c.Raw = &r
		return err
	case secInferred:
		if c.Run != nil && i < len(c.Run.Inferred) {
			ps, err := callrecord.DecodeParts(p)
			c.Run.Inferred[i].Parts = ps
			return err
		}
	}
	return nil
}

var errNoPiece = errors.New("a piece is missing")

// piece returns the bytes of a piece, for reading.
func (b *bodies) piece(id int64) ([]byte, error) {
	n, at := id>>ordinalBits, id&maxOrdinal
	row, err := b.row(n)
	if err != nil {
		return nil, err
	}
	if at >= int64(len(row)) {
		return nil, errNoPiece
	}
	if row[at] != nil {
		return row[at], nil
	}
	var out []byte
	err = query(b.conn, "SELECT data FROM large WHERE id = ?", func(st *sqlite.Stmt) error {
		plain, err := b.unsealed(column(st, 0), placeLarge, id)
		if err == nil {
			out, err = expand(plain)
		}
		return err
	}, id)
	if err == nil && out == nil {
		err = errNoPiece
	}
	if err == nil && b.held+len(out) < mostHeld {
		row[at] = out
		b.held += len(out)
	}
	return out, err
}

// row returns the new pieces of a call.
func (b *bodies) row(n int64) ([][]byte, error) {
	if row, ok := b.rows[n]; ok {
		return row, nil
	}
	var row [][]byte
	size, own := 0, false
	err := query(b.conn, "SELECT pieces FROM said WHERE n = ? AND pieces IS NOT NULL", func(st *sqlite.Stmt) error {
		own = true
		plain, err := b.unsealed(column(st, 0), placePieces, n)
		if err == nil {
			plain, err = expand(plain)
		}
		if err == nil {
			size = len(plain)
			row, err = splitPieces(plain)
		}
		return err
	}, n)
	if err == nil && !own {
		return b.neighbours(n)
	}
	if err != nil {
		return nil, err
	}
	b.hold(size)
	b.rows[n] = row
	return row, nil
}

// hold makes room for rows of a size.
func (b *bodies) hold(size int) {
	if b.held += size; b.held > mostHeld {
		clear(b.rows)
		b.held = size
	}
}

// neighbours returns the new pieces of a call from the block where they are, and keeps
// those of the others in it.
func (b *bodies) neighbours(n int64) ([][]byte, error) {
	if err := b.blocks(); err != nil {
		return nil, err
	}
	err := query(b.conn, "SELECT n, calls FROM pieces WHERE n <= ? AND calls IS NOT NULL ORDER BY n DESC LIMIT 1", func(st *sqlite.Stmt) error {
		first := st.ColumnInt64(0)
		plain, err := b.unsealed(column(st, 1), placeBlock, first)
		if err == nil {
			plain, err = expand(plain)
		}
		if err != nil {
			return err
		}
		b.hold(len(plain))
		return splitBlock(first, plain, func(n int64, what []byte) (err error) {
			b.rows[n], err = splitPieces(what)
			return err
		})
	}, n)
	return b.rows[n], err
}

// blocks says whether the file has any: one of version 1 has not.
func (b *bodies) blocks() error {
	n, _, err := one(b.conn, "SELECT count(*) FROM sqlite_schema WHERE name = 'pieces'")
	if err == nil && n == 0 {
		err = errNoPiece
	}
	return err
}

// hash returns the hash of a piece as it was kept, or nil when it was not.
func (b *bodies) hash(id int64) (sum []byte, err error) {
	n, at := id>>ordinalBits, int(id&maxOrdinal)*len(pieceHash{})
	err = query(b.conn, "SELECT hash FROM piece WHERE id = ?", func(st *sqlite.Stmt) error {
		sum = column(st, 0)
		return nil
	}, id)
	if err != nil || sum != nil || errors.Is(b.blocks(), errNoPiece) {
		return sum, err
	}
	if _, ok := b.sums[n]; !ok {
		b.sums = map[int64][]byte{}
		err = query(b.conn, "SELECT n, hashes FROM pieces WHERE n <= ? AND hashes IS NOT NULL ORDER BY n DESC LIMIT 1", func(st *sqlite.Stmt) error {
			return splitBlock(st.ColumnInt64(0), column(st, 1), func(n int64, sums []byte) error {
				b.sums[n] = sums
				return nil
			})
		}, n)
	}
	if s := b.sums[n]; at+len(pieceHash{}) <= len(s) {
		sum = s[at : at+len(pieceHash{})]
	}
	return sum, err
}

// words are the texts of a message, part or tool, for the index and for previews.
func words(b *strings.Builder, ps []llm.Part) {
	for i := range ps {
		p := &ps[i]
		if p.Type == llm.PartBlob {
			continue
		}
		for _, s := range [...]string{p.Name, p.Content, p.Arguments, p.Response} {
			if s != "" && b.Len() < mostIndexed {
				b.WriteString(s[:min(len(s), mostIndexed)])
				b.WriteByte('\n')
			}
		}
	}
}
