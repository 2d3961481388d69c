// Package runtime is a container runtime without images, for tests: containers are processes of this machine, in
// namespaces of their own. It serves the Container Runtime Interface (CRI), so that a real kubelet runs pods on it.
//
// A pod has a network namespace with an address of the node's range. A container has a mount namespace: its root is this
// machine's file system, or the folder that its image name is mapped to, and the kubelet's mounts. User, groups,
// capabilities, no_new_privs and a read-only root are obeyed.
//
// Not implemented: cgroups (resource limits have no effect), PID and IPC namespaces, seccomp and LSM profiles, sysctls,
// terminals (`exec -t` runs without one), attach, statistics, checkpoints.
package runtime

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming"
)

// Options of a runtime. Folder must exist.
type Options struct {
	Folder    string            // state; the socket of the CRI is cri.sock in it
	Node      netip.Addr        // the node's address, source of connections from the node to its pods
	Addresses netip.Prefix      // IPv4, of pods; neither the first nor the last address is given
	Images    map[string]string // image name → root file system; other names have this machine's
}

// Runtime has the state of all pods and containers of one node. It is safe for concurrent use.
type Runtime struct {
	runtimeapi.UnimplementedRuntimeServiceServer
	runtimeapi.UnimplementedImageServiceServer
	options   Options
	addresses *addresses
	streams   streaming.Server
	events    broadcast

	mu         sync.Mutex
	sandboxes  map[string]*sandbox
	containers map[string]*container
}

// Socket is where a runtime with this folder is served.
func Socket(folder string) string { return filepath.Join(folder, "cri.sock") }

// Serve starts a runtime and returns when it accepts requests. It ends with this process, as all containers do.
func Serve(options Options) error {
	r := &Runtime{
		options:    options,
		addresses:  newAddresses(options.Addresses),
		sandboxes:  map[string]*sandbox{},
		containers: map[string]*container{},
	}
	if err := prepareNode(options.Node); err != nil {
		return err
	}
	if err := r.serveStreams(); err != nil {
		return err
	}
	socket := Socket(options.Folder)
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	runtimeapi.RegisterRuntimeServiceServer(server, r)
	runtimeapi.RegisterImageServiceServer(server, r)
	go server.Serve(listener)
	return nil
}

// Version implements the CRI.
func (r *Runtime) Version(context.Context, *runtimeapi.VersionRequest) (*runtimeapi.VersionResponse, error) {
	return &runtimeapi.VersionResponse{
		Version: "0.1.0", RuntimeName: "kubebox", RuntimeVersion: "0.1.0", RuntimeApiVersion: "v1",
	}, nil
}

// Status implements the CRI: runtime and network are always ready.
func (r *Runtime) Status(context.Context, *runtimeapi.StatusRequest) (*runtimeapi.StatusResponse, error) {
	return &runtimeapi.StatusResponse{
		Status: &runtimeapi.RuntimeStatus{Conditions: []*runtimeapi.RuntimeCondition{
			{Type: runtimeapi.RuntimeReady, Status: true},
			{Type: runtimeapi.NetworkReady, Status: true},
		}},
		RuntimeHandlers: []*runtimeapi.RuntimeHandler{{Features: &runtimeapi.RuntimeHandlerFeatures{
			RecursiveReadOnlyMounts: true,
		}}},
		Features: &runtimeapi.RuntimeFeatures{SupplementalGroupsPolicy: true},
	}, nil
}

// UpdateRuntimeConfig implements the CRI: the pods' addresses come from Options.
func (r *Runtime) UpdateRuntimeConfig(
	context.Context, *runtimeapi.UpdateRuntimeConfigRequest,
) (*runtimeapi.UpdateRuntimeConfigResponse, error) {
	return &runtimeapi.UpdateRuntimeConfigResponse{}, nil
}

// RuntimeConfig implements the CRI.
func (r *Runtime) RuntimeConfig(
	context.Context, *runtimeapi.RuntimeConfigRequest,
) (*runtimeapi.RuntimeConfigResponse, error) {
	return &runtimeapi.RuntimeConfigResponse{}, nil
}

func newID() string {
	id := make([]byte, 16)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

func notFound(kind, id string) error {
	return status.Errorf(codes.NotFound, "%s %s is absent", kind, id)
}

// selected reports whether labels have all the values of a selector.
func selected(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}
