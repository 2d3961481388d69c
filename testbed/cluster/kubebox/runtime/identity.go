package runtime

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// identity is as what the processes of a container run.
type identity struct {
	uid, gid     uint32
	groups       []uint32 // supplementary
	home         string
	noNewPrivs   bool
	capabilities []uintptr // that a process may have at most; nil: all
}

// defaultCapabilities are those that containerd and CRI-O grant.
var defaultCapabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID",
	"SETPCAP", "SETUID", "SYS_CHROOT", "AUDIT_WRITE",
}

// capabilityNames are in the order of linux/capability.h.
var capabilityNames = []string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE",
	"SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
	"SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
	"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
}

// identify resolves a security context. The calling thread must have the container's root: users and groups are those of
// its /etc/passwd and /etc/group.
func identify(context *runtimeapi.LinuxContainerSecurityContext, image image) (identity, error) {
	name, group, _ := strings.Cut(image.User, ":")
	switch {
	case context.GetRunAsUser() != nil:
		name = strconv.FormatInt(context.GetRunAsUser().Value, 10)
	case context.GetRunAsUsername() != "":
		name = context.GetRunAsUsername()
	case name == "":
		name = "0"
	}
	i := identity{home: "/", noNewPrivs: context.GetNoNewPrivs(), capabilities: capabilities(context)}
	known, err := lookUpUser(name)
	switch {
	case err == nil:
		i.uid, i.gid, i.home = number(known.Uid), number(known.Gid), known.HomeDir
		if context.GetSupplementalGroupsPolicy() == runtimeapi.SupplementalGroupsPolicy_Merge {
			i.groups = memberships(known)
		}
	case isNumber(name):
		i.uid = number(name) // a user without an entry has the group 0, as in every runtime
	default:
		return i, fmt.Errorf("user %q of the container: %w", name, err)
	}
	if context.GetRunAsGroup() != nil {
		i.gid = uint32(context.GetRunAsGroup().Value)
	} else if group != "" {
		if !isNumber(group) {
			entry, err := user.LookupGroup(group)
			if err != nil {
				return i, fmt.Errorf("group %q of the image: %w", group, err)
			}
			group = entry.Gid
		}
		i.gid = number(group)
	}
	for _, extra := range context.GetSupplementalGroups() { // fsGroup is one of them
		i.groups = append(i.groups, uint32(extra))
	}
	return i, nil
}

func (i identity) credential() *syscall.Credential {
	return &syscall.Credential{Uid: i.uid, Gid: i.gid, Groups: i.groups}
}

// restrict limits what processes that the calling thread starts from now on may gain.
func (i identity) restrict() error {
	if i.noNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("set no_new_privs: %w", err)
		}
	}
	if i.capabilities == nil {
		return nil
	}
	for capability := range uintptr(len(capabilityNames)) {
		if slices.Contains(i.capabilities, capability) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("drop the capability %s: %w", capabilityNames[capability], err)
		}
	}
	return nil
}

// capabilities is the bounding set of a container; nil is every capability.
func capabilities(context *runtimeapi.LinuxContainerSecurityContext) []uintptr {
	add, drop := context.GetCapabilities().GetAddCapabilities(), context.GetCapabilities().GetDropCapabilities()
	if context.GetPrivileged() {
		return nil
	}
	names := defaultCapabilities
	if hasCapability(drop, "ALL") {
		names = nil
	}
	if hasCapability(add, "ALL") {
		names = capabilityNames
	}
	result := []uintptr{}
	for number, name := range capabilityNames {
		if (slices.Contains(names, name) && !hasCapability(drop, name)) || hasCapability(add, name) {
			result = append(result, uintptr(number))
		}
	}
	return result
}

func hasCapability(names []string, name string) bool {
	return slices.ContainsFunc(names, func(other string) bool {
		return strings.TrimPrefix(strings.ToUpper(other), "CAP_") == name
	})
}

func lookUpUser(name string) (*user.User, error) {
	if isNumber(name) {
		return user.LookupId(name)
	}
	return user.Lookup(name)
}

func memberships(of *user.User) []uint32 {
	ids, err := of.GroupIds()
	if err != nil { // no /etc/group
		return nil
	}
	var groups []uint32
	for _, id := range ids {
		groups = append(groups, number(id))
	}
	return groups
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 32)
	return err == nil
}

func number(text string) uint32 {
	value, _ := strconv.ParseUint(text, 10, 32) // isNumber has checked it, or /etc/passwd has it
	return uint32(value)
}
