package node

import (
	"fmt"
	"os"
	goruntime "runtime"

	"golang.org/x/sys/unix"
)

// isolated is an environment variable of a process that isolate has started.
const isolated = "KUBEBOX_ISOLATED"

// exec(2) keeps the namespaces and the parent-death signal (PR_SET_PDEATHSIG) of the thread that calls it, and only the
// main thread has that signal.
func init() { goruntime.LockOSThread() }

// isolate runs this program anew in a mount namespace of its own, so that volumes are not seen outside and end with it.
// It returns in the new run. /var/log, where a kubelet always writes, is empty in there.
func isolate() error {
	if os.Getenv(isolated) != "" {
		return os.Unsetenv(isolated)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return fmt.Errorf("create a mount namespace: %w (run as root)", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", "/var/log", "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount /var/log: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return unix.Exec(program, append([]string{program, "kubelet"}, os.Args[1:]...), append(os.Environ(), isolated+"=1"))
}
