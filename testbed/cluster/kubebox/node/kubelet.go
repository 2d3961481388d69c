// Package node is a node of a test cluster: a real kubelet on the container runtime of package runtime.
//
// Replaced are only the parts that read or change this machine: cAdvisor (the node has a fixed size), the manager of
// cgroups, the OOM adjuster. Pods are ended with this process, also by SIGKILL.
package node

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	logs "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/util/oom"

	"steerway.test/cluster/kubebox/runtime"
)

// flags of the command kubelet.
type flags struct {
	name, address, podCIDR            string
	kubeconfig, clientCA, certificate string
	key, folder, clusterDNS           string
	labels, images                    map[string]string
	port                              int32
}

// NewCommand returns the command that runs a node until SIGTERM.
func NewCommand() *cobra.Command {
	var f flags
	c := &cobra.Command{Use: "kubelet", SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		return f.run(ctx)
	}}
	set := c.Flags()
	set.StringVar(&f.name, "name", "node-0", "name of the node")
	set.StringVar(&f.address, "address", "10.244.0.10", "address of the node")
	set.Int32Var(&f.port, "port", 10250, "port of the kubelet on that address, for logs, exec and port forwarding")
	set.StringVar(&f.podCIDR, "pod-cidr", "10.244.1.0/24", "addresses to give to pods")
	set.StringVar(&f.kubeconfig, "kubeconfig", "", "how to reach the API server, and as which user")
	set.StringVar(&f.clientCA, "client-ca", "", "certificate of the authority of the API server's client certificate")
	set.StringVar(&f.certificate, "certificate", "", "certificate of the kubelet's server")
	set.StringVar(&f.key, "key", "", "private key of that certificate")
	set.StringVar(&f.folder, "folder", "", "folder for volumes, logs and state")
	set.StringVar(&f.clusterDNS, "cluster-dns", "", "address of the cluster's DNS server; empty: pods have the machine's")
	set.StringToStringVar(&f.labels, "labels", nil, "labels of the node")
	set.StringToStringVar(&f.images, "image", nil,
		"NAME=FOLDER: containers of the image NAME have the root file system FOLDER, and the OCI image configuration "+
			"FOLDER.json if there is one; others have the machine's file system")
	return c
}

func (f *flags) run(ctx context.Context) error {
	if err := isolate(); err != nil {
		return err
	}
	address, err := netip.ParseAddr(f.address)
	if err != nil {
		return err
	}
	pods, err := netip.ParsePrefix(f.podCIDR)
	if err != nil {
		return err
	}
	state := filepath.Join(f.folder, "runtime")
	if err := os.MkdirAll(state, 0o755); err != nil {
		return err
	}
	options := runtime.Options{Folder: state, Node: address, Addresses: pods, Images: f.images}
	if err := runtime.Serve(options); err != nil {
		return fmt.Errorf("container runtime: %w", err)
	}
	server, err := f.configuration(runtime.Socket(state))
	if err != nil {
		return err
	}
	if err := logs.ValidateAndApply(&server.Logging, utilfeature.DefaultFeatureGate); err != nil {
		return err
	}
	dependencies, err := app.UnsecuredDependencies(ctx, server, utilfeature.DefaultFeatureGate)
	if err != nil {
		return err
	}
	dependencies.CAdvisorInterface = &machine{}
	dependencies.ContainerManager = cm.NewStubContainerManager()
	dependencies.OOMAdjuster = oom.NewFakeOOMAdjuster()
	return app.Run(ctx, server, dependencies, utilfeature.DefaultFeatureGate)
}
