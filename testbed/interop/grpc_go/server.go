package main

import (
	"context"
	"log"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdscredentials "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/xds"
)

// server is one xDS server, which answers every method with its name.
type server struct {
	name  string
	out   *output
	serve *xds.GRPCServer

	mutex   sync.Mutex
	waiting int
	let     chan struct{}
}

func serve(name, address string, out *output) (*server, error) {
	transport, err := xdscredentials.NewServerCredentials(
		xdscredentials.ServerOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return nil, err
	}
	s := &server{name: name, out: out, let: make(chan struct{})}
	s.serve, err = xds.NewGRPCServer(
		grpc.Creds(transport),
		grpc.ForceServerCodec(bytesCodec{}),
		grpc.UnknownServiceHandler(s.answer),
		xds.ServingModeCallback(s.report),
	)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := s.serve.Serve(listener); err != nil {
			log.Fatalf("server %s: %v", name, err)
		}
	}()
	return s, nil
}

func (s *server) report(_ net.Addr, change xds.ServingModeChangeArgs) {
	reason := ""
	if change.Err != nil {
		reason = change.Err.Error()
	}
	s.out.write(serving{s.name, change.Mode == connectivity.ServingModeServing, reason})
}

func (s *server) answer(_ any, stream grpc.ServerStream) error {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	if method, _ := grpc.MethodFromServerStream(stream); strings.HasSuffix(method, "/Block") {
		s.block(stream.Context())
	}
	id, serial := identity(stream.Context())
	if err := stream.SetHeader(metadata.Pairs("peer", id, "serial", serial)); err != nil {
		return err
	}
	answer := []byte(s.name)
	return stream.SendMsg(&answer)
}

// block waits until the server releases its calls, or the client ends this one.
func (s *server) block(ctx context.Context) {
	s.mutex.Lock()
	s.waiting++
	let := s.let
	s.out.write(blocked{s.name, s.waiting})
	s.mutex.Unlock()
	select {
	case <-let:
	case <-ctx.Done():
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.waiting--
}

func (s *server) release() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	close(s.let)
	s.let = make(chan struct{})
}

func (s *server) close() {
	s.serve.GracefulStop()
	s.out.write(closed{s.name, true})
}

// identity is the SPIFFE ID of the client and the serial number of its certificate, "" for one without a certificate.
func identity(ctx context.Context) (id, serial string) {
	caller, ok := peer.FromContext(ctx)
	if !ok {
		return "", ""
	}
	if tls, ok := caller.AuthInfo.(credentials.TLSInfo); ok && tls.SPIFFEID != nil {
		return tls.SPIFFEID.String(), tls.State.PeerCertificates[0].SerialNumber.Text(16)
	}
	return "", ""
}
