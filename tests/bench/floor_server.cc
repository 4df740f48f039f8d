// The floor for a comparison: answers the same protocols as fast as one thread with epoll can, and
// verifies nothing. Whatever a real server needs above this is its own work.
//
// usage: floor_server dovecot|saslauthd SOCKET
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/saslauthd/reply.h"
#include "protocol/saslauthd/request.h"
#include "tests/bench/descriptor.h"

namespace saslatch::bench {
namespace {

constexpr std::string_view kHandshake =
    "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
    "MECH\tCRAM-MD5\tdictionary\tactive\nSPID\t1\nCUID\t1\n"
    "COOKIE\t00000000000000000000000000000000\nDONE\n";
constexpr std::string_view kNamePrompt = "VXNlcm5hbWU6";
constexpr std::string_view kPasswordPrompt = "UGFzc3dvcmQ6";
constexpr std::string_view kChallenge = "PDEuMUBmbG9vcj4=";  // <1.1@floor>

class Client {
 public:
  Client(Descriptor fd, bool is_dovecot) : fd_(std::move(fd)), is_dovecot_(is_dovecot) {
    if (is_dovecot_) output_ = kHandshake;
    flush();
  }

  // False when the connection is over.
  bool serve() {
    char buffer[65536];
    const ssize_t size = read(fd_.get(), buffer, sizeof buffer);
    if (size <= 0) return false;
    const std::string_view bytes(buffer, static_cast<size_t>(size));
    if (!(is_dovecot_ ? take_lines(bytes) : take_request(bytes))) return false;
    return flush();
  }

 private:
  static std::string_view field(std::string_view& line) {
    const size_t tab = std::min(line.find('\t'), line.size());
    const std::string_view taken = line.substr(0, tab);
    line.remove_prefix(std::min(tab + 1, line.size()));
    return taken;
  }

  bool take_lines(std::string_view bytes) {
    input_ += bytes;
    size_t begin = 0;
    for (size_t end; (end = input_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      take_line(std::string_view(input_).substr(begin, end - begin));
    }
    input_.erase(0, begin);
    return input_.size() < sizeof(char[16384]);
  }

  void take_line(std::string_view line) {
    const std::string_view command = field(line);
    const std::string_view id = field(line);
    if (command == "AUTH") {
      const std::string_view mechanism = field(line);
      if (mechanism == "LOGIN") {
        asked_.insert_or_assign(std::string(id), 1);
        return challenge(id, kNamePrompt);
      }
      if (mechanism == "CRAM-MD5") {
        asked_.insert_or_assign(std::string(id), 0);
        return challenge(id, kChallenge);
      }
      accept(id);
    } else if (command == "CONT") {
      const auto asked = asked_.find(id);
      if (asked != asked_.end() && asked->second-- > 0) return challenge(id, kPasswordPrompt);
      if (asked != asked_.end()) asked_.erase(asked);
      accept(id);
    }
  }

  void challenge(std::string_view id, std::string_view text) {
    output_.append("CONT\t").append(id).append("\t").append(text).append("\n");
  }
  void accept(std::string_view id) { output_.append("OK\t").append(id).append("\tuser=anybody\n"); }

  bool take_request(std::string_view bytes) {
    const auto state = request_.receive(bytes);
    if (!state) return false;
    if (*state != saslauthd::RequestParser::State::kNeedMore) {
      output_ = saslauthd::encode_reply({true, ""});
    }
    return true;
  }

  // The load reads whatever we write, so a full socket ends the connection.
  bool flush() {
    if (output_.empty()) return true;
    const ssize_t size = send(fd_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
    const bool whole = size == static_cast<ssize_t>(output_.size());
    output_.clear();
    return whole;
  }

  Descriptor fd_;
  const bool is_dovecot_;
  std::string input_;
  std::string output_;
  std::map<std::string, int, std::less<>> asked_;  // id -> further prompts
  saslauthd::RequestParser request_;
};

int serve_forever(Descriptor listener, bool is_dovecot) {
  const Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener.get();
  epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener.get(), &event);
  std::map<int, std::unique_ptr<Client>> clients;
  for (;;) {
    epoll_event events[256];
    const int ready = epoll_wait(epoll.get(), events, 256, -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (fd != listener.get()) {
        if (!clients.at(fd)->serve()) clients.erase(fd);
        continue;
      }
      const int accepted = accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (accepted < 0) continue;
      event.data.fd = accepted;
      epoll_ctl(epoll.get(), EPOLL_CTL_ADD, accepted, &event);
      clients[accepted] = std::make_unique<Client>(Descriptor(accepted), is_dovecot);
    }
  }
}

}  // namespace
}  // namespace saslatch::bench

int main(int argc, char** argv) {
  const std::string_view protocol = argc == 3 ? argv[1] : "";
  if (protocol != "dovecot" && protocol != "saslauthd") {
    std::fputs("usage: floor_server dovecot|saslauthd SOCKET\n", stderr);
    return 64;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);  // never outlives the comparison that started it
  auto listener = saslatch::bench::listen_at(argv[2]);
  if (!listener) {
    std::fprintf(stderr, "floor_server: %s\n", listener.error().message.c_str());
    return 73;
  }
  return saslatch::bench::serve_forever(std::move(*listener), protocol == "dovecot");
}
