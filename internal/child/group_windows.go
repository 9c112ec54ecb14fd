package child

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const separators = `/\:`

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// checkScript refuses arguments that cmd.exe, which runs batch files, would
// read as commands or variables (CVE-2024-24576 and its kin).
func checkScript(path string, args []string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".bat", ".cmd":
	default:
		return nil
	}
	for _, arg := range args {
		if strings.ContainsAny(arg, "\"%!&|<>^()\r\n") {
			return errors.New("an argument of a batch file holds a character that its interpreter acts on")
		}
	}
	return nil
}

// group is a job object; all descendants of the child belong to it, and it
// ends when its last handle, which is ours, is closed.
type group struct{ job windows.Handle }

// adopt makes the job and puts the process into it. What the process starts
// before that is not in the job.
func (g *group) adopt(p *os.Process) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return err
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err == nil {
		err = assign(job, p)
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		return err
	}
	g.job = job
	return nil
}

func assign(job windows.Handle, p *os.Process) error {
	var inner error
	err := p.WithHandle(func(handle uintptr) {
		inner = windows.AssignProcessToJobObject(job, windows.Handle(handle))
	})
	return errors.Join(err, inner)
}

// terminate does nothing: there is no signal to ask with, the closed stdin
// has to do.
func (g *group) terminate(int) {}

// kill ends every process of the job.
func (g *group) kill(int) { _ = windows.TerminateJobObject(g.job, 1) }

func (g *group) release() { _ = windows.CloseHandle(g.job) }

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

// hideDescriptors has nothing to do: Go passes the three handles by a list.
func hideDescriptors() error { return nil }

// reap waits for the end of the process and calls last.
func reap(cmd *exec.Cmd, last func()) error { return reapFirst(cmd, last) }
