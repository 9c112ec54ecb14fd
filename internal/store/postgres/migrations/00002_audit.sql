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
