package runtime

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// gateway is the pods' next hop. Every pod has a link of its own, on whose other end the node has this address.
const gateway = "169.254.1.1"

// hairpinRules let a pod connect to itself through a Service: it would not accept packets from its own address. The proxy
// of the cluster cannot do it, since it knows no pod as one of its node.
const hairpinRules = `
add table ip kubebox
add set ip kubebox pods { type ipv4_addr . ipv4_addr; }
add chain ip kubebox postrouting { type nat hook postrouting priority srcnat; }
flush chain ip kubebox postrouting
add rule ip kubebox postrouting ip saddr . ip daddr @pods masquerade
`

// network is a pod's network namespace: loopback, and a link to the node's namespace with the pod's address.
type network struct {
	*cell
	address netip.Addr
	file    *os.File // the namespace
}

// newNetwork makes the namespace of a pod. link is the unique name, of 15 bytes at most, of the node's end.
func newNetwork(link string, node, address netip.Addr) (*network, error) {
	n := &network{address: address}
	var err error
	n.cell, err = newCell(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("create a network namespace: %w", err)
		}
		// Containers may bind ports below 1024 without a capability, as with containerd.
		if err := writeSetting("ipv4/ip_unprivileged_port_start", "0"); err != nil {
			return err
		}
		if n.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return ip(
			"link set lo up",
			fmt.Sprintf("link add eth0 type veth peer name %s netns /proc/%d/ns/net", link, os.Getpid()),
			fmt.Sprintf("address add %s/32 dev eth0", address),
			"link set eth0 up",
			fmt.Sprintf("route add %s dev eth0 scope link", gateway),
			fmt.Sprintf("route add default via %s dev eth0", gateway),
		)
	})
	if err != nil {
		return nil, err
	}
	// The cluster's network has all pod addresses as local ones; this pod's is the exception.
	err = ip(
		fmt.Sprintf("address add %s/32 dev %s", gateway, link),
		fmt.Sprintf("link set %s up", link),
		fmt.Sprintf("route add %s/32 dev %s table local scope link src %s", address, link, node),
	)
	if err == nil {
		err = nft(fmt.Sprintf("add element ip kubebox pods { %s . %s }", address, address))
	}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// enter moves the calling thread into the namespace.
func (n *network) enter() error {
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network namespace of %s: %w", n.address, err)
	}
	return nil
}

// close gives the namespace up. The kernel removes it, and the link with it, when the last process in it has ended; the
// address is unreachable at once.
func (n *network) close() {
	if n.file != nil {
		n.run(func() error { return ip("link delete eth0") })
		n.file.Close()
	}
	n.cell.close()
}

// prepareNode gives the network namespace of this process the node's address, and lets its pods reach each other.
func prepareNode(address netip.Addr) error {
	if err := ip(fmt.Sprintf("address replace %s/32 dev lo", address)); err != nil {
		return err
	}
	if err := nft(hairpinRules); err != nil {
		return err
	}
	return writeSetting("ipv4/ip_forward", "1")
}

func writeSetting(name, value string) error {
	return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0)
}

// ip runs commands of ip(8) in the calling thread's network namespace, up to the first that fails.
func ip(commands ...string) error { return feed(strings.Join(commands, "\n"), "ip", "-batch", "-") }

// nft changes the packet filter of the calling thread's network namespace, all or nothing.
func nft(commands string) error { return feed(commands, "nft", "-f", "-") }

func feed(input, name string, arguments ...string) error {
	command := exec.Command(name, arguments...)
	command.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}
