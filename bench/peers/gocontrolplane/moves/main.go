// An ADS server over go-control-plane's snapshot cache, in which one listener's route moves between two clusters. It is
// a peer in steerway's benchmark of moves (bench/moves.py): each snapshot holds the new cluster alone, as that of a
// control plane does whose users replace a Service in one step.
//
//	-backend NAME=HOST:PORT   a cluster with one endpoint (repeatable); the route names the first
//
// It prints "listening HOST:PORT" when it serves, obeys lines "move NAME" on standard input and ends when that does.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	target   = "front.shop"
	everyone = "all"
)

// oneNode gives every client the same snapshot.
type oneNode struct{}

func (oneNode) ID(*corev3.Node) string { return everyone }

type backends []struct{ name, host, port string }

func (b *backends) String() string { return fmt.Sprint(*b) }

func (b *backends) Set(text string) error {
	name, address, ok := strings.Cut(text, "=")
	host, port, err := net.SplitHostPort(address)
	if !ok || err != nil {
		return fmt.Errorf("%q is not NAME=HOST:PORT", text)
	}
	*b = append(*b, struct{ name, host, port string }{name, host, port})
	return nil
}

func packed(message proto.Message) *anypb.Any {
	value, err := anypb.New(message)
	if err != nil {
		panic(err)
	}
	return value
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
}

func listener() *listenerv3.Listener {
	manager := &hcmv3.HttpConnectionManager{
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{ConfigSource: ads(), RouteConfigName: target}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name:       "router",
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(&routerv3.Router{})},
		}},
	}
	return &listenerv3.Listener{Name: target, ApiListener: &listenerv3.ApiListener{ApiListener: packed(manager)}}
}

func route(cluster string) *routev3.RouteConfiguration {
	action := &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}}}
	match := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}}
	return &routev3.RouteConfiguration{Name: target, VirtualHosts: []*routev3.VirtualHost{{
		Name: target, Domains: []string{"*"}, Routes: []*routev3.Route{{Match: match, Action: action}},
	}}}
}

func cluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()},
	}
}

func assignment(name, host string, port uint32) *endpointv3.ClusterLoadAssignment {
	address := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
	endpoint := &endpointv3.Endpoint{Address: address}
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		Locality:            &corev3.Locality{Zone: "zone-a"},
		LoadBalancingWeight: wrapperspb.UInt32(1),
		LbEndpoints:         []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: endpoint}}},
	}}}
}

func (b backends) snapshot(version int, name string) (*cache.Snapshot, error) {
	for _, backend := range b {
		if backend.name != name {
			continue
		}
		port, err := strconv.ParseUint(backend.port, 10, 16)
		if err != nil {
			return nil, err
		}
		return cache.NewSnapshot(strconv.Itoa(version), map[resourcev3.Type][]types.Resource{
			resourcev3.ListenerType: {listener()},
			resourcev3.RouteType:    {route(name)},
			resourcev3.ClusterType:  {cluster(name)},
			resourcev3.EndpointType: {assignment(name, backend.host, uint32(port))},
		})
	}
	return nil, fmt.Errorf("no backend %q", name)
}

func run() error {
	var known backends
	flag.Var(&known, "backend", "NAME=HOST:PORT")
	flag.Parse()
	if len(known) == 0 {
		return fmt.Errorf("no -backend")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store := cache.NewSnapshotCache(true, oneNode{}, nil)
	version := 0
	move := func(name string) error {
		version++
		next, err := known.snapshot(version, name)
		if err != nil {
			return err
		}
		return store.SetSnapshot(ctx, everyone, next)
	}
	if err := move(known[0].name); err != nil {
		return err
	}
	grpcServer := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(ctx, store, nil))
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		if err := grpcServer.Serve(socket); err != nil {
			log.Fatal(err)
		}
	}()
	defer grpcServer.Stop()
	fmt.Println("listening", socket.Addr())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		name, ok := strings.CutPrefix(lines.Text(), "move ")
		if !ok {
			return fmt.Errorf("not understood: %q", lines.Text())
		}
		if err := move(name); err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
