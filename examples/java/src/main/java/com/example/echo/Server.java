package com.example.echo;

import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.ServerBuilder;
import io.grpc.ServerCredentials;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.grpc.stub.StreamObserver;
import io.grpc.xds.XdsServerBuilder;
import io.grpc.xds.XdsServerCredentials;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Serves the Echo service: Server [--xds] [--port 50051] [--drain 5] [--grace 20]; times are in seconds. */
public final class Server {
  private static final class EchoService extends EchoGrpc.EchoImplBase {
    private volatile String name;

    @Override
    public void echo(EchoRequest request, StreamObserver<EchoResponse> observer) {
      observer.onNext(EchoResponse.newBuilder().setMessage(request.getMessage()).setServer(name).build());
      observer.onCompleted();
    }
  }

  public static void main(String[] given) throws IOException, InterruptedException {
    List<String> arguments = List.of(given);
    int port = Integer.parseInt(option(arguments, "--port", "50051"));
    Duration drain = Duration.parse("PT" + option(arguments, "--drain", "5") + "S");
    Duration grace = Duration.parse("PT" + option(arguments, "--grace", "20") + "S");
    Telemetry telemetry = new Telemetry();
    HealthStatusManager health = new HealthStatusManager();
    EchoService echo = new EchoService();
    ServerBuilder<?> builder = builder(arguments.contains("--xds"), port);
    telemetry.grpc().configureServerBuilder(builder);
    io.grpc.Server server =
        builder
            .addService(echo)
            .addService(health.getHealthService())
            .addService(ProtoReflectionServiceV1.newInstance())
            .build()
            .start();
    echo.name = InetAddress.getLocalHost().getHostName() + ":" + server.getPort();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> end(server, health, telemetry, drain, grace)));
    System.out.println("listening on port " + server.getPort());
    server.awaitTermination();
  }

  /** With xDS, the server's own configuration (mTLS, authorization) comes from the control plane; start() waits for it. */
  private static ServerBuilder<?> builder(boolean xds, int port) {
    ServerCredentials insecure = InsecureServerCredentials.create();
    ServerBuilder<?> builder =
        xds
            ? XdsServerBuilder.forPort(port, XdsServerCredentials.create(insecure))
            : Grpc.newServerBuilderForPort(port, insecure);
    return builder
        // Clients may ping once a minute, also without calls.
        .permitKeepAliveTime(1, TimeUnit.MINUTES)
        .permitKeepAliveWithoutCalls(true)
        // Callers without xDS stay on one connection, so on one pod, until it ends. Longer than the longest call.
        .maxConnectionAge(30, TimeUnit.MINUTES)
        .maxConnectionAgeGrace(1, TimeUnit.MINUTES);
  }

  /**
   * Stop without a failed call: the readiness probe fails, Kubernetes marks the pod as terminating, the control plane
   * removes it, and clients go elsewhere; then new calls are refused and running ones finish.
   */
  private static void end(
      io.grpc.Server server, HealthStatusManager health, Telemetry telemetry, Duration drain, Duration grace) {
    System.out.println("draining");
    health.enterTerminalState();
    try {
      Thread.sleep(drain.toMillis());
      if (!server.shutdown().awaitTermination(grace.toMillis(), TimeUnit.MILLISECONDS)) {
        server.shutdownNow().awaitTermination();
      }
    } catch (InterruptedException e) {
      server.shutdownNow();
    }
    telemetry.close();
  }

  private static String option(List<String> arguments, String name, String otherwise) {
    int index = arguments.indexOf(name);
    return index < 0 ? otherwise : arguments.get(index + 1);
  }

  private Server() {}
}
