// Calls the Echo service: client TARGET [CALLS]. CALLS is 10; with 0, it calls until SIGTERM.

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <climits>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "echo.grpc.pb.h"

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kInterval{100};
constexpr milliseconds kDeadline{5000};
// The first call waits for the control plane: gRPC treats a resource as missing after 15 s.
constexpr milliseconds kStartDeadline{30000};

volatile std::sig_atomic_t stopped = 0;

std::shared_ptr<grpc::Channel> NewChannel(const std::string& target) {
  grpc::ChannelArguments arguments;
  // Connections that are silently gone are noticed after both times together, without them after minutes. Servers close
  // connections that are pinged more often than they allow: every 5 minutes by default.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 300000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000);
  // An idle channel has no stream to the control plane, and its next call waits for one. INT_MAX is never.
  arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX);
  // For dns:/// only; an xDS control plane sends the policy. Without it, all calls go to one address.
  arguments.SetServiceConfigJSON(R"({"loadBalancingConfig": [{"round_robin": {}}]})");
  // Without TLS in the Cluster that the control plane sends, and for other schemes, the fallback applies.
  return grpc::CreateCustomChannel(target, grpc::XdsCredentials(grpc::InsecureChannelCredentials()), arguments);
}

// Makes one call and prints its result.
bool Call(echo::v1::Echo::Stub& echo, milliseconds limit, bool wait_for_ready) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + limit);
  context.set_wait_for_ready(wait_for_ready);
  echo::v1::EchoRequest request;
  request.set_message("hello");
  echo::v1::EchoResponse response;
  const grpc::Status status = echo.Echo(&context, request, &response);
  if (status.ok()) {
    std::cout << "OK " << response.server() << std::endl;
  } else {
    std::cout << "code " << status.error_code() << " " << status.error_message() << std::endl;
  }
  return status.ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: client TARGET [CALLS], for example: client xds:///echo.shop:50051" << std::endl;
    return 2;
  }
  const int calls = argc > 2 ? std::stoi(argv[2]) : 10;
  std::signal(SIGINT, [](int) { stopped = 1; });
  std::signal(SIGTERM, [](int) { stopped = 1; });
  const auto echo = echo::v1::Echo::NewStub(NewChannel(argv[1]));
  if (!Call(*echo, kStartDeadline, true)) return 1;
  for (int made = 1; (calls == 0 || made < calls) && !stopped; ++made) {
    std::this_thread::sleep_for(kInterval);
    if (!stopped) Call(*echo, kDeadline, false);
  }
  return 0;
}
