package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
)

// checkRoot reads the choices about the root key as the file will hold them.
// Whatever is wrong with them is told before anything is made.
func (o InitOptions) checkRoot() error {
	if o.Recovery != "" {
		if err := keys.ParseRecovery(o.Recovery); err != nil {
			return fmt.Errorf("%w: --recovery-recipient: %w", errChoice, err)
		}
		if (RootConfig{Provider: o.Root}).remote() {
			return fmt.Errorf("%w: a root key in a key service cannot be recovered from here; back it up there", errChoice)
		}
	}
	if o.Root == "" && len(o.RootSet) == 0 {
		return nil
	}
	if o.Root == "" {
		return fmt.Errorf("%w: --root-set needs --root", errChoice)
	}
	var seen []string
	for _, one := range o.RootSet {
		key, value, ok := strings.Cut(one, "=")
		if !ok || value == "" || !bareKey(key) || slices.Contains(seen, key) {
			// The value may be a secret in the wrong place.
			return fmt.Errorf("%w: --root-set takes KEY=VALUE, each key once, such as key=ostiary", errChoice)
		}
		seen = append(seen, key)
	}
	if _, err := Parse("the choices", o.text(), nil); err != nil {
		return fmt.Errorf("%w: %w", errChoice, err)
	}
	return nil
}

// bareKey accepts what a key of the configuration may be.
func bareKey(key string) bool {
	for _, r := range key {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return key != ""
}

// absoluteRoot makes file: references start where the command was called.
func (o *InitOptions) absoluteRoot() error {
	o.RootSet = slices.Clone(o.RootSet)
	for i, one := range o.RootSet {
		key, value, _ := strings.Cut(one, "=")
		path, ok := strings.CutPrefix(value, "file:")
		if !ok {
			continue
		}
		path, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		o.RootSet[i] = key + "=file:" + path
	}
	return nil
}

// rootText writes the section keys of the new gateway's file.
func (o InitOptions) rootText(b *bytes.Buffer) {
	if o.Root == "" || o.Root == providerFile && len(o.RootSet) == 0 {
		return
	}
	fmt.Fprintf(b, "keys:\n  root:   # the key that opens all others\n    provider: %s\n", strconv.Quote(o.Root))
	indent := "      "
	if o.Root == providerPassphrase || o.Root == providerFile {
		indent = "    "
	} else if len(o.RootSet) > 0 {
		fmt.Fprintf(b, "    %s:\n", strings.ReplaceAll(o.Root, "-", "_"))
	}
	for _, one := range o.RootSet {
		key, value, _ := strings.Cut(one, "=")
		if key != "tls12" && key != "deletion_days" { // the others are texts
			value = strconv.Quote(value)
		}
		fmt.Fprintf(b, "%s%s: %s\n", indent, key, value)
	}
}

// makeKeys makes the keys of a new gateway in dir, under the chosen root key.
func (o InitOptions) makeKeys(dir string) (err error) {
	c, err := Parse(ConfigName, o.text(), nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), rootWait)
	defer cancel()
	at := rootAt{base: dir, environ: o.Environ, guard: egress.New(egress.Config{}), clock: o.Clock}
	with, root, err := at.open(ctx, c.Keys.Root)
	if err != nil {
		return err
	}
	if root != nil {
		defer func() { err = errors.Join(err, root.Close()) }()
		if err := root.Check(ctx); err != nil {
			return explainRoot(err)
		}
	}
	with.Recovery, with.Domain = o.Recovery, o.TrustDomain
	if _, err := keys.CreateWith(dir, with); err != nil {
		return fmt.Errorf("make keys: %w", explainRoot(err))
	}
	return nil
}
