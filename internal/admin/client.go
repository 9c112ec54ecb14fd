package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
)

// Client is API over the socket of a running gateway.
type Client struct{ http *http.Client }

// NewClient returns a client that reaches the socket by dial; the address that
// dial gets means nothing. It connects with the first call.
func NewClient(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableCompression: true,
		MaxIdleConns:       1,
	}}}
}

// Close drops the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// maxAnswer bounds an answer: many servers with many tools.
const maxAnswer = 256 << 20

func ask[Resp any](ctx context.Context, c *Client, name string, request any) (Resp, error) {
	var out Resp
	body, err := json.Marshal(request)
	if err != nil {
		return out, asError(name, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway"+prefix+name, bytes.NewReader(body))
	if err != nil {
		return out, asError(name, err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return out, &Error{Code: Unavailable, Message: "the running gateway cannot be reached", Cause: err.Error(),
			Fix: "try again; check with: ostiary status"}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return out, &Error{Code: Unavailable, Message: "the running gateway went away", Cause: err.Error(), Fix: "try again"}
	}
	if resp.StatusCode != http.StatusOK {
		return out, refusal(text)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, asError("the running gateway's answer", err)
	}
	return out, nil
}

func refusal(text []byte) error {
	var e struct{ Error *Error }
	if err := json.Unmarshal(text, &e); err != nil || e.Error == nil {
		return asError("the running gateway's answer", errors.New("it is not understood"))
	}
	return e.Error
}

// Status implements API, as do the methods below.
func (c *Client) Status(ctx context.Context, r None) (Status, error) {
	return ask[Status](ctx, c, "status", r)
}

// SubmitServer implements API.
func (c *Client) SubmitServer(ctx context.Context, r SubmitServer) (Done[ServerView], error) {
	return ask[Done[ServerView]](ctx, c, "server.submit", r)
}

// ApproveServer implements API.
func (c *Client) ApproveServer(ctx context.Context, r ApproveServer) (Done[ServerView], error) {
	return ask[Done[ServerView]](ctx, c, "server.approve", r)
}

// MoveServer implements API.
func (c *Client) MoveServer(ctx context.Context, r Move) (Done[ServerView], error) {
	return ask[Done[ServerView]](ctx, c, "server.move", r)
}

// ScanServer implements API.
func (c *Client) ScanServer(ctx context.Context, r Scan) (Done[ServerView], error) {
	return ask[Done[ServerView]](ctx, c, "server.scan", r)
}

// SetServer implements API.
func (c *Client) SetServer(ctx context.Context, r SetServer) (Done[ServerView], error) {
	return ask[Done[ServerView]](ctx, c, "server.set", r)
}

// SetTool implements API.
func (c *Client) SetTool(ctx context.Context, r SetTool) (Done[ToolView], error) {
	return ask[Done[ToolView]](ctx, c, "tool.set", r)
}

// Servers implements API.
func (c *Client) Servers(ctx context.Context, r None) ([]ServerView, error) {
	return ask[[]ServerView](ctx, c, "server.list", r)
}

// Server implements API.
func (c *Client) Server(ctx context.Context, r ID) (ServerView, error) {
	return ask[ServerView](ctx, c, "server.get", r)
}

// Tools implements API.
func (c *Client) Tools(ctx context.Context, r ToolQuery) ([]ToolView, error) {
	return ask[[]ToolView](ctx, c, "tool.list", r)
}

// ApproveTool implements API.
func (c *Client) ApproveTool(ctx context.Context, r ApproveTool) (Done[ToolView], error) {
	return ask[Done[ToolView]](ctx, c, "tool.approve", r)
}

// RegisterAgent implements API.
func (c *Client) RegisterAgent(ctx context.Context, r RegisterAgent) (Done[Registration], error) {
	return ask[Done[Registration]](ctx, c, "agent.register", r)
}

// MoveAgent implements API.
func (c *Client) MoveAgent(ctx context.Context, r Move) (Done[AgentView], error) {
	return ask[Done[AgentView]](ctx, c, "agent.move", r)
}

// Agents implements API.
func (c *Client) Agents(ctx context.Context, r None) ([]AgentView, error) {
	return ask[[]AgentView](ctx, c, "agent.list", r)
}

// Agent implements API.
func (c *Client) Agent(ctx context.Context, r ID) (AgentView, error) {
	return ask[AgentView](ctx, c, "agent.get", r)
}

// IssueCertificate implements API.
func (c *Client) IssueCertificate(ctx context.Context, r IssueCertificate) (Done[Credentials], error) {
	return ask[Done[Credentials]](ctx, c, "agent.certificate", r)
}

// CreateToken implements API.
func (c *Client) CreateToken(ctx context.Context, r CreateToken) (Done[NewToken], error) {
	return ask[Done[NewToken]](ctx, c, "token.create", r)
}

// Tokens implements API.
func (c *Client) Tokens(ctx context.Context, r TokenQuery) ([]TokenView, error) {
	return ask[[]TokenView](ctx, c, "token.list", r)
}

// RevokeToken implements API.
func (c *Client) RevokeToken(ctx context.Context, r RevokeToken) (Done[TokenView], error) {
	return ask[Done[TokenView]](ctx, c, "token.revoke", r)
}

// ExplainToken implements API.
func (c *Client) ExplainToken(ctx context.Context, r ExplainToken) (TokenVerdict, error) {
	return ask[TokenVerdict](ctx, c, "token.explain", r)
}

// Grant implements API.
func (c *Client) Grant(ctx context.Context, r Grant) (Done[GrantView], error) {
	return ask[Done[GrantView]](ctx, c, "access.grant", r)
}

// Revoke implements API.
func (c *Client) Revoke(ctx context.Context, r Revoke) (Done[GrantView], error) {
	return ask[Done[GrantView]](ctx, c, "access.revoke", r)
}

// Grants implements API.
func (c *Client) Grants(ctx context.Context, r GrantQuery) ([]GrantView, error) {
	return ask[[]GrantView](ctx, c, "access.list", r)
}

// Explain implements API.
func (c *Client) Explain(ctx context.Context, r Explain) (Explanation, error) {
	return ask[Explanation](ctx, c, "access.explain", r)
}

// Attach implements API.
func (c *Client) Attach(ctx context.Context, r Attach) (Attachment, error) {
	return ask[Attachment](ctx, c, "attach", r)
}

// Keys implements API.
func (c *Client) Keys(ctx context.Context, r KeyQuery) ([]KeyView, error) {
	return ask[[]KeyView](ctx, c, "key.list", r)
}

// Key implements API.
func (c *Client) Key(ctx context.Context, r ID) (KeyView, error) {
	return ask[KeyView](ctx, c, "key.get", r)
}

// RotateKey implements API.
func (c *Client) RotateKey(ctx context.Context, r RotateKey) (Done[KeyView], error) {
	return ask[Done[KeyView]](ctx, c, "key.rotate", r)
}

// DestroyKey implements API.
func (c *Client) DestroyKey(ctx context.Context, r DestroyKey) (Done[KeyView], error) {
	return ask[Done[KeyView]](ctx, c, "key.destroy", r)
}

// ResealKey implements API.
func (c *Client) ResealKey(ctx context.Context, r ResealKey) (Resealed, error) {
	return ask[Resealed](ctx, c, "key.reseal", r)
}

// EraseSubject implements API.
func (c *Client) EraseSubject(ctx context.Context, r EraseSubject) (Done[Erasure], error) {
	return ask[Done[Erasure]](ctx, c, "subject.erase", r)
}

// BackupBegin implements API.
func (c *Client) BackupBegin(ctx context.Context, r BackupBegin) (BackupBegun, error) {
	return ask[BackupBegun](ctx, c, "backup.begin", r)
}

// BackupRead implements API.
func (c *Client) BackupRead(ctx context.Context, r ID) (BackupPart, error) {
	return ask[BackupPart](ctx, c, "backup.read", r)
}

// BackupFinish implements API.
func (c *Client) BackupFinish(ctx context.Context, r BackupFinish) (Done[BackupFinished], error) {
	return ask[Done[BackupFinished]](ctx, c, "backup.finish", r)
}

// BackupList implements API.
func (c *Client) BackupList(ctx context.Context, r None) ([]Backup, error) {
	return ask[[]Backup](ctx, c, "backup.list", r)
}
