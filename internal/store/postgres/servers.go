package postgres

import (
	"fmt"
	"time"

	"ostiary.dev/ostiary/internal/registry"
)

const serverColumns = `id, state, transport, url, private, command, dir, secrets, pass_env,
	ca_file, pins, client_cert, client_key, tls12, eras, examined, tools,
	message_bytes, call_timeout, in_flight, basis, reason, changed_by, created_at, updated_at, revision`

// secretRow and toolRow fix the stored names, whatever the types become.
type secretRow struct {
	Name   string `json:"name"`
	Sealed []byte `json:"sealed"`
}

type toolRow struct {
	Name       string             `json:"name"`
	Access     registry.Access    `json:"access,omitempty"`
	Definition string             `json:"definition,omitempty"`
	Digest     string             `json:"digest,omitempty"`
	State      registry.ToolState `json:"state,omitempty"`
}

func scanServer(row scanner) (s registry.Server, err error) {
	var secrets []secretRow
	var tools []toolRow
	var timeout int64
	err = row.Scan(&s.ID, &s.State, &s.Transport, &s.URL, &s.Private, listed[string]{&s.Command}, &s.Dir,
		listed[secretRow]{&secrets}, listed[string]{&s.PassEnv},
		&s.CAFile, listed[string]{&s.Pins}, &s.ClientCert, &s.ClientKey, &s.TLS12,
		listed[string]{&s.Eras}, &s.Examined, listed[toolRow]{&tools},
		&s.MessageBytes, &timeout, &s.InFlight, &s.Basis, &s.Reason, &s.By,
		stamp{&s.CreatedAt}, stamp{&s.UpdatedAt}, &s.Revision)
	s.CallTimeout = time.Duration(timeout)
	for _, v := range secrets {
		s.Secrets = append(s.Secrets, registry.Secret(v))
	}
	for _, v := range tools {
		s.Tools = append(s.Tools, registry.Tool(v))
	}
	return s, err
}

// serverValues returns s in the order of serverColumns, with this revision.
func serverValues(s registry.Server, revision int64) ([]any, error) {
	var secrets []secretRow
	for _, v := range s.Secrets {
		secrets = append(secrets, secretRow(v))
	}
	var tools []toolRow
	for _, v := range s.Tools {
		tools = append(tools, toolRow(v))
	}
	var err error
	text := func(out string, e error) string {
		if e != nil && err == nil {
			err = e
		}
		return out
	}
	values := []any{s.ID, string(s.State), string(s.Transport), s.URL, s.Private, text(array(s.Command)), s.Dir,
		text(array(secrets)), text(array(s.PassEnv)),
		s.CAFile, text(array(s.Pins)), s.ClientCert, s.ClientKey, s.TLS12,
		text(array(s.Eras)), s.Examined, text(array(tools)),
		s.MessageBytes, int64(s.CallTimeout), s.InFlight, s.Basis, s.Reason, s.By,
		nanos(s.CreatedAt), nanos(s.UpdatedAt), revision}
	return values, err
}

// Servers returns all servers by id.
func (r rows) Servers() ([]registry.Server, error) {
	out, err := list(r.h, scanServer, "SELECT "+serverColumns+" FROM servers ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	return out, nil
}

// Server returns one server.
func (r rows) Server(id string) (registry.Server, error) {
	s, err := row(r.h, scanServer, "SELECT "+serverColumns+" FROM servers WHERE id = $1", id)
	if err != nil {
		return registry.Server{}, fmt.Errorf("server %s: %w", id, err)
	}
	return s, nil
}

// InsertServer adds a server.
func (r rows) InsertServer(s registry.Server) error {
	values, err := serverValues(s, s.Revision)
	if err == nil {
		_, err = r.exec("INSERT INTO servers ("+serverColumns+`) VALUES
			($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
			$17, $18, $19, $20, $21, $22, $23, $24, $25, $26)`, values...)
	}
	if err != nil {
		return fmt.Errorf("insert server %s: %w", s.ID, err)
	}
	return nil
}

// UpdateServer replaces a server whose revision is still s.Revision.
func (r rows) UpdateServer(s registry.Server) error {
	values, err := serverValues(s, s.Revision+1)
	if err == nil {
		err = r.swap("servers", s.ID, "UPDATE servers SET ("+serverColumns+`) =
			($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
			$17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
			WHERE id = $27 AND revision = $28`, append(values, s.ID, s.Revision)...)
	}
	if err != nil {
		return fmt.Errorf("update server %s: %w", s.ID, err)
	}
	return nil
}
