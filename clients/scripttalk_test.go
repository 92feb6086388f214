package clients

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
)

// talk plays a WebSocket, then waits until the caller has closed it.
func (t turn) talk(w http.ResponseWriter, r *http.Request) error {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // of the origin: SDKs that send one mean the proxy
		Subprotocols:       []string{"realtime"},
		CompressionMode:    websocket.CompressionContextTakeover,
	})
	if err != nil {
		return fmt.Errorf("accept the WebSocket: %w", err)
	}
	defer c.CloseNow()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	for line := range bytes.Lines(t.body) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if want, ok := bytes.CutPrefix(line, []byte("< ")); ok {
			if err := expect(ctx, c, want); err != nil {
				return err
			}
			continue
		}
		if err := c.Write(ctx, websocket.MessageText, line); err != nil {
			return fmt.Errorf("send %.60s: %w", line, err)
		}
	}
	if _, got, err := c.Read(ctx); err == nil {
		return fmt.Errorf("a message that nobody expects: %.200s", got)
	}
	return nil
}

func expect(ctx context.Context, c *websocket.Conn, want []byte) error {
	_, got, err := c.Read(ctx)
	if err != nil {
		return fmt.Errorf("wait for %s: %w", want, err)
	}
	if got = plainJSON(got); !bytes.Contains(got, want) {
		return fmt.Errorf("a message has no %s: %.500s", want, got)
	}
	return nil
}
