import com.google.gson.Gson;
import com.google.gson.annotations.SerializedName;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * A grpc-java client, and a server, that runs the commands on its standard input: those of
 * testbed/interop/grpc_go/main.go, with the same lines as output. The bootstrap file is read by grpc-xds itself, from GRPC_XDS_BOOTSTRAP.
 */
final class Client {
  private static final String METHOD = "steerway.test.Backend/Name";
  private static final double DEADLINE_SECONDS = 20;

  private Client() {}

  /** One line of standard input. Absent fields keep these defaults. */
  static final class Command {
    @SerializedName("do")
    String action = "";

    String channel = "";
    String server = "";
    String address = "";
    int id;
    String target = "";

    @SerializedName("idle_seconds")
    double idleSeconds;

    @SerializedName("xds_credentials")
    boolean xdsCredentials;

    int count;
    double rate;
    String method = "/" + METHOD;
    Map<String, String> metadata = Map.of();

    @SerializedName("deadline_seconds")
    double deadlineSeconds = DEADLINE_SECONDS;
  }

  public static void main(String[] arguments) throws IOException {
    Gson gson = new Gson();
    Output output = new Output(gson);
    Map<String, Channel> channels = new HashMap<>();
    Map<String, XdsServer> servers = new HashMap<>();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Command command = gson.fromJson(line, Command.class);
      if (!command.server.isEmpty()) {
        runServer(servers, command, output);
        continue;
      }
      if (command.action.equals("dial")) {
        channels.put(
            command.channel,
            new Channel(
                command.channel, command.target, command.idleSeconds, command.xdsCredentials, output));
        continue;
      }
      Channel known = channels.get(command.channel);
      if (known == null) {
        throw new IllegalArgumentException("command " + line + ": no such channel");
      }
      run(known, command);
    }
    System.exit(0); // threads of grpc-java keep the process alive
  }

  private static void run(Channel channel, Command command) {
    Call call = new Call(command.method, command.metadata, command.deadlineSeconds);
    switch (command.action) {
      case "call" -> channel.callInTurn(command.id, command.count, call);
      case "gather" -> channel.gather(command.id, command.count, call);
      case "start" -> channel.start(command.rate, call);
      case "stop" -> channel.stop(command.id);
      default -> throw new IllegalArgumentException("unknown command " + command.action);
    }
  }

  private static void runServer(Map<String, XdsServer> servers, Command command, Output output) {
    switch (command.action) {
      case "serve" -> servers.put(command.server, new XdsServer(command.server, command.address, output));
      case "release" -> servers.get(command.server).release();
      case "close" -> servers.get(command.server).close();
      default -> throw new IllegalArgumentException("unknown command " + command.action);
    }
  }
}
