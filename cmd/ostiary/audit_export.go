package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/keys"
)

// remote is a log of an export as package export reads it, over any API.
type remote struct {
	api    admin.API
	export string
	of     admin.AuditExportOf
	handed []byte // the hand-overs of signing keys, as lines
}

func (r remote) Log() string       { return r.of.Log }
func (r remote) Origin() string    { return r.of.Origin }
func (r remote) VKey() string      { return r.of.VKey }
func (r remote) Rotations() []byte { return r.handed }
func (r remote) Checkpoint(context.Context) ([]byte, uint64, error) {
	return []byte(r.of.Note), r.of.Signed, nil
}

func (r remote) Entries(ctx context.Context, from, to uint64, fn func(export.Entry) error) error {
	for from < to {
		page, err := r.api.AuditEntries(ctx, admin.AuditEntries{Export: r.export, Log: r.of.Log, From: from, To: to})
		if err != nil {
			return err
		}
		for _, e := range page {
			one := export.Entry{Index: e.Index, Leaf: e.Leaf, Part: e.Part}
			copy(one.Key[:], e.Key)
			if err := fn(one); err != nil {
				return err
			}
		}
		if len(page) == 0 {
			return errors.New("the gateway gives no further entries")
		}
		from += uint64(len(page))
	}
	return nil
}

func (r remote) Hashes(ctx context.Context, at []int64) ([]tlog.Hash, error) {
	all, err := r.api.AuditHashes(ctx, admin.AuditHashes{Export: r.export, Log: r.of.Log, At: at})
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, 0, len(all))
	for _, h := range all {
		if len(h) != tlog.HashSize {
			return nil, errors.New("the gateway gave something else than a hash")
		}
		out = append(out, tlog.Hash(h))
	}
	return out, nil
}

func sources(api admin.API, x admin.AuditExported) []export.Source {
	var all []export.Source
	var handed []byte
	if len(x.Rotations) > 0 {
		handed = []byte(rotationLines(x.Rotations) + "\n")
	}
	for _, of := range x.Logs {
		all = append(all, remote{api, x.Export, of, handed})
	}
	return all
}

// exportedLog is what export answers for each log.
type exportedLog struct {
	Log      string `json:"log"`
	Folder   string `json:"folder"`
	Size     uint64 `json:"size"`
	Readable uint64 `json:"readable"`
	VKey     string `json:"vkey"`
}

func newAuditExport(c *cli) *cobra.Command {
	var out string
	var r admin.AuditExport
	cmd := &cobra.Command{Use: "export --out DIR", Short: "Write the logs as folders that anybody can verify", Args: args(0, 0),
		Long: "export writes each log as a static C2SP folder (checkpoint, tile/...), its readable entries as\n" +
			"entries.jsonl beside it, and the public keys. DIR appears whole or not at all. Verify with:\n" +
			"ostiary-verify log DIR/LOG --key DIR/LOG.vkey. Who exports what is recorded. Each log is\n" +
			"recomputed, in the gateway and as it was written: one that does not verify is written\n" +
			"nevertheless, with the file " + brokenName + " in DIR, and the command exits with 7.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usage(cmd, errors.New("--out DIR is missing"))
			}
			return c.with(cmd.Context(), func(api admin.API) error { return c.export(cmd.Context(), api, r, out) })
		}}
	cmd.Flags().StringVar(&out, "out", "", "folder to write; it must not exist or be empty")
	cmd.Flags().StringVar(&r.Recipient, "recipient", "", "who gets it, for the record")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why, for the record")
	return cmd
}

func (c *cli) export(ctx context.Context, api admin.API, r admin.AuditExport, out string) error {
	if err := vacant(out); err != nil {
		return err
	}
	x, err := api.AuditExport(ctx, r)
	if err != nil {
		return err
	}
	bad, err := c.badLogs(ctx, api)
	if err != nil {
		return err
	}
	b := c.newBar("export", entriesText)
	written, err := export.Directory(ctx, out, sources(api, x), export.Options{
		Progress: func(_ string, done, total uint64) { b.update(int64(done), int64(total)) }})
	b.done()
	if err != nil {
		return exportError(err)
	}
	items := []exportedLog{}
	for i, w := range written {
		items = append(items, exportedLog{Log: w.Log, Folder: filepath.Join(out, w.Folder), Size: w.Size, Readable: w.Readable, VKey: x.Logs[i].VKey})
	}
	for name, text := range c.exportKeys(x, written) {
		if err := writeNew(filepath.Join(out, name), []byte(text+"\n")); err != nil {
			return err
		}
	}
	if err := checkExport(out, x, written, bad); err != nil {
		return err
	}
	notices := []string{"people and agents stand in it by pseudonym"}
	broken, err := markBroken(out, written, bad)
	if err != nil {
		return err
	}
	if broken != nil {
		notices = append(notices, "THE EXPORT IS BROKEN, see "+filepath.Join(out, brokenName))
	}
	return errors.Join(c.print(page{kind: "AuditExport", columns: []string{"log", "folder", "size", "readable"}, items: items,
		notices: notices}), broken)
}

