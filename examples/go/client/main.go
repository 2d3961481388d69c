// Command client calls the Echo service: client TARGET [CALLS]. CALLS is 10; with 0, it calls until SIGTERM.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats/opentelemetry"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds" // adds the scheme xds:///

	"example.com/echo/echo"
	"example.com/echo/telemetry"
)

const (
	interval = 100 * time.Millisecond
	deadline = 5 * time.Second
	// The first call waits for the control plane: gRPC treats a resource as missing after 15 s.
	startDeadline = 30 * time.Second
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: client TARGET [CALLS], for example: client xds:///echo.shop:50051")
	}
	calls := 10
	if len(os.Args) > 2 {
		var err error
		if calls, err = strconv.Atoi(os.Args[2]); err != nil {
			log.Fatalf("CALLS: %v", err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	options, export, err := telemetry.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, os.Args[1], calls, options); err != nil {
		log.Fatal(err)
	}
	if err := export(context.Background()); err != nil {
		log.Print(err)
	}
}

func run(ctx context.Context, target string, calls int, options opentelemetry.Options) error {
	// Without TLS in the Cluster that the control plane sends, and for other schemes, the fallback applies.
	creds, err := xds.NewClientCredentials(xds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	channel, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(creds),
		// Connections that are silently gone are noticed after Time + Timeout, without that after minutes. Servers
		// close connections that are pinged more often than their enforcement policy allows: 5 minutes by default.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 5 * time.Minute, Timeout: 20 * time.Second}),
		// An idle channel has no stream to the control plane, and its next call waits for one. 0 is never.
		grpc.WithIdleTimeout(0),
		// For dns:/// only; an xDS control plane sends the policy. Without it, all calls go to one address.
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		opentelemetry.DialOption(options),
	)
	if err != nil {
		return err
	}
	defer channel.Close()
	client := echo.NewEchoClient(channel)
	if err := call(ctx, client, startDeadline, grpc.WaitForReady(true)); err != nil {
		return err
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for number := 1; calls == 0 || number < calls; number++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		// A failed call does not end the program; a call that SIGTERM finds is finished.
		_ = call(context.WithoutCancel(ctx), client, deadline)
	}
	return nil
}

func call(ctx context.Context, client echo.EchoClient, limit time.Duration, options ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := client.Echo(ctx, &echo.EchoRequest{Message: "hello"}, options...)
	if err != nil {
		fmt.Printf("%v %s\n", status.Code(err), status.Convert(err).Message())
		return err
	}
	fmt.Printf("OK %s\n", answer.GetServer())
	return nil
}
