import io.grpc.Grpc;
import io.grpc.HandlerRegistry;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.xds.XdsServerBuilder;
import io.grpc.xds.XdsServerCredentials;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/** An xDS server on all addresses, which answers every method with its name. */
final class XdsServer implements XdsServerBuilder.XdsServingStatusListener {
  private static final int URI_NAME = 6; // of a GeneralName (RFC 5280, 4.2.1.6)
  private static final int HEXADECIMAL = 16;
  private static final Metadata.Key<String> PEER = Call.key("peer");
  private static final Metadata.Key<String> SERIAL = Call.key("serial");

  private final String name;
  private final Output output;
  private final Server server;
  private final List<Runnable> blocked = new ArrayList<>();

  XdsServer(String name, String address, Output output) {
    this.name = name;
    this.output = output;
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    server =
        XdsServerBuilder.forPort(port, XdsServerCredentials.create(InsecureServerCredentials.create()))
            .xdsServingStatusListener(this)
            .executor(Executors.newCachedThreadPool())
            .fallbackHandlerRegistry(new Methods())
            .build();
    new Thread(this::start).start();
  }

  /** Returns when the server has its Listener. */
  private void start() {
    try {
      server.start();
    } catch (IOException error) {
      onNotServing(error);
    }
  }

  @Override
  public void onServing() {
    output.serving(name, true, "");
  }

  @Override
  public void onNotServing(Throwable error) {
    output.serving(name, false, String.valueOf(error.getMessage()));
  }

  /** Answers the calls that wait. */
  synchronized void release() {
    blocked.forEach(Runnable::run);
    blocked.clear();
  }

  private synchronized void block(Runnable answer) {
    blocked.add(answer);
    output.blocked(name, blocked.size());
  }

  /** Ends the server; calls in flight may finish. */
  void close() {
    server.shutdown();
    new Thread(
            () -> {
              try {
                server.awaitTermination(Long.MAX_VALUE, TimeUnit.NANOSECONDS);
              } catch (InterruptedException error) {
                throw new IllegalStateException(error);
              }
              output.closed(name);
            })
        .start();
  }

  /** The certificate of the client, null for one without. */
  private static X509Certificate certificate(ServerCall<?, ?> call) {
    SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    if (session == null) {
      return null;
    }
    try {
      return (X509Certificate) session.getPeerCertificates()[0];
    } catch (SSLPeerUnverifiedException error) {
      return null;
    }
  }

  /** The SPIFFE ID of a certificate. */
  private static String identity(X509Certificate certificate) {
    try {
      return certificate.getSubjectAlternativeNames().stream()
          .filter(entry -> entry.get(0).equals(URI_NAME))
          .map(entry -> (String) entry.get(1))
          .findFirst()
          .orElse("");
    } catch (CertificateParsingException error) {
      throw new IllegalStateException(error);
    }
  }

  /** Every method that there can be. */
  private final class Methods extends HandlerRegistry {
    @Override
    public ServerMethodDefinition<?, ?> lookupMethod(String method, String authority) {
      return ServerMethodDefinition.create(Call.descriptor(method), (call, headers) -> new Answer(call));
    }
  }

  /** Answers one call, after its message. */
  private final class Answer extends ServerCall.Listener<byte[]> {
    private final ServerCall<byte[], byte[]> call;

    Answer(ServerCall<byte[], byte[]> call) {
      this.call = call;
      call.request(2); // a second message would be an error of the client
    }

    @Override
    public void onHalfClose() {
      if (call.getMethodDescriptor().getFullMethodName().endsWith("/Block")) {
        block(this::answer);
      } else {
        answer();
      }
    }

    private void answer() {
      Metadata headers = new Metadata();
      X509Certificate certificate = certificate(call);
      headers.put(PEER, certificate == null ? "" : identity(certificate));
      headers.put(
          SERIAL, certificate == null ? "" : certificate.getSerialNumber().toString(HEXADECIMAL));
      call.sendHeaders(headers);
      call.sendMessage(name.getBytes(StandardCharsets.UTF_8));
      call.close(Status.OK, new Metadata());
    }
  }
}
