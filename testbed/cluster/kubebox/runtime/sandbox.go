package runtime

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// sandbox is a pod: its network, and the files that its containers share.
type sandbox struct {
	id      string
	config  *runtimeapi.PodSandboxConfig
	handler string
	created time.Time
	ready   bool
	network *network // nil: the node's
	folder  string
}

// RunPodSandbox implements the CRI.
func (r *Runtime) RunPodSandbox(
	_ context.Context, request *runtimeapi.RunPodSandboxRequest,
) (*runtimeapi.RunPodSandboxResponse, error) {
	s := &sandbox{
		id: newID(), config: request.Config, handler: request.RuntimeHandler, created: time.Now(), ready: true,
	}
	s.folder = filepath.Join(r.options.Folder, "sandboxes", s.id)
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return nil, err
	}
	if err := s.writeResolverConfig(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.config.LogDirectory, 0o755); err != nil {
		return nil, err
	}
	if !s.onNode() {
		address, err := r.addresses.take()
		if err != nil {
			return nil, err
		}
		if s.network, err = newNetwork("pod"+s.id[:12], r.options.Node, address); err != nil {
			r.addresses.release(address)
			return nil, err
		}
	}
	r.mu.Lock()
	r.sandboxes[s.id] = s
	r.mu.Unlock()
	return &runtimeapi.RunPodSandboxResponse{PodSandboxId: s.id}, nil
}

// StopPodSandbox implements the CRI: it ends all containers of the pod.
func (r *Runtime) StopPodSandbox(
	_ context.Context, request *runtimeapi.StopPodSandboxRequest,
) (*runtimeapi.StopPodSandboxResponse, error) {
	r.mu.Lock()
	s := r.sandboxes[request.PodSandboxId]
	stopping := s != nil && s.ready
	var containers []*container
	if stopping {
		s.ready = false
		for _, c := range r.containers {
			if c.sandbox == s {
				containers = append(containers, c)
			}
		}
	}
	r.mu.Unlock()
	if !stopping { // the CRI requires that stopping it twice is no error
		return &runtimeapi.StopPodSandboxResponse{}, nil
	}
	for _, c := range containers {
		r.stop(c, 0)
	}
	if s.network != nil {
		s.network.close()
		r.addresses.release(s.network.address)
	}
	return &runtimeapi.StopPodSandboxResponse{}, nil
}

// RemovePodSandbox implements the CRI.
func (r *Runtime) RemovePodSandbox(
	ctx context.Context, request *runtimeapi.RemovePodSandboxRequest,
) (*runtimeapi.RemovePodSandboxResponse, error) {
	if _, err := r.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: request.PodSandboxId}); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[request.PodSandboxId]
	if s == nil {
		return &runtimeapi.RemovePodSandboxResponse{}, nil
	}
	for id, c := range r.containers {
		if c.sandbox == s {
			delete(r.containers, id)
		}
	}
	delete(r.sandboxes, s.id)
	return &runtimeapi.RemovePodSandboxResponse{}, os.RemoveAll(s.folder)
}

// PodSandboxStatus implements the CRI.
func (r *Runtime) PodSandboxStatus(
	_ context.Context, request *runtimeapi.PodSandboxStatusRequest,
) (*runtimeapi.PodSandboxStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[request.PodSandboxId]
	if s == nil {
		return nil, notFound("pod sandbox", request.PodSandboxId)
	}
	return &runtimeapi.PodSandboxStatusResponse{Status: s.status()}, nil
}

// ListPodSandbox implements the CRI.
func (r *Runtime) ListPodSandbox(
	_ context.Context, request *runtimeapi.ListPodSandboxRequest,
) (*runtimeapi.ListPodSandboxResponse, error) {
	filter := request.GetFilter()
	response := &runtimeapi.ListPodSandboxResponse{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sandboxes {
		if id := filter.GetId(); id != "" && id != s.id {
			continue
		}
		if state := filter.GetState(); state != nil && state.State != s.state() {
			continue
		}
		if !selected(filter.GetLabelSelector(), s.config.Labels) {
			continue
		}
		response.Items = append(response.Items, &runtimeapi.PodSandbox{
			Id: s.id, Metadata: s.config.Metadata, State: s.state(), CreatedAt: s.created.UnixNano(),
			Labels: s.config.Labels, Annotations: s.config.Annotations, RuntimeHandler: s.handler,
		})
	}
	return response, nil
}

// status may only be called with the runtime's lock held.
func (s *sandbox) status() *runtimeapi.PodSandboxStatus {
	addresses := &runtimeapi.PodSandboxNetworkStatus{}
	if s.network != nil && s.ready {
		addresses.Ip = s.network.address.String()
	}
	return &runtimeapi.PodSandboxStatus{
		Id: s.id, Metadata: s.config.Metadata, State: s.state(), CreatedAt: s.created.UnixNano(), Network: addresses,
		Linux: &runtimeapi.LinuxPodSandboxStatus{Namespaces: &runtimeapi.Namespace{
			Options: s.config.GetLinux().GetSecurityContext().GetNamespaceOptions(),
		}},
		Labels: s.config.Labels, Annotations: s.config.Annotations, RuntimeHandler: s.handler,
	}
}

func (s *sandbox) state() runtimeapi.PodSandboxState {
	if s.ready {
		return runtimeapi.PodSandboxState_SANDBOX_READY
	}
	return runtimeapi.PodSandboxState_SANDBOX_NOTREADY
}

// onNode reports whether the pod has `hostNetwork: true`.
func (s *sandbox) onNode() bool {
	options := s.config.GetLinux().GetSecurityContext().GetNamespaceOptions()
	return options.GetNetwork() == runtimeapi.NamespaceMode_NODE
}

func (s *sandbox) resolverConfig() string { return filepath.Join(s.folder, "resolv.conf") }

// writeResolverConfig writes the resolv.conf that the kubelet derived from the pod's dnsPolicy and dnsConfig.
func (s *sandbox) writeResolverConfig() error {
	var text strings.Builder
	for _, server := range s.config.GetDnsConfig().GetServers() {
		text.WriteString("nameserver " + server + "\n")
	}
	for keyword, words := range map[string][]string{
		"search": s.config.GetDnsConfig().GetSearches(), "options": s.config.GetDnsConfig().GetOptions(),
	} {
		if len(words) > 0 {
			text.WriteString(keyword + " " + strings.Join(words, " ") + "\n")
		}
	}
	return os.WriteFile(s.resolverConfig(), []byte(text.String()), 0o644)
}
