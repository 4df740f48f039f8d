// What the Dovecot auth protocol itself costs a login: the AUTH line in, the OK line out, without
// mechanism, passdb or sockets.

#include <benchmark/benchmark.h>

#include <string>
#include <variant>

#include "protocol/base/base64.h"
#include "protocol/dovecot/auth_client.h"
#include "protocol/dovecot/auth_server.h"

namespace {

using namespace saslatch;
using namespace saslatch::dovecot;

// As Postfix writes it.
std::string auth_line(uint64_t id) {
  using namespace std::string_view_literals;
  return "AUTH\t" + std::to_string(id) +
         "\tPLAIN\tservice=smtp\tnologin\tlip=203.0.113.5\trip=198.51.100.9\tsecured\tresp=" +
         base64_encode("\0alice@example.com\0correct horse battery"sv) + "\n";
}

// One login after another, as one smtpd has them; or `depth` of them pipelined.
void serve_auth_and_ok(benchmark::State& state) {
  const auto depth = static_cast<uint64_t>(state.range(0));
  AuthServer server({.mechanisms = {{.name = "PLAIN", .plaintext = true}}});
  server.receive("VERSION\t1\t0\nCPID\t1\n");
  std::string lines;
  for (uint64_t id = 1; id <= depth; ++id) lines += auth_line(id);
  for (auto _ : state) {
    server.receive(lines);
    while (auto event = server.next()) {
      const auto& request = std::get<AuthRequest>(*event);
      benchmark::DoNotOptimize(request.initial_response->reveal().data());
      server.ok(request.id, {.user = "alice@example.com"});
    }
    benchmark::DoNotOptimize(server.take_output());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(serve_auth_and_ok)->Arg(1)->Arg(50);

// The same, with 1000 others unfinished on the connection.
void serve_beside_a_thousand(benchmark::State& state) {
  AuthServer server({.mechanisms = {{.name = "PLAIN", .plaintext = true}}});
  server.receive("VERSION\t1\t0\nCPID\t1\n");
  for (uint64_t id = 2; id <= 1001; ++id) server.receive(auth_line(id));
  while (server.next()) {
  }
  const std::string line = auth_line(1);  // the worst place in the table
  for (auto _ : state) {
    server.receive(line);
    benchmark::DoNotOptimize(server.next());
    server.ok(1, {.user = "alice@example.com"});
    benchmark::DoNotOptimize(server.take_output());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(serve_beside_a_thousand);

// A connection's whole life in front of its first login.
void greet(benchmark::State& state) {
  const ServerHandshake handshake{.mechanisms = {{.name = "PLAIN", .plaintext = true},
                                                 {.name = "LOGIN", .plaintext = true},
                                                 {.name = "CRAM-MD5", .dictionary = true}},
                                  .spid = 4242,
                                  .cuid = 1};
  for (auto _ : state) {
    AuthServer server(handshake);
    benchmark::DoNotOptimize(server.take_output());
    server.receive("VERSION\t1\t0\nCPID\t21032\n");
    benchmark::DoNotOptimize(server.next());
  }
}
BENCHMARK(greet);

void ask_and_read_ok(benchmark::State& state) {
  AuthClient client(1);
  client.receive("VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nDONE\n");
  benchmark::DoNotOptimize(client.next());
  for (auto _ : state) {
    const auto id = client.authenticate({.mechanism = "PLAIN",
                                         .rip = "198.51.100.9",
                                         .lip = "203.0.113.5",
                                         .secured = Secured::kYes,
                                         .nologin = true,
                                         .initial_response = "xalice@example.comxcorrect horse"});
    benchmark::DoNotOptimize(client.take_output());
    client.receive("OK\t" + std::to_string(*id) + "\tuser=alice@example.com\n");
    benchmark::DoNotOptimize(client.next());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ask_and_read_ok);

}  // namespace

BENCHMARK_MAIN();
