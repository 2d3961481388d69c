// Serves the Echo service: server [--xds] [--port 50051] [--drain 5] [--grace 20]; times are in seconds.

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/xds_server_builder.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "echo.grpc.pb.h"

namespace {

struct Options {
  bool xds = false;  // get the server's own configuration by xDS (mTLS, authorization)
  int port = 50051;  // 0 is any, without --xds
  double drain = 5;  // between SIGTERM and the stop, in which clients go elsewhere
  double grace = 20;  // for running calls to finish after that
};

class EchoService final : public echo::v1::Echo::Service {
 public:
  void set_name(std::string name) { name_ = std::move(name); }

  grpc::Status Echo(grpc::ServerContext*, const echo::v1::EchoRequest* request,
                    echo::v1::EchoResponse* response) override {
    response->set_message(request->message());
    response->set_server(name_);
    return grpc::Status::OK;
  }

 private:
  std::string name_;
};

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--xds") {
      options.xds = true;
    } else if (i + 1 < argc && name == "--port") {
      options.port = std::stoi(argv[++i]);
    } else if (i + 1 < argc && name == "--drain") {
      options.drain = std::stod(argv[++i]);
    } else if (i + 1 < argc && name == "--grace") {
      options.grace = std::stod(argv[++i]);
    } else {
      std::cerr << "usage: server [--xds] [--port 50051] [--drain 5] [--grace 20]" << std::endl;
      std::exit(2);
    }
  }
  return options;
}

std::unique_ptr<grpc::ServerBuilder> NewBuilder(const Options& options, int* listening) {
  const std::string address = "0.0.0.0:" + std::to_string(options.port);
  std::unique_ptr<grpc::ServerBuilder> builder;
  auto credentials = grpc::InsecureServerCredentials();
  if (options.xds) {
    builder = std::make_unique<grpc::XdsServerBuilder>();
    credentials = grpc::XdsServerCredentials(credentials);
  } else {
    builder = std::make_unique<grpc::ServerBuilder>();
  }
  builder->AddListeningPort(address, credentials, listening);
  // Clients may ping once a minute, also without calls.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 60000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Callers without xDS stay on one connection, so on one pod, until it ends. Longer than the longest call.
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 30 * 60000);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 60000);
  return builder;
}

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  // Before any thread starts, so that only sigwait below gets them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  int listening = options.port;
  EchoService service;
  const auto builder = NewBuilder(options, &listening);
  builder->RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder->BuildAndStart();
  if (server == nullptr) {
    std::cerr << "port " << options.port << " cannot be used" << std::endl;
    return 1;
  }
  service.set_name(HostName() + ":" + std::to_string(listening));
  std::cout << "listening on port " << listening << std::endl;

  int signal = 0;
  sigwait(&signals, &signal);
  // The readiness probe fails, Kubernetes marks the pod as terminating, the control plane removes it, and clients go
  // elsewhere; then new calls are refused and running ones finish.
  std::cout << "draining" << std::endl;
  server->GetHealthCheckService()->SetServingStatus(false);
  std::this_thread::sleep_for(std::chrono::duration<double>(options.drain));
  server->Shutdown(std::chrono::system_clock::now() +
                   std::chrono::duration_cast<std::chrono::system_clock::duration>(
                       std::chrono::duration<double>(options.grace)));
  server->Wait();
  return 0;
}
