package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// busyTime is how long a connection waits for another program that has the file
// locked, which nobody does for long.
const busyTime = 10 * time.Second

// How connections are set up. A write-ahead log lets others read while one writes;
// with synchronous at NORMAL a commit is safe from the end of the process, and
// Flush makes it safe from the end of the machine.
const (
	writerPragmas = `PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864;`
	readerPragmas = `PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096;`
)

// openWriter opens a file for writing, and makes it with schema when it is new.
func openWriter(path string, pageSize int, schema string) (*sqlite.Conn, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", base(path), err)
	}
	c.SetBusyTimeout(busyTime)
	pragmas := fmt.Sprintf("PRAGMA page_size=%d; PRAGMA journal_mode=WAL; %s", pageSize, writerPragmas)
	if err = run(c, pragmas); err == nil {
		err = migrate(c, schema)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", base(path), err), c.Close())
	}
	return c, nil
}

// private makes a new file readable by its owner only; SQLite gives the files
// beside it the same rights.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// openReader opens a file that exists for reading.
func openReader(path string) (*sqlite.Conn, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	// A log that a crash left is taken up by the first who opens the file, and a
	// reader beside a writer needs the shared index: neither is possible read-only.
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		c, err = sqlite.OpenConn(path, sqlite.OpenReadOnly)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", base(path), err)
	}
	c.SetBusyTimeout(busyTime)
	version, _, err := one(c, "PRAGMA user_version")
	if err == nil && version > 0 && version < 2 {
		err = run(c, asNow)
	}
	if err == nil {
		err = run(c, readerPragmas)
	}
	if err == nil && version == 0 {
		err = os.ErrNotExist // it is being made: there is nothing in it yet
	}
	if err == nil {
		err = checkVersion(c)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", base(path), err), c.Close())
	}
	return c, nil
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// run executes statements without parameters and results, outside a transaction.
func run(c *sqlite.Conn, script string) error {
	for _, s := range strings.Split(script, ";\n") {
		for s = strings.TrimSpace(s); s != ""; {
			st, rest, err := c.PrepareTransient(s)
			if err != nil {
				return err
			}
			if st == nil {
				break // a comment
			}
			for more := true; more && err == nil; {
				more, err = st.Step()
			}
			if ferr := st.Finalize(); err == nil {
				err = ferr
			}
			if err != nil {
				return err
			}
			s = strings.TrimSpace(s[len(s)-rest:])
		}
	}
	return nil
}

// args binds the parameters of a statement one after the other.
type args struct {
	st *sqlite.Stmt
	n  int
}

func (a *args) int(v int64)   { a.n++; a.st.BindInt64(a.n, v) }
func (a *args) text(s string) { a.n++; a.st.BindText(a.n, s) }
func (a *args) blob(b []byte) { a.n++; a.st.BindBytes(a.n, b) }
func (a *args) null()         { a.n++; a.st.BindNull(a.n) }

// maybe binds a number that may be unknown.
func (a *args) maybe(v int64, known bool) {
	if known {
		a.int(v)
	} else {
		a.null()
	}
}

// any binds a value of one of the types that the store uses.
func (a *args) any(v any) {
	switch v := v.(type) {
	case int64:
		a.int(v)
	case int:
		a.int(int64(v))
	case bool:
		a.int(flag(v))
	case string:
		a.text(v)
	case []byte:
		a.blob(v)
	case nil:
		a.null()
	default:
		panic(fmt.Sprintf("BUG: a parameter of type %T", v))
	}
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// exec executes a statement that is used often, without results.
func exec(c *sqlite.Conn, sql string, params ...any) error {
	return query(c, sql, nil, params...)
}

// query executes a statement that is used often and calls row for each row.
func query(c *sqlite.Conn, sql string, row func(*sqlite.Stmt) error, params ...any) error {
	st, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	err = rows(st, row, params...)
	if rerr := st.Reset(); err == nil {
		err = rerr
	}
	return err
}

// queryOnce is query for a statement that was put together for one question.
func queryOnce(c *sqlite.Conn, sql string, row func(*sqlite.Stmt) error, params ...any) error {
	st, _, err := c.PrepareTransient(sql)
	if err != nil {
		return err
	}
	err = rows(st, row, params...)
	if ferr := st.Finalize(); err == nil {
		err = ferr
	}
	return err
}

// errStop ends a query early and is no error.
var errStop = errors.New("enough")

func rows(st *sqlite.Stmt, row func(*sqlite.Stmt) error, params ...any) error {
	a := args{st: st}
	for _, p := range params {
		a.any(p)
	}
	for {
		more, err := st.Step()
		if err != nil || !more {
			return err
		}
		if row == nil {
			continue
		}
		if err := row(st); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// one returns the number that a query without rows or with one has; ok is false for
// none and for NULL.
func one(c *sqlite.Conn, sql string, params ...any) (n int64, ok bool, err error) {
	err = query(c, sql, func(st *sqlite.Stmt) error {
		n, ok = st.ColumnInt64(0), !st.ColumnIsNull(0)
		return nil
	}, params...)
	return n, ok, err
}

// column returns a copy of the bytes of a column.
func column(st *sqlite.Stmt, i int) []byte {
	b := make([]byte, st.ColumnLen(i))
	st.ColumnBytes(i, b)
	return b
}

// atomically executes f in a transaction, all of it or nothing.
func atomically(c *sqlite.Conn, f func() error) (err error) {
	end, err := sqlitex.ImmediateTransaction(c)
	if err != nil {
		return err
	}
	defer end(&err)
	return f()
}

// interruptible lets ctx end what a connection is busy with.
func interruptible(ctx context.Context, c *sqlite.Conn) (restore func()) {
	old := c.SetInterrupt(ctx.Done())
	return func() { c.SetInterrupt(old) }
}
