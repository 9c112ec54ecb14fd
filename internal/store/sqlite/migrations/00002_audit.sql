-- +goose Up
-- The logs. A batch is what one commit added: leaves (per entry its length as
-- uvarint and its bytes) and RFC 6962 hashes, 32 bytes each, in stored-hash
-- order from index hstart. Nothing changes or deletes a batch; parts are all
-- that retention touches. Hashes stand before leaves, so that reading one does
-- not read those.
CREATE TABLE audit_batch (
  log    TEXT NOT NULL CHECK (log <> ''),
  first  INTEGER NOT NULL CHECK (first >= 0),
  n      INTEGER NOT NULL CHECK (n > 0),
  hstart INTEGER NOT NULL CHECK (hstart >= 0),
  hashes BLOB NOT NULL CHECK (length(hashes) >= 32 * n),
  leaves BLOB NOT NULL CHECK (length(leaves) > n),
  PRIMARY KEY (log, first)
) STRICT;

CREATE TABLE audit_part (
  log   TEXT NOT NULL,
  first INTEGER NOT NULL,
  parts BLOB NOT NULL CHECK (length(parts) > 0),
  PRIMARY KEY (log, first)
) STRICT;

CREATE TABLE audit_checkpoint (
  log  TEXT NOT NULL CHECK (log <> ''),
  size INTEGER NOT NULL CHECK (size >= 0),
  mark INTEGER NOT NULL CHECK (mark >= 0),
  note BLOB NOT NULL CHECK (length(note) > 0),
  PRIMARY KEY (log, size)
) STRICT;
