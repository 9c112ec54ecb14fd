// Command thirdparty checks exports of ours with libraries of other people:
// torchwood's tlog client, Tessera's fsck, x/mod's tlog. It has no line in
// common with the gateway or its verifier, and is a module of its own so that
// neither depends on these. It touches nothing but the files it is told to read.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const help = `thirdparty torchwood DIR VKEY          read every entry of an export, authenticated by its tiles
thirdparty tessera DIR VKEY            fsck an export
thirdparty extends OLD DIR VKEY        that an export extends the checkpoint OLD
thirdparty proof FILE VKEY LEAF        that the entry LEAF is in the log, by a tlog-proof
thirdparty witnessed FILE POLICY       that a checkpoint is signed as a policy says
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New(help)
	}
	switch args[0] {
	case "torchwood":
		return readAll(args[1], args[2])
	case "tessera":
		return check(args[1], args[2])
	case "extends":
		return extends(args[1], args[2], args[3])
	case "proof":
		return proof(args[1], args[2], args[3])
	case "witnessed":
		return witnessed(args[1], args[2])
	}
	return errors.New(help)
}

func verifier(path string) (note.Verifier, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(strings.TrimSpace(string(b)))
}

// policyOf demands the log's own signature and origin.
func policyOf(v note.Verifier) torchwood.Policy {
	return torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v))
}

func checkpoint(path string, v note.Verifier) (torchwood.Checkpoint, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	c, _, err := torchwood.VerifyCheckpoint(b, policyOf(v))
	return c, err
}

func readAll(dir, vkey string) error {
	v, err := verifier(vkey)
	if err != nil {
		return err
	}
	c, err := checkpoint(dir+"/checkpoint", v)
	if err != nil {
		return err
	}
	tiles, err := torchwood.NewTileFS(os.DirFS(dir))
	if err != nil {
		return err
	}
	reader, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	n := int64(0)
	for i := range reader.AllEntries(context.Background(), c.Tree, 0) {
		if i != n {
			return fmt.Errorf("entry %d comes where %d belongs", i, n)
		}
		n++
	}
	if err := reader.Err(); err != nil {
		return fmt.Errorf("entry %d: %w", n, err)
	}
	if n != c.N {
		return fmt.Errorf("%d entries of %d", n, c.N)
	}
	return nil
}

func check(dir, vkey string) error {
	v, err := verifier(vkey)
	if err != nil {
		return err
	}
	files := &client.FileFetcher{Root: dir}
	// A worker of fsck that finds something ends; with few of them the others
	// can wait for it for ever (v1.0.4), which here is a finding too.
	found := make(chan error, 1)
	go func() {
		found <- fsck.New(v.Name(), v, files, leafHashes, fsck.Opts{N: 64}).Check(context.Background())
	}()
	select {
	case err := <-found:
		return err
	case <-time.After(time.Minute):
		return errors.New("fsck does not end: its workers stopped at what they found")
	}
}

func leafHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var all [][]byte
	for _, e := range b.Entries {
		all = append(all, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return all, nil
}

func extends(old, dir, vkey string) error {
	v, err := verifier(vkey)
	if err != nil {
		return err
	}
	before, err := checkpoint(old, v)
	if err != nil {
		return err
	}
	now, err := checkpoint(dir+"/checkpoint", v)
	if err != nil {
		return err
	}
	if before.N > now.N {
		return fmt.Errorf("the log has %d entries and had %d", now.N, before.N)
	}
	tiles, err := torchwood.NewTileFS(os.DirFS(dir))
	if err != nil {
		return err
	}
	hashes := torchwood.TileHashReaderWithContext(context.Background(), now.Tree, tiles)
	p, err := tlog.ProveTree(now.N, before.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(p, now.N, now.Hash, before.N, before.Hash)
}

func proof(path, vkey, leaf string) error {
	v, err := verifier(vkey)
	if err != nil {
		return err
	}
	p, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(leaf)
	if err != nil {
		return err
	}
	return torchwood.VerifyProof(policyOf(v), tlog.RecordHash(b), p)
}

func witnessed(path, policy string) error {
	b, err := os.ReadFile(policy)
	if err != nil {
		return err
	}
	p, err := torchwood.ParsePolicy(b)
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, _, err = torchwood.VerifyCheckpoint(signed, p)
	return err
}
