// Command server serves the Echo service: server [--xds] [--port 50051] [--drain 5s] [--grace 20s].
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/stats/opentelemetry"
	"google.golang.org/grpc/xds"

	"example.com/echo/echo"
	"example.com/echo/telemetry"
)

var (
	useXDS = flag.Bool("xds", false, "get the server's own configuration by xDS (mTLS, authorization)")
	port   = flag.Int("port", 50051, "port to listen on; 0 is any, without --xds")
	drain  = flag.Duration("drain", 5*time.Second, "time between SIGTERM and the stop, in which clients go elsewhere")
	grace  = flag.Duration("grace", 20*time.Second, "time for running calls to finish after that")
)

// A service of gRPC, with the methods of grpc.Server that are used here: xds.GRPCServer has them too.
type server interface {
	reflection.GRPCServer
	Serve(net.Listener) error
	GracefulStop()
	Stop()
}

type echoServer struct {
	echo.UnimplementedEchoServer
	name string
}

func (s *echoServer) Echo(_ context.Context, request *echo.EchoRequest) (*echo.EchoResponse, error) {
	return &echo.EchoResponse{Message: request.GetMessage(), Server: s.name}, nil
}

func main() {
	flag.Parse()
	options, export, err := telemetry.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := run(options); err != nil {
		log.Fatal(err)
	}
	if err := export(context.Background()); err != nil {
		log.Print(err)
	}
}

func run(options opentelemetry.Options) error {
	// With "tcp" the address, which names the Listener of --xds, would be [::]:PORT.
	listener, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", *port))
	if err != nil {
		return err
	}
	server, err := newServer(
		// Clients may ping once a minute, also without calls.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Minute, PermitWithoutStream: true}),
		// Callers without xDS stay on one connection, so on one pod, until it ends. Longer than the longest call.
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 30 * time.Minute, MaxConnectionAgeGrace: time.Minute}),
		opentelemetry.ServerOption(options),
	)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	listening := listener.Addr().(*net.TCPAddr).Port
	echo.RegisterEchoServer(server, &echoServer{name: fmt.Sprintf("%s:%d", host, listening)})
	status := health.NewServer()
	healthpb.RegisterHealthServer(server, status)
	reflection.Register(server)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		end(server, status)
	}()
	fmt.Printf("listening on port %d\n", listening)
	if err := server.Serve(listener); err != nil {
		return err
	}
	<-stopped
	return nil
}

func newServer(options ...grpc.ServerOption) (server, error) {
	if !*useXDS {
		return grpc.NewServer(options...), nil
	}
	creds, err := xdscreds.NewServerCredentials(xdscreds.ServerOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return nil, err
	}
	return xds.NewGRPCServer(append(options, grpc.Creds(creds))...)
}

// end stops the server without a failed call: the readiness probe fails, Kubernetes marks the pod as terminating, the
// control plane removes it, and clients go elsewhere; then new calls are refused and running ones finish.
func end(server server, status *health.Server) {
	fmt.Println("draining")
	status.Shutdown()
	time.Sleep(*drain)
	hard := time.AfterFunc(*grace, server.Stop)
	defer hard.Stop()
	server.GracefulStop()
}
