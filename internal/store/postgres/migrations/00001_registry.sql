-- +goose Up
-- Every key sorts by its bytes: COLLATE "C". Booleans, bytes and JSON have
-- types of their own; "value" is bytes because text cannot hold every string.
CREATE TABLE meta (
  key   text COLLATE "C" NOT NULL PRIMARY KEY,
  value bytea NOT NULL
);

-- One row: how often the store was opened. Whoever opened it last owns it.
CREATE TABLE owner (
  one   boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
  epoch bigint NOT NULL
);
INSERT INTO owner (epoch) VALUES (0);

-- Lists are JSON arrays; times are nanoseconds since 1970 UTC, 0 = none.
CREATE TABLE servers (
  id            text COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
  state         text NOT NULL CHECK (state IN ('submitted', 'active', 'suspended', 'rejected', 'retired')),
  transport     text NOT NULL CHECK (transport IN ('http', 'sse', 'stdio')),
  url           text NOT NULL,
  private       boolean NOT NULL,
  command       json NOT NULL CHECK (json_typeof(command) = 'array'),
  dir           text NOT NULL,
  secrets       json NOT NULL CHECK (json_typeof(secrets) = 'array'),
  pass_env      json NOT NULL CHECK (json_typeof(pass_env) = 'array'),
  ca_file       text NOT NULL,
  pins          json NOT NULL CHECK (json_typeof(pins) = 'array'),
  client_cert   text NOT NULL,
  client_key    text NOT NULL,
  tls12         boolean NOT NULL,
  eras          json NOT NULL CHECK (json_typeof(eras) = 'array'),
  examined      boolean NOT NULL,
  tools         json NOT NULL CHECK (json_typeof(tools) = 'array'),
  message_bytes bigint NOT NULL CHECK (message_bytes >= 0),
  call_timeout  bigint NOT NULL CHECK (call_timeout >= 0),
  in_flight     bigint NOT NULL CHECK (in_flight >= 0),
  basis         text NOT NULL,
  reason        text NOT NULL,
  changed_by    text NOT NULL,
  created_at    bigint NOT NULL,
  updated_at    bigint NOT NULL,
  revision      bigint NOT NULL
);

CREATE TABLE agents (
  id         text COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
  state      text NOT NULL CHECK (state IN ('active', 'suspended', 'retired')),
  era        text NOT NULL CHECK (era IN ('', 'legacy', 'modern')),
  basis      text NOT NULL,
  reason     text NOT NULL,
  changed_by text NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  revision   bigint NOT NULL
);

CREATE TABLE tokens (
  id         text COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
  agent      text COLLATE "C" NOT NULL REFERENCES agents (id),
  hash       bytea NOT NULL CHECK (length(hash) > 0),
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  revoked    boolean NOT NULL
);
CREATE INDEX tokens_agent ON tokens (agent);

CREATE TABLE certificates (
  serial     text COLLATE "C" NOT NULL PRIMARY KEY CHECK (serial <> ''),
  agent      text COLLATE "C" NOT NULL REFERENCES agents (id),
  not_after  bigint NOT NULL,
  created_at bigint NOT NULL,
  revoked    boolean NOT NULL
);
CREATE INDEX certificates_agent ON certificates (agent);

CREATE TABLE grants (
  agent      text COLLATE "C" NOT NULL REFERENCES agents (id),
  server     text COLLATE "C" NOT NULL REFERENCES servers (id),
  access     text NOT NULL CHECK (access IN ('read', 'write', 'modify')),
  tools      json NOT NULL CHECK (json_typeof(tools) = 'array'),
  granted_by text NOT NULL,
  reason     text NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (agent, server)
);
CREATE INDEX grants_server ON grants (server);
