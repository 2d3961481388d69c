package runtime

import (
	"sync"
	"time"

	"google.golang.org/grpc"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// broadcast sends container events to every stream; a stream that does not keep up misses some. The kubelet's regular
// list of all containers makes up for that.
type broadcast struct {
	mu      sync.Mutex
	streams map[chan *runtimeapi.ContainerEventResponse]bool
}

const keptEvents = 1000

// GetContainerEvents implements the CRI.
func (r *Runtime) GetContainerEvents(
	_ *runtimeapi.GetEventsRequest, stream grpc.ServerStreamingServer[runtimeapi.ContainerEventResponse],
) error {
	events := make(chan *runtimeapi.ContainerEventResponse, keptEvents)
	r.events.add(events)
	defer r.events.remove(events)
	for {
		select {
		case <-stream.Context().Done():
			return nil
		case event := <-events:
			if err := stream.Send(event); err != nil {
				return err
			}
		}
	}
}

func (r *Runtime) publish(c *container, kind runtimeapi.ContainerEventType) {
	r.mu.Lock()
	event := &runtimeapi.ContainerEventResponse{
		ContainerId: c.id, ContainerEventType: kind, CreatedAt: time.Now().UnixNano(),
		PodSandboxStatus: c.sandbox.status(), ContainersStatuses: []*runtimeapi.ContainerStatus{c.status()},
	}
	r.mu.Unlock()
	r.events.mu.Lock()
	defer r.events.mu.Unlock()
	for stream := range r.events.streams {
		select {
		case stream <- event:
		default:
		}
	}
}

func (b *broadcast) add(stream chan *runtimeapi.ContainerEventResponse) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams == nil {
		b.streams = map[chan *runtimeapi.ContainerEventResponse]bool{}
	}
	b.streams[stream] = true
}

func (b *broadcast) remove(stream chan *runtimeapi.ContainerEventResponse) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.streams, stream)
}
