package com.example.echo;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import io.grpc.xds.XdsChannelCredentials;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Calls the Echo service: Client TARGET [CALLS]. CALLS is 10; with 0, it calls until SIGTERM. */
public final class Client {
  private static final long INTERVAL_MILLIS = 100;
  private static final long DEADLINE_SECONDS = 5;

  /** The first call waits for the control plane: gRPC treats a resource as missing after 15 s. */
  private static final long START_DEADLINE_SECONDS = 30;

  public static void main(String[] arguments) throws InterruptedException {
    if (arguments.length < 1) {
      System.err.println("usage: Client TARGET [CALLS], for example: Client xds:///echo.shop:50051");
      System.exit(2);
    }
    int calls = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 10;
    CountDownLatch stopped = new CountDownLatch(1);
    CountDownLatch ended = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(stopped, ended)));
    boolean ok;
    try (Telemetry telemetry = new Telemetry()) {
      ok = run(arguments[0], calls, telemetry, stopped);
    }
    ended.countDown();
    System.exit(ok ? 0 : 1);
  }

  private static void stop(CountDownLatch stopped, CountDownLatch ended) {
    stopped.countDown();
    try {
      ended.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static boolean run(String target, int calls, Telemetry telemetry, CountDownLatch stopped)
      throws InterruptedException {
    ManagedChannel channel = channel(target, telemetry);
    EchoGrpc.EchoBlockingStub echo = EchoGrpc.newBlockingStub(channel);
    boolean ok = call(echo.withWaitForReady(), START_DEADLINE_SECONDS);
    for (int made = 1; ok && (calls == 0 || made < calls); made++) {
      if (stopped.await(INTERVAL_MILLIS, TimeUnit.MILLISECONDS)) {
        break;
      }
      call(echo, DEADLINE_SECONDS);
    }
    channel.shutdown().awaitTermination(DEADLINE_SECONDS, TimeUnit.SECONDS);
    return ok;
  }

  private static ManagedChannel channel(String target, Telemetry telemetry) {
    // Without TLS in the Cluster that the control plane sends, and for other schemes, the fallback applies.
    ManagedChannelBuilder<?> builder =
        Grpc.newChannelBuilder(target, XdsChannelCredentials.create(InsecureChannelCredentials.create()))
            // Connections that are silently gone are noticed after both times together, without them after minutes.
            // Servers close connections that are pinged more often than they allow: every 5 minutes by default.
            .keepAliveTime(5, TimeUnit.MINUTES)
            .keepAliveTimeout(20, TimeUnit.SECONDS)
            // An idle channel has no stream to the control plane, and its next call waits for one. 30 days is never.
            .idleTimeout(30, TimeUnit.DAYS)
            // For dns:/// only; an xDS control plane sends the policy. Without it, all calls go to one address.
            .defaultServiceConfig(Map.of("loadBalancingConfig", List.of(Map.of("round_robin", Map.of()))));
    telemetry.grpc().configureChannelBuilder(builder);
    return builder.build();
  }

  /** Make one call and print its result. */
  private static boolean call(EchoGrpc.EchoBlockingStub echo, long seconds) {
    EchoRequest request = EchoRequest.newBuilder().setMessage("hello").build();
    try {
      System.out.println("OK " + echo.withDeadlineAfter(seconds, TimeUnit.SECONDS).echo(request).getServer());
      return true;
    } catch (StatusRuntimeException e) {
      System.out.println(e.getStatus().getCode() + " " + e.getStatus().getDescription());
      return false;
    }
  }

  private Client() {}
}
