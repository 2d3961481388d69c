package runtime

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// container is one container of a pod: created, then running, then exited. Fields below process change, under the
// runtime's lock.
type container struct {
	id      string
	sandbox *sandbox
	config  *runtimeapi.ContainerConfig
	image   image
	created time.Time
	exited  chan struct{} // closed when it is exited

	process  *process // nil until it is started
	state    runtimeapi.ContainerState
	started  time.Time
	finished time.Time
	exitCode int32
	message  string
}

// CreateContainer implements the CRI.
func (r *Runtime) CreateContainer(
	_ context.Context, request *runtimeapi.CreateContainerRequest,
) (*runtimeapi.CreateContainerResponse, error) {
	image, err := r.image(request.Config.GetImage().GetImage())
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[request.PodSandboxId]
	if s == nil {
		return nil, notFound("pod sandbox", request.PodSandboxId)
	}
	c := &container{
		id: newID(), sandbox: s, config: request.Config, image: image, created: time.Now(), exited: make(chan struct{}),
		state: runtimeapi.ContainerState_CONTAINER_CREATED,
	}
	r.containers[c.id] = c
	return &runtimeapi.CreateContainerResponse{ContainerId: c.id}, nil
}

// StartContainer implements the CRI. A container that cannot be started has exited, with code 128 as of other runtimes.
func (r *Runtime) StartContainer(
	_ context.Context, request *runtimeapi.StartContainerRequest,
) (*runtimeapi.StartContainerResponse, error) {
	c, err := r.container(request.ContainerId)
	if err != nil {
		return nil, err
	}
	process, err := start(c, r.options.Folder)
	r.mu.Lock()
	defer r.mu.Unlock()
	c.started = time.Now()
	if err != nil {
		c.finish(128, err.Error())
		return nil, status.Errorf(codes.Unknown, "start %s: %v", c.config.GetMetadata().GetName(), err)
	}
	c.process, c.state = process, runtimeapi.ContainerState_CONTAINER_RUNNING
	go r.reap(c)
	return &runtimeapi.StartContainerResponse{}, nil
}

// reap waits for the end of a container's process.
func (r *Runtime) reap(c *container) {
	code := c.process.wait()
	r.mu.Lock()
	c.finish(code, "")
	r.mu.Unlock()
	r.publish(c, runtimeapi.ContainerEventType_CONTAINER_STOPPED_EVENT)
}

func (c *container) finish(code int, message string) {
	c.state, c.finished = runtimeapi.ContainerState_CONTAINER_EXITED, time.Now()
	c.exitCode, c.message = int32(code), message
	close(c.exited)
}

// StopContainer implements the CRI.
func (r *Runtime) StopContainer(
	_ context.Context, request *runtimeapi.StopContainerRequest,
) (*runtimeapi.StopContainerResponse, error) {
	if c, err := r.container(request.ContainerId); err == nil { // stopping an absent one is no error
		r.stop(c, time.Duration(request.Timeout)*time.Second)
	}
	return &runtimeapi.StopContainerResponse{}, nil
}

// stop sends the stop signal, and SIGKILL after grace; it returns when the process has ended.
func (r *Runtime) stop(c *container, grace time.Duration) {
	r.mu.Lock()
	process := c.process
	r.mu.Unlock()
	if process == nil {
		return
	}
	if grace > 0 {
		process.signal(c.stopSignal())
		select {
		case <-c.exited:
			return
		case <-time.After(grace):
		}
	}
	process.signal(unix.SIGKILL)
	<-c.exited
}

// stopSignal is the one of the pod's container, else SIGTERM.
func (c *container) stopSignal() unix.Signal {
	if wanted := c.config.GetStopSignal(); wanted != runtimeapi.Signal_SIGNAL_RUNTIME_DEFAULT {
		if number := unix.SignalNum(strings.TrimPrefix(wanted.String(), "SIGNAL_")); number != 0 {
			return number
		}
	}
	return unix.SIGTERM
}

// RemoveContainer implements the CRI.
func (r *Runtime) RemoveContainer(
	_ context.Context, request *runtimeapi.RemoveContainerRequest,
) (*runtimeapi.RemoveContainerResponse, error) {
	if c, err := r.container(request.ContainerId); err == nil { // removing an absent one is no error
		r.stop(c, 0)
		r.mu.Lock()
		delete(r.containers, c.id)
		r.mu.Unlock()
	}
	return &runtimeapi.RemoveContainerResponse{}, nil
}

// ListContainers implements the CRI.
func (r *Runtime) ListContainers(
	_ context.Context, request *runtimeapi.ListContainersRequest,
) (*runtimeapi.ListContainersResponse, error) {
	filter := request.GetFilter()
	response := &runtimeapi.ListContainersResponse{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.containers {
		if id := filter.GetId(); id != "" && id != c.id {
			continue
		}
		if id := filter.GetPodSandboxId(); id != "" && id != c.sandbox.id {
			continue
		}
		if state := filter.GetState(); state != nil && state.State != c.state {
			continue
		}
		if !selected(filter.GetLabelSelector(), c.config.Labels) {
			continue
		}
		response.Containers = append(response.Containers, &runtimeapi.Container{
			Id: c.id, PodSandboxId: c.sandbox.id, Metadata: c.config.Metadata, Image: c.config.Image,
			ImageRef: c.image.id, ImageId: c.image.id, State: c.state, CreatedAt: c.created.UnixNano(),
			Labels: c.config.Labels, Annotations: c.config.Annotations,
		})
	}
	return response, nil
}

// ContainerStatus implements the CRI.
func (r *Runtime) ContainerStatus(
	_ context.Context, request *runtimeapi.ContainerStatusRequest,
) (*runtimeapi.ContainerStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[request.ContainerId]
	if c == nil {
		return nil, notFound("container", request.ContainerId)
	}
	return &runtimeapi.ContainerStatusResponse{Status: c.status()}, nil
}

// status may only be called with the runtime's lock held.
func (c *container) status() *runtimeapi.ContainerStatus {
	result := &runtimeapi.ContainerStatus{
		Id: c.id, Metadata: c.config.Metadata, State: c.state, CreatedAt: c.created.UnixNano(),
		ExitCode: c.exitCode, Image: c.config.Image, ImageRef: c.image.id, ImageId: c.image.id,
		Message: c.message, Labels: c.config.Labels, Annotations: c.config.Annotations, Mounts: c.config.Mounts,
		LogPath: c.logPath(),
	}
	if !c.started.IsZero() {
		result.StartedAt = c.started.UnixNano()
	}
	if c.state == runtimeapi.ContainerState_CONTAINER_EXITED {
		result.FinishedAt = c.finished.UnixNano()
		switch {
		case c.message != "":
			result.Reason = "StartError"
		case c.exitCode == 0:
			result.Reason = "Completed"
		default:
			result.Reason = "Error"
		}
	}
	return result
}

// UpdateContainerResources implements the CRI: resources have no effect here.
func (r *Runtime) UpdateContainerResources(
	context.Context, *runtimeapi.UpdateContainerResourcesRequest,
) (*runtimeapi.UpdateContainerResourcesResponse, error) {
	return &runtimeapi.UpdateContainerResourcesResponse{}, nil
}

func (r *Runtime) container(id string) (*container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.containers[id]; c != nil {
		return c, nil
	}
	return nil, notFound("container", id)
}

func (c *container) logPath() string {
	return filepath.Join(c.sandbox.config.LogDirectory, c.config.LogPath)
}
