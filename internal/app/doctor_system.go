package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// system is what Doctor reads of the machine: the roots of two file systems
// that only Linux has.
type system struct{ proc, sys string }

// machine is the system that this process runs on.
func machine() system { return system{proc: "/proc", sys: "/sys"} }

// maxSystemFile bounds what is read of one of the kernel's files.
const maxSystemFile = 64 << 10

func (s system) read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSystemFile))
	return string(text), errors.Join(err, f.Close())
}

// swap warns when memory may be written to a disk: keys and what calls carry
// lie in the memory of a gateway that runs.
func (s system) swap() Finding {
	f := Finding{State: stateOK, Check: "swap"}
	text, err := s.read(filepath.Join(s.proc, "swaps"))
	if err != nil {
		f.Detail = "cannot be told on this system"
		return f
	}
	var clear []string
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if i > 0 && len(fields) > 0 && !s.safeSwap(fields[0]) {
			clear = append(clear, fields[0])
		}
	}
	if len(clear) > 0 {
		f.State, f.Detail = stateDegraded, "memory, and keys with it, may be written in clear to "+strings.Join(clear, ", ")
		f.Fix = "turn it off (swapoff -a), or put it on an encrypted device"
	}
	return f
}

// safeSwap reports whether a swap area stays in memory or is encrypted.
func (s system) safeSwap(device string) bool {
	name := filepath.Base(device)
	if strings.HasPrefix(name, "zram") {
		return true
	}
	if real, err := filepath.EvalSymlinks(device); err == nil {
		name = filepath.Base(real)
	}
	uuid, err := s.read(filepath.Join(s.sys, "block", name, "dm", "uuid"))
	return err == nil && strings.HasPrefix(uuid, "CRYPT-")
}

// core says what a crash of this process would leave behind. Every process of
// ours makes itself undumpable first, so what doctor finds here of itself holds
// for the gateway too; the gateway reports its own under the same name.
func (s system) core(exposed error) Finding {
	f := Finding{State: stateOK, Check: checkCore}
	if exposed != nil {
		f.State, f.Detail = stateDegraded, exposed.Error()
		f.Fix = "let the process set its own limits (prctl, setrlimit): look at the service's sandbox"
		return f
	}
	if text, err := s.read(filepath.Join(s.proc, "self", "limits")); err == nil {
		for line := range strings.SplitSeq(text, "\n") {
			if rest, ok := strings.CutPrefix(line, "Max core file size"); ok && !strings.HasPrefix(strings.TrimSpace(rest), "0 ") {
				f.State, f.Detail, f.Fix = stateDegraded, "the core limit of this process is not 0", "set it: ulimit -c 0, or LimitCORE=0 of the service"
			}
		}
	}
	if pattern, err := s.read(filepath.Join(s.proc, "sys", "kernel", "core_pattern")); err == nil && f.State == stateOK {
		f.Detail = "the gateway writes none; those of other programs go to " + strconv.Quote(strings.TrimSpace(pattern))
	}
	return f
}

// keyFolder warns about keys that lie beside what they protect: whoever takes
// the disk, or a copy of the whole directory, has both.
func keyFolder(dir, provider string) Finding {
	f := Finding{State: stateOK, Check: "root key", Detail: "provider " + provider}
	if provider != "file" {
		return f
	}
	f.State = stateDegraded
	f.Detail = fmt.Sprintf("lies in %s beside the data: it protects neither against a stolen disk nor a copy that holds both", filepath.Join(dir, "keys"))
	f.Fix = "seal it with a passphrase or a key service, and keep copies of data and keys apart: ostiary backup"
	return f
}
