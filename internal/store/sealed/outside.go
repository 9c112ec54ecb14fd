package sealed

import "ostiary.dev/ostiary/internal/registry"

// This file is registry.Store outside a transaction: reads under the lock, and
// every write in a transaction of its own.

// Meta returns a named value.
func (s *Store) Meta(name string) (string, error) {
	return read(s, func(t *tx) (string, error) { return t.Meta(name) })
}

// Servers returns all servers by id.
func (s *Store) Servers() ([]registry.Server, error) {
	return read(s, func(t *tx) ([]registry.Server, error) { return t.Servers() })
}

// Server returns one server.
func (s *Store) Server(id string) (registry.Server, error) {
	return read(s, func(t *tx) (registry.Server, error) { return t.Server(id) })
}

// Agents returns all agents by id.
func (s *Store) Agents() ([]registry.Agent, error) {
	return read(s, func(t *tx) ([]registry.Agent, error) { return t.Agents() })
}

// Agent returns one agent.
func (s *Store) Agent(id string) (registry.Agent, error) {
	return read(s, func(t *tx) (registry.Agent, error) { return t.Agent(id) })
}

// Tokens returns all tokens by id.
func (s *Store) Tokens() ([]registry.Token, error) {
	return read(s, func(t *tx) ([]registry.Token, error) { return t.Tokens() })
}

// Certificates returns all certificates by serial.
func (s *Store) Certificates() ([]registry.Certificate, error) {
	return read(s, func(t *tx) ([]registry.Certificate, error) { return t.Certificates() })
}

// Grants returns all grants by agent and server.
func (s *Store) Grants() ([]registry.Grant, error) {
	return read(s, func(t *tx) ([]registry.Grant, error) { return t.Grants() })
}

// Token returns one token.
func (s *Store) Token(id string) (registry.Token, error) {
	return read(s, func(t *tx) (registry.Token, error) { return t.Token(id) })
}

// Certificate returns one certificate.
func (s *Store) Certificate(serial string) (registry.Certificate, error) {
	return read(s, func(t *tx) (registry.Certificate, error) { return t.Certificate(serial) })
}

// Grant returns the grant of an agent on a server.
func (s *Store) Grant(agent, server string) (registry.Grant, error) {
	return read(s, func(t *tx) (registry.Grant, error) { return t.Grant(agent, server) })
}

// Touched cannot be told outside a transaction.
func (s *Store) Touched() registry.Touched { return registry.Touched{Whole: true} }

// SetMeta sets a named value.
func (s *Store) SetMeta(name, value string) error {
	return s.inTx(func(t *tx) error { return t.SetMeta(name, value) })
}

// InsertServer adds a server.
func (s *Store) InsertServer(v registry.Server) error {
	return s.inTx(func(t *tx) error { return t.InsertServer(v) })
}

// UpdateServer replaces a server whose revision is still v.Revision.
func (s *Store) UpdateServer(v registry.Server) error {
	return s.inTx(func(t *tx) error { return t.UpdateServer(v) })
}

// InsertAgent adds an agent.
func (s *Store) InsertAgent(a registry.Agent) error {
	return s.inTx(func(t *tx) error { return t.InsertAgent(a) })
}

// UpdateAgent replaces an agent whose revision is still a.Revision.
func (s *Store) UpdateAgent(a registry.Agent) error {
	return s.inTx(func(t *tx) error { return t.UpdateAgent(a) })
}

// InsertToken adds a token.
func (s *Store) InsertToken(v registry.Token) error {
	return s.inTx(func(t *tx) error { return t.InsertToken(v) })
}

// RevokeToken marks a token as revoked.
func (s *Store) RevokeToken(id string) error {
	return s.inTx(func(t *tx) error { return t.RevokeToken(id) })
}

// InsertCertificate adds a certificate.
func (s *Store) InsertCertificate(c registry.Certificate) error {
	return s.inTx(func(t *tx) error { return t.InsertCertificate(c) })
}

// RevokeCertificate marks a certificate as revoked.
func (s *Store) RevokeCertificate(serial string) error {
	return s.inTx(func(t *tx) error { return t.RevokeCertificate(serial) })
}

// DeleteCertificate removes a certificate.
func (s *Store) DeleteCertificate(serial string) error {
	return s.inTx(func(t *tx) error { return t.DeleteCertificate(serial) })
}

// PutGrant adds or replaces a grant.
func (s *Store) PutGrant(g registry.Grant) error {
	return s.inTx(func(t *tx) error { return t.PutGrant(g) })
}

// DeleteGrant removes a grant.
func (s *Store) DeleteGrant(agent, server string) error {
	return s.inTx(func(t *tx) error { return t.DeleteGrant(agent, server) })
}

// Nouns returns the nouns of a kind by id.
func (s *Store) Nouns(kind registry.NounKind) ([]registry.Noun, error) {
	return read(s, func(t *tx) ([]registry.Noun, error) { return t.Nouns(kind) })
}

// Noun returns one noun.
func (s *Store) Noun(kind registry.NounKind, id string) (registry.Noun, error) {
	return read(s, func(t *tx) (registry.Noun, error) { return t.Noun(kind, id) })
}

// InsertNoun adds a noun.
func (s *Store) InsertNoun(n registry.Noun) error {
	return s.inTx(func(t *tx) error { return t.InsertNoun(n) })
}

// UpdateNoun replaces a noun whose revision is still n.Revision.
func (s *Store) UpdateNoun(n registry.Noun) error {
	return s.inTx(func(t *tx) error { return t.UpdateNoun(n) })
}

// DeleteNoun removes a noun.
func (s *Store) DeleteNoun(kind registry.NounKind, id string) error {
	return s.inTx(func(t *tx) error { return t.DeleteNoun(kind, id) })
}
