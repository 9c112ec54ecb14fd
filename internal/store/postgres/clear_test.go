package postgres

import (
	"testing"

	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/storetest"
)

// older turns a new store into one of schema 1.
const older = `SET search_path = ostiary;
DO $$ DECLARE t text; BEGIN
	FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'ostiary' AND tablename NOT IN
		('meta', 'owner', 'servers', 'agents', 'tokens', 'certificates', 'grants', 'goose_db_version')
	LOOP EXECUTE format('DROP TABLE ostiary.%I CASCADE', t); END LOOP;
END $$;
DELETE FROM goose_db_version WHERE version_id > 1;
INSERT INTO meta VALUES ('registry.version', '7');
INSERT INTO servers VALUES
	('wiki', 'active', 'http', 'https://canary-url.example/mcp', false, '[]', '', '[{"name":"Authorization","sealed":"AQI="}]', '[]',
	 '', '[]', '', '', false, '[]', true,
	 '[{"name":"find","access":"read","definition":"{\"name\":\"find\",\"description\":\"canary-definition\"}","digest":"ab","state":"approved"}]',
	 0, 0, 0, 'operator', 'canary-reason', 'canary-operator', 1772600767123456789, 1772600767123456789, 3),
	('files', 'submitted', 'stdio', '', false, '["canary-command","--x"]', '/srv/canary-dir', '[]', '[]',
	 '', '[]', '', '', false, '[]', false, '[]', 0, 0, 0, '', '', '', 1772600767123456789, 1772600767123456789, 0);
INSERT INTO agents VALUES
	('canary-agent', 'active', 'modern', 'operator', 'canary-why', 'canary-operator', 1772600767123456789, 1772600767123456789, 1),
	('canary-retired', 'retired', '', '', '', '', 1772600767123456789, 1772600767123456789, 0);
INSERT INTO tokens VALUES
	('canarytokenaaaaa', 'canary-agent', 'canary-hash', 1772600767123456789, 1772604367123456789, false),
	('canarytokenbbbbb', 'canary-agent', 'canary-hash', 1772600767123456789, 0, true);
INSERT INTO certificates VALUES ('ca0a41', 'canary-agent', 1772600767123456789, 1772600767123456789, false);
INSERT INTO grants VALUES ('canary-agent', 'wiki', 'write', '["find"]', 'canary-operator', 'canary-grant', 1772600767123456789);`

func TestSchema1IsSealed(t *testing.T) {
	c, ring := created(t), newRing(t)
	shared.SQL(t, name(c), older)
	if s, err := Status(c); err != nil || s.Have != 1 || s.Want < 3 || !s.Clear {
		t.Errorf("the schema is %+v (%v)", s, err)
	}
	// Killed before the commit: everything is as it was.
	db := opened(t, c)
	if old, err := db.Clear(); err != nil || old == nil || len(old.Servers) != 2 {
		t.Fatalf("got %+v (%v)", old, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second opening finds nothing to do
		s, err := sealed.Open(opened(t, c), ring)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Schema1(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := Status(c); err != nil || s.Have != s.Want || s.Clear {
		t.Errorf("the schema is %+v (%v)", s, err)
	}
	left := shared.SQL(t, name(c), "SELECT count(*) FROM pg_tables WHERE schemaname = 'ostiary' AND tablename IN "+
		"('meta', 'servers', 'agents', 'tokens', 'certificates', 'grants')")
	if left != "0" {
		t.Errorf("%s tables of clear rows are left", left)
	}
	found := shared.SQL(t, name(c), "SELECT count(*) FROM ostiary.sealed_row WHERE (kind || id || encode(body, 'escape')) LIKE '%"+storetest.Schema1Canary+"%'")
	if found != "0" {
		t.Errorf("%s rows hold clear text", found)
	}
}
