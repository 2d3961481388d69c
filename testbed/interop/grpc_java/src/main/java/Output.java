import com.google.gson.Gson;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Writes whole JSON lines from many threads. */
final class Output {
  private final PrintStream lines =
      new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
  private final Gson gson;

  Output(Gson gson) {
    this.gson = gson;
  }

  /** A connectivity state that a channel has changed to. */
  void state(String channel, String state) {
    write(Map.of("channel", channel, "state", state));
  }

  /** One finished call. {@code code} is a gRPC status code, {@code metadata} what came with the answer. */
  void result(String channel, String backend, int code, String error, Map<String, String> metadata) {
    write(
        Map.of("channel", channel, "backend", backend, "code", code, "error", error, "metadata", metadata));
  }

  /** The last call of a command has been reported. */
  void done(String channel, int id) {
    write(Map.of("channel", channel, "done", id));
  }

  /** The status that a server has changed to, with the reason where it does not serve. */
  void serving(String server, boolean serving, String error) {
    write(Map.of("server", server, "serving", serving, "error", error));
  }

  /** The number of calls that a server lets wait. */
  void blocked(String server, int blocked) {
    write(Map.of("server", server, "blocked", blocked));
  }

  /** No call is left in the server. */
  void closed(String server) {
    write(Map.of("server", server, "closed", true));
  }

  private synchronized void write(Map<String, Object> line) {
    lines.println(gson.toJson(line));
  }
}
