-- +goose Up
-- The logs. A batch is what one commit added: leaves (per entry its length as
-- uvarint and its bytes) and RFC 6962 hashes, 32 bytes each, in stored-hash
-- order from index hstart. Nothing changes or deletes a batch; parts are all
-- that retention touches. What does not shrink is not compressed, and a slice
-- of it is read without the rest.
CREATE TABLE audit_batch (
  log    text COLLATE "C" NOT NULL CHECK (log <> ''),
  first  bigint NOT NULL CHECK (first >= 0),
  n      bigint NOT NULL CHECK (n > 0),
  hstart bigint NOT NULL CHECK (hstart >= 0),
  hashes bytea NOT NULL CHECK (length(hashes) >= 32 * n),
  leaves bytea NOT NULL CHECK (length(leaves) > n),
  PRIMARY KEY (log, first)
);
ALTER TABLE audit_batch ALTER COLUMN hashes SET STORAGE EXTERNAL;
ALTER TABLE audit_batch ALTER COLUMN leaves SET STORAGE EXTERNAL;

CREATE TABLE audit_part (
  log   text COLLATE "C" NOT NULL,
  first bigint NOT NULL,
  parts bytea NOT NULL CHECK (length(parts) > 0),
  PRIMARY KEY (log, first)
);
ALTER TABLE audit_part ALTER COLUMN parts SET STORAGE EXTERNAL;

CREATE TABLE audit_checkpoint (
  log  text COLLATE "C" NOT NULL CHECK (log <> ''),
  size bigint NOT NULL CHECK (size >= 0),
  mark bigint NOT NULL CHECK (mark >= 0),
  note bytea NOT NULL CHECK (length(note) > 0),
  PRIMARY KEY (log, size)
);

-- Of cluster mode: what processes enqueued and the sequencer has not yet moved
-- into a log, the last number that each process used, and who builds a log.
CREATE TABLE audit_queue (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  log     text COLLATE "C" NOT NULL,
  node    text COLLATE "C" NOT NULL,
  seq     bigint NOT NULL CHECK (seq > 0),
  n       bigint NOT NULL CHECK (n > 0),
  entries bytea NOT NULL CHECK (length(entries) > 0),
  UNIQUE (log, node, seq)
);
ALTER TABLE audit_queue ALTER COLUMN entries SET STORAGE EXTERNAL;

CREATE TABLE audit_node (
  log  text COLLATE "C" NOT NULL,
  node text COLLATE "C" NOT NULL,
  last bigint NOT NULL CHECK (last > 0),
  PRIMARY KEY (log, node)
);

CREATE TABLE audit_epoch (
  log   text COLLATE "C" NOT NULL PRIMARY KEY,
  epoch bigint NOT NULL CHECK (epoch > 0)
);
