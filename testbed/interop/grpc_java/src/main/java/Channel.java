import io.grpc.ChannelCredentials;
import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.xds.XdsChannelCredentials;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.concurrent.Phaser;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** One channel and its load. */
final class Channel {
  private static final long NEVER_IDLE_DAYS = 365; // more than 30 days switches idleness off
  private static final byte[] EMPTY = {};

  private final String name;
  private final Output output;
  private final ManagedChannel channel;
  private ScheduledExecutorService clock;
  private Phaser load;

  /** {@code xds}: with the credentials of the Cluster, plaintext where it has none. */
  Channel(String name, String target, double idleSeconds, boolean xds, Output output) {
    this.name = name;
    this.output = output;
    ChannelCredentials plaintext = InsecureChannelCredentials.create();
    ChannelCredentials credentials = xds ? XdsChannelCredentials.create(plaintext) : plaintext;
    var builder = Grpc.newChannelBuilder(target, credentials).proxyDetector(address -> null);
    if (idleSeconds > 0) {
      builder.idleTimeout((long) (idleSeconds * 1e9), TimeUnit.NANOSECONDS);
    } else {
      builder.idleTimeout(NEVER_IDLE_DAYS, TimeUnit.DAYS);
    }
    channel = builder.build();
    reportState();
  }

  private void reportState() {
    ConnectivityState current = channel.getState(false);
    output.state(name, current.name());
    channel.notifyWhenStateChanged(current, this::reportState);
  }

  private void begin(Call call, byte[] message, Runnable after) {
    call.begin(
        channel,
        message,
        (backend, status, metadata) -> {
          String error = status.getDescription() == null ? "" : status.getDescription();
          output.result(name, backend, status.getCode().value(), error, metadata);
          after.run();
        });
  }

  /** Makes {@code count} calls, one after another. */
  void callInTurn(int id, int count, Call call) {
    if (count == 0) {
      output.done(name, id);
    } else {
      begin(call, EMPTY, () -> callInTurn(id, count - 1, call));
    }
  }

  /** Sends {@code count} calls that the backends answer when all of them are under way. */
  void gather(int id, int count, Call call) {
    Phaser calls = endingWith(id);
    calls.bulkRegister(count);
    byte[] message = Integer.toString(count).getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i < count; i++) {
      begin(call, message, calls::arriveAndDeregister);
    }
    calls.arriveAndDeregister();
  }

  /** Sends calls at a fixed rate until {@link #stop}, independent of how earlier ones end. */
  void start(double rate, Call call) {
    load = new Phaser(1);
    clock = Executors.newSingleThreadScheduledExecutor();
    Phaser calls = load;
    Runnable send =
        () -> {
          calls.register();
          begin(call, EMPTY, calls::arriveAndDeregister);
        };
    long nanoseconds = (long) (1e9 / rate);
    var unused = clock.scheduleAtFixedRate(send, nanoseconds, nanoseconds, TimeUnit.NANOSECONDS);
  }

  /** Ends the load; the command is done when its last call is. */
  void stop(int id) {
    clock.shutdown();
    Phaser calls = load;
    new Thread(
            () -> {
              try {
                clock.awaitTermination(Long.MAX_VALUE, TimeUnit.NANOSECONDS);
              } catch (InterruptedException error) {
                throw new IllegalStateException(error);
              }
              calls.arriveAndAwaitAdvance();
              output.done(name, id);
            })
        .start();
  }

  /** A phaser with one party that reports the end of a command when all parties have left. */
  private Phaser endingWith(int id) {
    return new Phaser(1) {
      @Override
      protected boolean onAdvance(int phase, int registered) {
        output.done(name, id);
        return true;
      }
    };
  }
}
