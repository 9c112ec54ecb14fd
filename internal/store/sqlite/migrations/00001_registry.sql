-- +goose Up
CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Lists are JSON arrays; times are nanoseconds since 1970 UTC, 0 = none.
CREATE TABLE servers (
  id            TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  state         TEXT NOT NULL CHECK (state IN ('submitted', 'active', 'suspended', 'rejected', 'retired')),
  transport     TEXT NOT NULL CHECK (transport IN ('http', 'sse', 'stdio')),
  url           TEXT NOT NULL,
  private       INTEGER NOT NULL CHECK (private IN (0, 1)),
  command       TEXT NOT NULL CHECK (json_valid(command)),
  dir           TEXT NOT NULL,
  secrets       TEXT NOT NULL CHECK (json_valid(secrets)),
  pass_env      TEXT NOT NULL CHECK (json_valid(pass_env)),
  ca_file       TEXT NOT NULL,
  pins          TEXT NOT NULL CHECK (json_valid(pins)),
  client_cert   TEXT NOT NULL,
  client_key    TEXT NOT NULL,
  tls12         INTEGER NOT NULL CHECK (tls12 IN (0, 1)),
  eras          TEXT NOT NULL CHECK (json_valid(eras)),
  examined      INTEGER NOT NULL CHECK (examined IN (0, 1)),
  tools         TEXT NOT NULL CHECK (json_valid(tools)),
  message_bytes INTEGER NOT NULL CHECK (message_bytes >= 0),
  call_timeout  INTEGER NOT NULL CHECK (call_timeout >= 0),
  in_flight     INTEGER NOT NULL CHECK (in_flight >= 0),
  basis         TEXT NOT NULL,
  reason        TEXT NOT NULL,
  changed_by    TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  revision      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
  id         TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  state      TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'retired')),
  era        TEXT NOT NULL CHECK (era IN ('', 'legacy', 'modern')),
  basis      TEXT NOT NULL,
  reason     TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  revision   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  id         TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  agent      TEXT NOT NULL REFERENCES agents (id),
  hash       BLOB NOT NULL CHECK (length(hash) > 0),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked    INTEGER NOT NULL CHECK (revoked IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_agent ON tokens (agent);

CREATE TABLE certificates (
  serial     TEXT NOT NULL PRIMARY KEY CHECK (serial <> ''),
  agent      TEXT NOT NULL REFERENCES agents (id),
  not_after  INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  revoked    INTEGER NOT NULL CHECK (revoked IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_agent ON certificates (agent);

CREATE TABLE grants (
  agent      TEXT NOT NULL REFERENCES agents (id),
  server     TEXT NOT NULL REFERENCES servers (id),
  access     TEXT NOT NULL CHECK (access IN ('read', 'write', 'modify')),
  tools      TEXT NOT NULL CHECK (json_valid(tools)),
  granted_by TEXT NOT NULL,
  reason     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (agent, server)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_server ON grants (server);
