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

  private synchronized void write(Map<String, Object> line) {
    lines.println(gson.toJson(line));
  }
}
