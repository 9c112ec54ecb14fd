//go:build ostiary_pkcs11

package kms

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"
)

// softModules is where SoftHSM 2 is installed.
var softModules = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"}

// softHSM makes a token with a key and returns how it is reached.
func softHSM(t *testing.T) (PKCS11, Means, map[string]string) {
	t.Helper()
	tool, err := exec.LookPath("softhsm2-util")
	module := ""
	for _, path := range softModules {
		if _, err := os.Stat(path); err == nil {
			module = path
		}
	}
	if err != nil || module == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SoftHSM 2 is not installed")
		}
		t.Skip("SKIPPED: SoftHSM 2 is not installed; nothing was tested on a PKCS#11 module")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+filepath.Join(dir, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	if out, err := exec.Command(tool, "--module", module, "--init-token", "--free", "--label", "gateway", "--so-pin", "87654321", "--pin", "123456").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	values := map[string]string{"env:PIN": "123456"}
	c := PKCS11{Module: module, Token: "gateway", Label: "root", PIN: "env:PIN"}
	makeKey(t, c, "root", false)
	return c, means(values), values
}

// makeKey makes an AES key in the token.
func makeKey(t *testing.T, c PKCS11, label string, extractable bool) {
	t.Helper()
	ctx := pkcs11.New(c.Module)
	defer ctx.Destroy()
	h := &hsm{conf: c, ctx: ctx}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(ctx.Initialize())
	defer func() { must(ctx.Finalize()) }()
	slot, err := h.slot()
	must(err)
	session, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	must(err)
	must(ctx.Login(session, pkcs11.CKU_USER, "123456"))
	_, err = ctx.GenerateKey(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 32),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, !extractable),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, extractable), pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true),
	})
	must(err)
	must(ctx.Logout(session))
	must(ctx.CloseSession(session))
}

func openHSM(t *testing.T, c PKCS11, m Means) Root {
	t.Helper()
	root, err := Open(Config{Provider: ProviderPKCS11, PKCS11: c}, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return root
}

func TestPKCS11(t *testing.T) {
	c, m, values := softHSM(t)
	root := openHSM(t, c, m)
	if err := root.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	wrapped, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := root.Unwrap(t.Context(), []byte("place"), wrapped); err != nil || !bytes.Equal(back, secret) {
		t.Fatalf("%q, %v", back, err)
	}
	for _, aad := range []string{"", "place ", "Place"} {
		_, err := root.Unwrap(t.Context(), []byte(aad), wrapped)
		refused(t, err, ErrWrapped)
	}
	for i := range wrapped {
		edited := bytes.Clone(wrapped)
		edited[i] ^= 1
		_, err := root.Unwrap(t.Context(), []byte("place"), edited)
		refused(t, err, ErrWrapped)
	}
	for n := range len(wrapped) {
		_, err := root.Unwrap(t.Context(), []byte("place"), wrapped[:n])
		refused(t, err, ErrWrapped)
	}
	renewed, err := root.Rewrap(t.Context(), []byte("place"), wrapped)
	if err != nil || bytes.Equal(renewed, wrapped) {
		t.Fatal(err)
	}
	values["env:PIN"] = "000000"
	_, err = root.Unwrap(t.Context(), []byte("place"), renewed)
	refused(t, err, ErrAccess)
	delete(values, "env:PIN")
	refused(t, root.Check(t.Context()), ErrCredential)
	values["env:PIN"] = "123456"
	if when, err := root.Destroy(t.Context()); err != nil || when.IsZero() {
		t.Fatal(err)
	}
	_, err = root.Unwrap(t.Context(), []byte("place"), wrapped)
	refused(t, err, ErrMissing)
	if text := fmt.Sprintf("%v %+v %#v", root.(careful).Root, root.(careful).Root, root.(careful).Root); strings.Contains(text, "PIN") {
		t.Errorf("it prints %s", text)
	}
}

func TestPKCS11UnfitKeysAreRefused(t *testing.T) {
	c, m, _ := softHSM(t)
	makeKey(t, c, "loose", true)
	makeKey(t, c, "twin", false)
	makeKey(t, c, "twin", false)
	for label, want := range map[string]error{"loose": ErrUnfit, "twin": ErrUnfit, "none": ErrMissing} {
		c.Label = label
		root, err := Open(Config{Provider: ProviderPKCS11, PKCS11: c}, m)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, root.Check(t.Context()), want)
		if err := root.Close(); err != nil {
			t.Error(err)
		}
		refused(t, root.Check(t.Context()), ErrUnreachable)
	}
	c.Token = "nowhere"
	refused(t, openHSM(t, c, m).Check(t.Context()), ErrUnreachable)
}

func TestPKCS11ModuleIsVetted(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open.so")
	if err := os.WriteFile(open, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{text, open, dir, filepath.Join(dir, "none.so"), "libsofthsm2.so"} {
		_, err := Open(Config{Provider: ProviderPKCS11, PKCS11: PKCS11{Module: module, Token: "t", Label: "l", PIN: "env:PIN"}}, means(nil))
		refused(t, err, ErrConfig)
	}
}
