import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** What a call is: {@code method} is /SERVICE/METHOD. */
record Call(String method, Map<String, String> metadata, double deadlineSeconds) {

  /** Receives how a call ended; {@code backend} is "" for one that failed. */
  interface End {
    void take(String backend, Status status, Map<String, String> metadata);
  }

  /** Messages are bytes as they are: no generated code is needed. */
  private static final MethodDescriptor.Marshaller<byte[]> BYTES =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] message) {
          return new ByteArrayInputStream(message);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        }
      };

  /** Begins the call and returns; {@code end} runs when it is over, on a thread of the channel. */
  void begin(ManagedChannel channel, byte[] message, End end) {
    MethodDescriptor<byte[], byte[]> descriptor = descriptor(method.substring(1));
    CallOptions options =
        CallOptions.DEFAULT.withDeadlineAfter((long) (deadlineSeconds * 1e9), TimeUnit.NANOSECONDS);
    ClientCall<byte[], byte[]> call = channel.newCall(descriptor, options);
    call.start(new Listener(end), headers());
    call.request(2); // a second message would be an error of the server
    call.sendMessage(message);
    call.halfClose();
  }

  /** {@code method} is SERVICE/METHOD. */
  static MethodDescriptor<byte[], byte[]> descriptor(String method) {
    return MethodDescriptor.newBuilder(BYTES, BYTES)
        .setType(MethodDescriptor.MethodType.UNARY)
        .setFullMethodName(method)
        .build();
  }

  private Metadata headers() {
    Metadata headers = new Metadata();
    metadata.forEach((name, value) -> headers.put(key(name), value));
    return headers;
  }

  static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static final class Listener extends ClientCall.Listener<byte[]> {
    private final End end;
    private final Metadata received = new Metadata();
    private String backend = "";

    Listener(End end) {
      this.end = end;
    }

    @Override
    public void onHeaders(Metadata headers) {
      received.merge(headers);
    }

    @Override
    public void onMessage(byte[] message) {
      backend = new String(message, StandardCharsets.UTF_8);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      received.merge(trailers);
      end.take(status.isOk() ? backend : "", status, text());
    }

    /** Metadata that is text; several values of a name are joined by commas. */
    private Map<String, String> text() {
      Map<String, String> text = new LinkedHashMap<>();
      for (String name : received.keys()) {
        if (!name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
          text.put(name, String.join(", ", received.getAll(key(name))));
        }
      }
      return text;
    }
  }
}
