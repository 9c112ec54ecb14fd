package keys

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The file of subjects grows by a line for each new one, so that making one
// costs one fsync however many there are; it is written anew only when one is
// erased. A line is a JSON object, a tab and a MAC in base64url over the
// object and the MAC of the line before: no line can be edited, dropped or
// moved. A last line without its line break was never acknowledged and is
// dropped. Lines cut off the end are not seen here, but by Ring.Grown.
const (
	subjectFile   = "subjects"
	subjectFormat = "ostiary-subjects/1"
	subjectLimit  = 1 << 30
	subjectLine   = 8 << 10
)

type journalHead struct {
	Format string `json:"format"`
	KeyID  string `json:"key_id"` // of the key of all subjects that makes the MACs
}

// journal appends to the file. It opens it for each line: new subjects are
// rare, and a handle that stays open would outlive a restore.
type journal struct {
	path string
	key  *dek
	last []byte // MAC of the last line
	size int64  // where the next line starts
	err  error  // set when the file is in doubt
}

var macText = base64.RawURLEncoding.Strict()

// line returns the line for v after the MAC before.
func line(key *dek, before []byte, v any) (text, mac []byte, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, nil, fmt.Errorf("write subjects: %w", err)
	}
	mac = key.mac("subjects/v1", append(bytes.Clone(before), body...))
	text = append(body, '\t')
	text = macText.AppendEncode(text, mac)
	return append(text, '\n'), mac, nil
}

// writeJournal writes a whole file in place of the old one, whose bytes are
// overwritten.
func writeJournal(path string, key *dek, all []*subjectEntry) (*journal, error) {
	text, mac, err := line(key, nil, journalHead{subjectFormat, key.hexID()})
	if err != nil {
		return nil, err
	}
	out := text
	for _, e := range all {
		if text, mac, err = line(key, mac, e); err != nil {
			return nil, err
		}
		out = append(out, text...)
	}
	return &journal{path: path, key: key, last: mac, size: int64(len(out))}, rewriteFile(path, out)
}

// append writes more lines and waits until they are on stable storage. A line
// that could be there or not puts the file in doubt until it is opened again.
func (j *journal) append(all ...*subjectEntry) error {
	if j.err != nil {
		return fmt.Errorf("write subjects: an earlier write failed: %w", j.err)
	}
	var text []byte
	mac := j.last
	for _, e := range all {
		one, next, err := line(j.key, mac, e)
		if err != nil {
			return err
		}
		text, mac = append(text, one...), next
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write subjects: %w", err)
	}
	_, err = f.WriteAt(text, j.size)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		back := f.Truncate(j.size)
		if back == nil {
			back = f.Sync()
		}
		if back != nil {
			j.err = back
		}
		return errors.Join(fmt.Errorf("write subjects: %w", err), f.Close())
	}
	j.last, j.size = mac, j.size+int64(len(text))
	if err := f.Close(); err != nil {
		return fmt.Errorf("write subjects: %w", err)
	}
	return nil
}

// readJournal reads and checks the file. versions are those of the key of all
// subjects.
func readJournal(path string, versions []*version, readOnly bool) (*journal, []*subjectEntry, error) {
	data, err := readFile(path, subjectLimit)
	if err != nil {
		return nil, nil, err
	}
	j, entries, err := parseJournal(data, versions)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %w", path, err)
	}
	j.path = path
	if j.size < int64(len(data)) && !readOnly {
		if err := cut(path, j.size); err != nil {
			return nil, nil, err
		}
	}
	return j, entries, nil
}

// cut drops an unfinished line.
func cut(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("drop an unfinished line: %w", err)
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("drop an unfinished line: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// parseJournal checks every line.
func parseJournal(data []byte, versions []*version) (*journal, []*subjectEntry, error) {
	j := &journal{}
	var entries []*subjectEntry
	for text := range bytes.Lines(data) {
		if text[len(text)-1] != '\n' {
			break
		}
		var err error
		if j.key == nil {
			err = j.readHead(text, versions)
		} else {
			e := &subjectEntry{}
			err = j.readLine(text, e)
			entries = append(entries, e)
		}
		if err != nil {
			return nil, nil, err
		}
		j.size += int64(len(text))
	}
	if j.key == nil {
		return nil, nil, fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	return j, entries, nil
}

// readHead finds the key that made the MACs, then checks its own.
func (j *journal) readHead(text []byte, versions []*version) error {
	body, _, _ := bytes.Cut(text, []byte{'\t'})
	var head journalHead
	if err := strictJSON(body, &head); err != nil {
		return err
	}
	if head.Format != subjectFormat {
		return fmt.Errorf("%w: %.40q", ErrVersion, head.Format)
	}
	for _, v := range versions {
		if v.key.hexID() == head.KeyID {
			j.key = v.key
			return j.readLine(text, &head)
		}
	}
	return fmt.Errorf("%w: it is under an unknown key", ErrDamaged)
}

func (j *journal) readLine(text []byte, into any) error {
	body, sum, ok := bytes.Cut(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\t'})
	if !ok || len(text) > subjectLine {
		return fmt.Errorf("%w: a line has another form", ErrDamaged)
	}
	given, err := macText.DecodeString(string(sum))
	mac := j.key.mac("subjects/v1", append(bytes.Clone(j.last), body...))
	if err != nil || !hmac.Equal(given, mac) {
		return fmt.Errorf("%w: the MAC of a line does not fit", ErrDamaged)
	}
	if err := strictJSON(body, into); err != nil {
		return err
	}
	if e, ok := into.(*subjectEntry); ok {
		if _, err := withID(e.KeyID); err != nil || e.Created.After(time.Unix(1<<40, 0)) {
			return fmt.Errorf("%w: a subject has another form", ErrDamaged)
		}
	}
	j.last = mac
	return nil
}
