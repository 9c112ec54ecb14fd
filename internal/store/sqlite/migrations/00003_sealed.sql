-- +goose Up
-- Kind and revision are all that the database may know: id is a keyed index,
-- body is a seal record. The clear tables of schema 1 leave when their rows have
-- been sealed, which needs keys: store/sealed does it.
CREATE TABLE sealed_row (
  kind     TEXT NOT NULL CHECK (kind <> ''),
  id       TEXT NOT NULL CHECK (id <> ''),
  revision INTEGER NOT NULL CHECK (revision > 0),
  body     BLOB NOT NULL CHECK (length(body) > 0),
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