// exportKeys are the public keys that stand beside the logs.
func (c *cli) exportKeys(x admin.AuditExported, written []export.Written) map[string]string {
	files := map[string]string{}
	for i, w := range written {
		files[w.Folder+".vkey"] = strings.TrimSpace(x.Logs[i].VKey)
	}
	if x.ReceiptVKey != "" {
		files["receipt.vkey"] = strings.TrimSpace(x.ReceiptVKey)
	}
	if len(x.Rotations) > 0 {
		files["rotations.jsonl"] = rotationLines(x.Rotations)
	}
	if x.Policy != "" {
		files["witness.policy"] = strings.TrimSuffix(x.Policy, "\n")
	}
	return files
}

// rotationLines are the hand-overs of signing keys, one JSON object a line: how
// somebody who trusts an older key comes to the one in the *.vkey file
// (docs/formats/keystore.md).
func rotationLines(all []keys.Rotation) string {
	var lines []string
	for _, t := range all {
		if text, err := json.Marshal(t); err == nil {
			lines = append(lines, string(text))
		}
	}
	return strings.Join(lines, "\n")
}

// vacant refuses a place that holds anything, before anything is recorded.
func vacant(out string) error {
	found, err := os.ReadDir(out)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || len(found) > 0 {
		e := &admin.Error{Code: admin.Exists, Message: out + " is not an empty folder", Fix: "choose another one"}
		if err != nil {
			e.Cause = err.Error()
		}
		return e
	}
	return nil
}

func exportError(err error) error {
	var known *admin.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, export.ErrNotEmpty) {
		return &admin.Error{Code: admin.Exists, Message: err.Error(), Fix: "choose another folder"}
	}
	return &admin.Error{Code: admin.Failed, Message: "the export could not be written", Cause: err.Error(),
		Fix: "check that the disk has room and that the folder can be written"}
}

func newAuditEvidence(c *cli) *cobra.Command {
	var out string
	var r admin.AuditExport
	cmd := &cobra.Command{Use: "evidence --exchange ID... --out FILE.zip", Short: "Write the entries of some exchanges with their proofs", Args: args(0, 0),
		Long: "evidence packs the entries of exchanges with the proof of each, checkpoints and public keys\n" +
			"into one file. It discloses these entries and no others. Verify with: ostiary-verify evidence FILE.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" || len(r.Exchanges) == 0 {
				return usage(cmd, errors.New("--exchange ID and --out FILE are needed"))
			}
			return c.with(cmd.Context(), func(api admin.API) error { return c.evidence(cmd.Context(), api, r, out) })
		}}
	cmd.Flags().StringArrayVar(&r.Exchanges, "exchange", nil, "id of an exchange; may be repeated")
	cmd.Flags().StringVar(&out, "out", "", "file to write; it must not exist")
	cmd.Flags().StringVar(&r.Recipient, "recipient", "", "who gets it, for the record")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why, for the record")
	return cmd
}

func (c *cli) evidence(ctx context.Context, api admin.API, r admin.AuditExport, out string) error {
	if _, err := os.Lstat(out); err == nil {
		return &admin.Error{Code: admin.Exists, Message: out + " is there already", Fix: "choose another file"}
	}
	x, err := api.AuditExport(ctx, r)
	if err != nil {
		return err
	}
	p := export.Pack{Sources: sources(api, x), Receipts: x.ReceiptVKey, Run: export.Run{
		Report: "exchanges", Query: "exchange " + strings.Join(r.Exchanges, " "), Timezone: "UTC",
		Time: clock.Clock{}.Now().UTC().Format("2006-01-02T15:04:05Z"), Runner: x.Runner, Software: x.Software}}
	if x.Policy != "" {
		p.Policy = []byte(x.Policy)
	}
	for _, ref := range x.Picked {
		p.Picked = append(p.Picked, export.Pick{Log: ref.Log, Index: ref.Index})
	}
	var zip bytes.Buffer
	if err := export.Evidence(ctx, &zip, p); err != nil {
		return exportError(err)
	}
	if err := writeNew(out, zip.Bytes()); err != nil {
		return err
	}
	return c.print(page{kind: "AuditEvidence", columns: []string{"log", "index"}, items: x.Picked,
		notices: []string{"written to " + out, "people and agents stand in it by pseudonym"}})
}
