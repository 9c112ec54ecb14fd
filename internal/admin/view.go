package admin

import (
	"encoding/json"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/registry"
)

// Duration is a length of time; in JSON it is text such as "30s".
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration of zero or more.
func (d *Duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	if err != nil || t < 0 {
		return errors.New("not a duration such as 720h")
	}
	*d = Duration(t)
	return nil
}

// ServerView is a server as operators see it: secrets by name only.
type ServerView struct {
	ID         string             `json:"id"`
	State      registry.State     `json:"state"`
	Transport  registry.Transport `json:"transport"`
	URL        string             `json:"url,omitempty"`
	Private    bool               `json:"private,omitempty"`
	Command    []string           `json:"command,omitempty"`
	Dir        string             `json:"dir,omitempty"`
	Secrets    []string           `json:"secrets,omitempty"` // names
	PassEnv    []string           `json:"passEnv,omitempty"`
	CAFile     string             `json:"caFile,omitempty"`
	Pins       []string           `json:"pins,omitempty"`
	ClientCert string             `json:"clientCert,omitempty"`
	TLS12      bool               `json:"tls12,omitempty"`
	Eras       []string           `json:"eras,omitempty"`
	Examined   bool               `json:"examined"`
	Tools      []ToolView         `json:"tools"`
	Labels     []string           `json:"labels,omitempty"` // for policies, as the next
	Zone       string             `json:"zone,omitempty"`
	Basis      string             `json:"basis,omitempty"`
	Reason     string             `json:"reason,omitempty"`
	By         string             `json:"by,omitempty"`
	CreatedAt  time.Time          `json:"createdAt"`
	UpdatedAt  time.Time          `json:"updatedAt"`
	Revision   int64              `json:"revision"`
}

func viewServer(s registry.Server) ServerView {
	v := ServerView{
		ID: s.ID, State: s.State, Transport: s.Transport, URL: s.URL, Private: s.Private,
		Command: s.Command, Dir: s.Dir, PassEnv: s.PassEnv,
		CAFile: s.CAFile, Pins: s.Pins, ClientCert: s.ClientCert, TLS12: s.TLS12,
		Eras: s.Eras, Examined: s.Examined, Tools: []ToolView{}, Labels: s.Labels, Zone: s.Zone,
		Basis: s.Basis, Reason: s.Reason, By: s.By,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Revision: s.Revision,
	}
	for _, secret := range s.Secrets {
		v.Secrets = append(v.Secrets, secret.Name)
	}
	for _, t := range s.Tools {
		v.Tools = append(v.Tools, viewTool(s.ID, t))
	}
	return v
}

// ToolView is a tool as operators see it.
type ToolView struct {
	Server     string             `json:"server"`
	Name       string             `json:"name"`
	State      registry.ToolState `json:"state"`
	Access     registry.Access    `json:"access"`     // what a call needs
	Classified bool               `json:"classified"` // false: nobody said so, hence modify
	Digest     string             `json:"digest,omitempty"`
	Labels     []string           `json:"labels,omitempty"` // beside those of its server
	Definition json.RawMessage    `json:"definition,omitempty"`
}

func viewTool(server string, t registry.Tool) ToolView {
	v := ToolView{Server: server, Name: t.Name, State: t.State, Access: t.Access, Classified: true, Digest: t.Digest, Labels: t.Labels}
	if v.Access == "" {
		v.Access, v.Classified = registry.Modify, false
	}
	if json.Valid([]byte(t.Definition)) {
		v.Definition = json.RawMessage(t.Definition)
	}
	return v
}

// AgentView is an agent as operators see it.
type AgentView struct {
	ID        string         `json:"id"`
	State     registry.State `json:"state"`
	Era       string         `json:"era,omitempty"`
	Tokens    int            `json:"tokens"`       // that are valid now
	Certs     int            `json:"certificates"` // that are valid now
	Grants    []GrantView    `json:"grants"`
	Receipts  bool           `json:"receipts,omitempty"` // its answers carry a signed receipt
	Roles     []string       `json:"roles,omitempty"`    // for policies, as the next two
	Clearance []string       `json:"clearance,omitempty"`
	Zone      string         `json:"zone,omitempty"`
	Basis     string         `json:"basis,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	By        string         `json:"by,omitempty"`
	CreatedAt time.Time      `json:"createdAt"`
	UpdatedAt time.Time      `json:"updatedAt"`
	Revision  int64          `json:"revision"`
}

// GrantView is a grant as operators see it.
type GrantView struct {
	Agent     string          `json:"agent"`
	Server    string          `json:"server"`
	Access    registry.Access `json:"access"`
	Tools     []string        `json:"tools,omitempty"`
	Purpose   string          `json:"purpose,omitempty"`
	By        string          `json:"by,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	CreatedAt time.Time       `json:"createdAt"`
}

func viewGrant(g registry.Grant) GrantView {
	return GrantView{Agent: g.Agent, Server: g.Server, Access: g.Access, Tools: g.Tools, Purpose: g.Purpose,
		By: g.By, Reason: g.Reason, CreatedAt: g.CreatedAt}
}

// TokenView is a token as operators see it; the token itself is not stored.
type TokenView struct {
	ID        string     `json:"id"`
	Agent     string     `json:"agent"`
	State     string     `json:"state"` // "valid", "expired" or "revoked"
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	Scope     string     `json:"scope,omitempty"`  // what it reaches at most
	Server    string     `json:"server,omitempty"` // whose endpoint alone
}

func viewToken(t registry.Token, now time.Time) TokenView {
	v := TokenView{ID: t.ID, Agent: t.Agent, State: "valid", CreatedAt: t.CreatedAt, Scope: t.Scope, Server: t.Server}
	if !t.ExpiresAt.IsZero() {
		v.ExpiresAt = &t.ExpiresAt
	}
	switch {
	case t.Revoked:
		v.State = "revoked"
	case v.ExpiresAt != nil && !now.Before(t.ExpiresAt):
		v.State = "expired"
	}
	return v
}

// Status is the gateway at a glance.
type Status struct {
	Running  bool     `json:"running"`
	Version  string   `json:"version"`
	Mode     string   `json:"mode"`
	Ready    string   `json:"ready"` // "ok", "degraded" or "fail"
	Checks   []Check  `json:"checks"`
	URL      string   `json:"url"`
	Registry uint64   `json:"registry"` // version of servers, agents and grants
	Servers  int      `json:"servers"`
	Active   int      `json:"active"`
	Pending  []string `json:"pending"` // servers that wait for approval
	Agents   int      `json:"agents"`
	Hidden   []Hidden `json:"hidden"`
	Killed   []string `json:"killed"` // kill switches that are on, such as "server files"

	Shadow *ShadowStatus `json:"shadow,omitempty"` // policies that run beside those in force
}

// ShadowStatus is how many decisions of this process policies on trial would
// have made otherwise; PolicyShadow names them.
type ShadowStatus struct {
	Decided   uint64 `json:"decided"`
	Different uint64 `json:"different"`
}

// Check is one line of readiness.
type Check struct {
	Name   string `json:"name"`
	State  string `json:"state"` // "ok", "degraded" or "fail"
	Detail string `json:"detail,omitempty"`
}

// Hidden is a server that clients of one era cannot see.
type Hidden struct {
	Server string `json:"server"`
	From   string `json:"from"` // era of the clients that cannot see it
}
