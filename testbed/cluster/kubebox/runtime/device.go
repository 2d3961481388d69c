package runtime

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// systemFolders are mounted on their own, whatever the root is.
var systemFolders = []string{"/dev", "/proc", "/sys"}

var (
	devices     = []string{"null", "zero", "full", "random", "urandom", "tty"}
	deviceLinks = map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		"ptmx": "pts/ptmx",
	}
)

// system completes a root by /proc, /sys and /dev; these do not become read-only with it.
func system(root string, readOnly bool) error {
	for _, folder := range systemFolders {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			return err
		}
	}
	if readOnly {
		if err := setReadOnly(root); err != nil {
			return err
		}
	}
	for _, folder := range []string{"/proc", "/sys"} {
		if err := bind(folder, filepath.Join(root, folder), false); err != nil {
			return err
		}
	}
	return makeDevices(filepath.Join(root, "dev"))
}

// makeDevices makes a /dev with what every container has (OCI runtime-spec, config-linux.md, "Default Devices").
func makeDevices(at string) error {
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID, "mode=0755"); err != nil {
		return fmt.Errorf("mount %s: %w", at, err)
	}
	for _, device := range devices {
		target := filepath.Join(at, device)
		if err := touch(target); err != nil {
			return err
		}
		if err := bind("/dev/"+device, target, false); err != nil {
			return err
		}
	}
	for name, target := range deviceLinks {
		if err := os.Symlink(target, filepath.Join(at, name)); err != nil {
			return err
		}
	}
	for _, folder := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(at, folder), 0o755); err != nil {
			return err
		}
	}
	if err := bind("/dev/pts", filepath.Join(at, "pts"), false); err != nil {
		return err
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	return unix.Mount("shm", filepath.Join(at, "shm"), "tmpfs", flags, "mode=1777")
}
