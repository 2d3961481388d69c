package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// mount is a file or folder of the node that a container has at path.
type mount struct {
	source   string
	path     string
	readOnly bool
	file     bool
}

// enterRoot gives the calling thread a mount namespace and makes the container's root its root. Nothing of it is seen
// outside, and it goes with the last process inside. The folder at must exist.
func enterRoot(c *container, at string) error {
	// CLONE_FS: root and current folder become the thread's own.
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_FS); err != nil {
		return fmt.Errorf("create a mount namespace: %w", err)
	}
	// The kubelet has made its folder a shared mount: nothing may propagate there.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	mounts, err := c.mounts()
	if err != nil {
		return err
	}
	if c.image.root != "" {
		err = layer(c.image.root, at)
	} else {
		err = machine(at, mounts)
	}
	if err != nil {
		return err
	}
	targets := map[string]string{}
	for _, m := range mounts { // before the root is read-only
		if !inside(m.path, "/dev") && !nested(m.path, mounts) {
			if targets[m.path], err = mountPoint(at, m); err != nil {
				return err
			}
		}
	}
	if err := system(at, c.config.GetLinux().GetSecurityContext().GetReadonlyRootfs()); err != nil {
		return err
	}
	for _, m := range mounts {
		target := targets[m.path]
		if target == "" {
			if target, err = mountPoint(at, m); err != nil {
				return err
			}
		}
		if err := bind(m.source, target, m.readOnly); err != nil {
			return err
		}
	}
	return pivot(at)
}

// mounts are the kubelet's mounts and resolv.conf, those of outer folders first.
func (c *container) mounts() ([]mount, error) {
	wanted := []*runtimeapi.Mount{{ContainerPath: "/etc/resolv.conf", HostPath: c.sandbox.resolverConfig()}}
	if c.sandbox.onNode() {
		wanted = nil // the node's
	}
	var mounts []mount
	for _, m := range append(wanted, c.config.Mounts...) {
		info, err := os.Stat(m.HostPath)
		if err != nil {
			return nil, fmt.Errorf("mount at %s: %w", m.ContainerPath, err)
		}
		path := filepath.Clean("/" + m.ContainerPath)
		mounts = append(mounts, mount{m.HostPath, path, m.Readonly, !info.IsDir()})
	}
	slices.SortStableFunc(mounts, func(a, b mount) int {
		return strings.Count(a.path, "/") - strings.Count(b.path, "/")
	})
	return mounts, nil
}

// layer makes a folder with an image's files that can be written: what is written goes with the container.
func layer(image, at string) error {
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount a tmpfs for the root: %w", err)
	}
	upper, work := filepath.Join(at, "upper"), filepath.Join(at, "work")
	for _, folder := range []string{upper, work} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", image, upper, work)
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount %s as the root: %w", image, err)
	}
	return nil
}

// machine makes a folder with this machine's files in which there is a place for every mount.
func machine(at string, mounts []mount) error {
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount a tmpfs for the root: %w", err)
	}
	var absent []string
	for _, m := range mounts {
		path, err := resolve(m.path)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			absent = append(absent, path)
		}
	}
	return mirror("/", at, absent)
}

// mirror shows the entries of a folder in another one: by bind mounts, so that they are the same files, except that
// folders above paths that are absent are folders of their own, in which the paths can be created.
func mirror(from, to string, absent []string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		if slices.Contains(systemFolders, source) {
			continue
		}
		if err := mirrorEntry(entry, source, target, absent); err != nil && !os.IsNotExist(err) { // removed meanwhile
			return err
		}
	}
	return nil
}

func mirrorEntry(entry os.DirEntry, source, target string, absent []string) error {
	if entry.Type()&os.ModeSymlink != 0 {
		link, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	}
	if !entry.IsDir() {
		if err := touch(target); err != nil {
			return err
		}
		return bind(source, target, false)
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	if err := os.Mkdir(target, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(target, info.Mode()); err != nil { // without the umask
		return err
	}
	if slices.ContainsFunc(absent, func(path string) bool { return inside(path, source) }) {
		return mirror(source, target, absent)
	}
	return bind(source, target, false)
}

// mountPoint creates the file or folder in the root that m is mounted on, unless it is there; symbolic links are followed
// within the root.
func mountPoint(root string, m mount) (string, error) {
	target, err := securejoin.SecureJoin(root, m.path)
	if err != nil {
		return "", err
	}
	if !m.file {
		return target, os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return "", err
	}
	return target, touch(target)
}

// resolve follows the symbolic links of a path of this machine, of which the end may be absent.
func resolve(path string) (string, error) { return securejoin.SecureJoin("/", path) }

func touch(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

// bind mounts a file or folder, with all that is mounted below.
func bind(source, target string, readOnly bool) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "bind mount at " + target, Path: source, Err: err}
	}
	if readOnly {
		return setReadOnly(target)
	}
	return nil
}

func setReadOnly(path string) error {
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, path, unix.AT_RECURSIVE, &attributes); err != nil {
		return fmt.Errorf("make %s read-only: %w", path, err)
	}
	return nil
}

func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	// The old root is stacked on the new one, from where it is unmounted (pivot_root(2), section NOTES).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the old root: %w", err)
	}
	return os.Chdir("/")
}

// inside reports whether path is below folder.
func inside(path, folder string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// nested reports whether a path is below another mount.
func nested(path string, mounts []mount) bool {
	return slices.ContainsFunc(mounts, func(other mount) bool { return inside(path, other.path) })
}
