// A small xDS server as a user of go-control-plane would write it: the ADS service over a cache of endpoint
// assignments. It is a peer in steerway's benchmark and nothing else: no TLS, no Kubernetes, no other types.
//
// Flags set how much it serves; then it obeys lines on standard input (see bench/contestant.py):
//
//	set ADDRESS ENDPOINT SERVICE...   give endpoint number ENDPOINT of these services a new address
//
// It prints "listening HOST:PORT" when it serves and ends when standard input does.
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

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const servicePort = 50051

// mesh holds the assignments as they are now, by service number.
type mesh struct {
	names       []string
	assignments []types.Resource
	store       store
}

func newMesh(kind string, services, endpoints int) (*mesh, error) {
	m := &mesh{}
	for s := range services {
		name := fmt.Sprintf("svc-%d.bench.svc.cluster.local:%d", s, servicePort)
		list := make([]*endpointv3.LbEndpoint, endpoints)
		for e := range list {
			list[e] = lbEndpoint(fmt.Sprintf("10.%d.%d.%d", s>>8, s&255, e+1))
		}
		m.names = append(m.names, name)
		m.assignments = append(m.assignments, assignment(name, list))
	}
	store, err := newStore(kind, m.names, m.assignments)
	m.store = store
	return m, err
}

func lbEndpoint(address string) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{
		HealthStatus: corev3.HealthStatus_HEALTHY,
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address:       address,
				PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: servicePort},
			}}},
		}},
	}
}

func assignment(name string, list []*endpointv3.LbEndpoint) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Endpoints: []*endpointv3.LocalityLbEndpoints{{
			Locality:            &corev3.Locality{Zone: "zone-a"},
			LbEndpoints:         list,
			LoadBalancingWeight: wrapperspb.UInt32(uint32(len(list))),
		}},
	}
}

// set publishes a copy of one assignment with a new address; what clients were given is never written to.
func (m *mesh) set(ctx context.Context, service, endpoint int, address string) error {
	old := m.assignments[service].(*endpointv3.ClusterLoadAssignment).Endpoints[0].LbEndpoints
	list := append([]*endpointv3.LbEndpoint(nil), old...)
	list[endpoint] = lbEndpoint(address)
	m.assignments[service] = assignment(m.names[service], list)
	return m.store.publish(ctx, service, m.assignments)
}

func (m *mesh) obey(ctx context.Context, line string) error {
	fields := strings.Fields(line)
	if len(fields) < 4 || fields[0] != "set" {
		return fmt.Errorf("not understood: %q", line)
	}
	endpoint, err := strconv.Atoi(fields[2])
	if err != nil {
		return err
	}
	for _, field := range fields[3:] {
		service, err := strconv.Atoi(field)
		if err != nil {
			return err
		}
		if err := m.set(ctx, service, endpoint, fields[1]); err != nil {
			return err
		}
	}
	return nil
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	kind := flag.String("cache", "linear", "linear, snapshot or snapshot-per-node")
	services := flag.Int("services", 300, "number of services")
	endpoints := flag.Int("endpoints", 50, "endpoints of each service")
	certificate := flag.String("certificate", "", "file with the certificate; speak TLS")
	key := flag.String("key", "", "file with its key")
	flag.Parse()

	m, err := newMesh(*kind, *services, *endpoints)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var options []grpc.ServerOption
	if *certificate != "" {
		secure, err := credentials.NewServerTLSFromFile(*certificate, *key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(secure))
	}
	grpcServer := grpc.NewServer(options...)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(ctx, m.store.cache(), m.store.callbacks()))
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	go func() {
		if err := grpcServer.Serve(listener); err != nil {
			log.Fatal(err)
		}
	}()
	defer grpcServer.Stop()
	fmt.Println("listening", listener.Addr())

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := m.obey(ctx, lines.Text()); err != nil {
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
