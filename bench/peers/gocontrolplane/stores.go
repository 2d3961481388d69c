package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
)

// store is one way to hand assignments to go-control-plane.
type store interface {
	cache() cache.Cache
	callbacks() server.Callbacks
	// publish gets the changed assignment and all of them, by service number.
	publish(ctx context.Context, changed int, all []types.Resource) error
}

func newStore(kind string, names []string, all []types.Resource) (store, error) {
	switch kind {
	case "linear":
		return newLinear(names, all), nil
	case "snapshot":
		// Every client has the same key: one snapshot for all.
		// (Not "ads": such a cache answers only clients that ask for everything.)
		s := &snapshots{caching: cache.NewSnapshotCache(false, oneForAll{}, nil), nodes: map[string]bool{everybody: true}}
		return s, s.publish(context.Background(), 0, all)
	case "snapshot-per-node":
		// As k8s-xds does: every node that ever came gets its own snapshot, made anew with every change.
		return &snapshots{
			caching: cache.NewSnapshotCache(false, cache.IDHash{}, nil), nodes: map[string]bool{}, perNode: true, all: all,
		}, nil
	}
	return nil, fmt.Errorf("-cache: %q is none of linear, snapshot, snapshot-per-node", kind)
}

type linear struct {
	names []string
	*cache.LinearCache
}

func newLinear(names []string, all []types.Resource) *linear {
	initial := make(map[string]types.Resource, len(all))
	for s, name := range names {
		initial[name] = all[s]
	}
	// A prefix of its own for each process: versions are counters, and those of another one would be taken for its own.
	prefix := fmt.Sprintf("bench-%d-", os.Getpid())
	return &linear{names, cache.NewLinearCache(resource.EndpointType,
		cache.WithVersionPrefix(prefix), cache.WithInitialResources(initial))}
}

func (l *linear) cache() cache.Cache          { return l.LinearCache }
func (l *linear) callbacks() server.Callbacks { return nil }

func (l *linear) publish(_ context.Context, changed int, all []types.Resource) error {
	return l.UpdateResource(l.names[changed], all[changed])
}

const everybody = "everybody"

type oneForAll struct{}

func (oneForAll) ID(*corev3.Node) string { return everybody }

// snapshots keeps one snapshot per key.
type snapshots struct {
	caching cache.SnapshotCache
	perNode bool

	mutex   sync.Mutex
	version int
	nodes   map[string]bool
	all     []types.Resource
}

func (s *snapshots) cache() cache.Cache { return s.caching }

func (s *snapshots) callbacks() server.Callbacks {
	if !s.perNode {
		return nil
	}
	meet := func(node *corev3.Node) error {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if id := node.GetId(); id != "" && !s.nodes[id] {
			s.nodes[id] = true
			return s.set(context.Background(), id)
		}
		return nil
	}
	return server.CallbackFuncs{
		StreamRequestFunc: func(_ int64, request *discoveryv3.DiscoveryRequest) error { return meet(request.GetNode()) },
		StreamDeltaRequestFunc: func(_ int64, request *discoveryv3.DeltaDiscoveryRequest) error {
			return meet(request.GetNode())
		},
	}
}

func (s *snapshots) publish(ctx context.Context, _ int, all []types.Resource) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.version++
	s.all = all
	for node := range s.nodes {
		if err := s.set(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

func (s *snapshots) set(ctx context.Context, node string) error {
	snapshot, err := cache.NewSnapshot(strconv.Itoa(s.version), map[resource.Type][]types.Resource{
		resource.EndpointType: s.all,
	})
	if err != nil {
		return err
	}
	return s.caching.SetSnapshot(ctx, node, snapshot)
}
