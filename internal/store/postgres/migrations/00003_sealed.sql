-- +goose Up
-- Kind and revision are all that the database may know: id is a keyed index,
-- body is a seal record. The clear tables of schema 1 leave when their rows have
-- been sealed, which needs keys: store/sealed does it.
CREATE TABLE sealed_row (
  kind     text COLLATE "C" NOT NULL CHECK (kind <> ''),
  id       text COLLATE "C" NOT NULL CHECK (id <> ''),
  revision bigint NOT NULL CHECK (revision > 0),
  body     bytea NOT NULL CHECK (length(body) > 0),
  PRIMARY KEY (kind, id)
);
