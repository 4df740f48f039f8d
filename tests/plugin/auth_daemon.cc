#include "tests/plugin/auth_daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "protocol/base/crypto/cram_md5_context.h"
#include "protocol/base/crypto/system_random.h"
#include "protocol/dovecot/auth_server.h"
#include "protocol/sasl/mechanisms.h"

namespace saslatch::plugin {
namespace {

dovecot::ServerHandshake handshake() {
  dovecot::ServerHandshake handshake{};
  for (const sasl::MechanismInfo& mechanism : sasl::known_mechanisms()) {
    handshake.mechanisms.push_back({.name = std::string(mechanism.name)});
  }
  handshake.spid = 1;
  handshake.cuid = 1;
  return handshake;
}

std::string password_of(const std::string& user) { return "secret of " + user; }

template <typename Condition>
bool comes_true(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::string describe(const dovecot::AuthRequest& auth) {
  std::string text = "service=" + auth.service;
  text += " rip=" + auth.rip_text + " rport=" + std::to_string(auth.rport);
  text += " lip=" + auth.lip_text + " lport=" + std::to_string(auth.lport);
  if (auth.secured != dovecot::Secured::kNo) text += " secured";
  if (auth.nologin) text += " nologin";
  return text;
}

}  // namespace

// One connection.
class AuthPeer {
 public:
  AuthPeer(int descriptor, AuthDaemon::Seen& seen)
      : descriptor_(descriptor), seen_(seen), server_(handshake()) {
    ++seen_.connections;
    write();
  }
  ~AuthPeer() { ::close(descriptor_); }
  AuthPeer(const AuthPeer&) = delete;
  AuthPeer& operator=(const AuthPeer&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }

  // False at its end.
  bool serve() {
    std::array<char, 16384> buffer;
    const ssize_t count = ::read(descriptor_, buffer.data(), buffer.size());
    if (count <= 0) return false;
    server_.receive({buffer.data(), static_cast<size_t>(count)});
    while (auto event = server_.next()) {
      if (auto* auth = std::get_if<dovecot::AuthRequest>(&*event)) begin(*auth);
      if (auto* more = std::get_if<dovecot::ContinueRequest>(&*event)) {
        take(more->id, exchanges_.at(more->id)->respond(more->response.reveal()));
      }
      if (std::holds_alternative<dovecot::CancelRequest>(*event)) {
        ++seen_.cancelled;
        for (const auto& [id, user] : std::exchange(late_, {})) server_.ok(id, {.user = user});
      }
      if (std::holds_alternative<dovecot::ProtocolError>(*event)) is_over_ = true;
      if (is_over_) return false;
    }
    write();
    return true;
  }

 private:
  void write() {
    const std::string output = server_.take_output();
    if (::write(descriptor_, output.data(), output.size()) < 0) is_over_ = true;
  }

  void begin(dovecot::AuthRequest& auth) {
    ++seen_.requests;
    describe(auth).copy(seen_.last, sizeof seen_.last - 1);
    seen_.last[std::min(describe(auth).size(), sizeof seen_.last - 1)] = '\0';
    for (const sasl::MechanismInfo& info : sasl::known_mechanisms()) {
      if (info.name != auth.mechanism) continue;
      exchanges_[auth.id] = info.make({random_, "mail.example.org", 1'782'898'200});
      std::optional<std::string_view> initial;
      if (auth.initial_response) initial = auth.initial_response->reveal();
      take(auth.id, exchanges_[auth.id]->start(initial));
    }
  }

  void take(uint32_t id, const sasl::Step& step) {
    if (const auto* challenge = std::get_if<sasl::Challenge>(&step)) {
      server_.challenge(id, challenge->bytes);
    } else if (const auto* password = std::get_if<sasl::VerifyPassword>(&step)) {
      decide(id, password->authcid,
             password->password.reveal() == password_of(password->authcid) &&
                 password->authzid.empty());
    } else if (const auto* digest = std::get_if<sasl::VerifyCramMd5>(&step)) {
      const auto context = CramMd5Context::from_password(password_of(digest->authcid));
      decide(id, digest->authcid, context.hmac(digest->challenge) == digest->digest);
    } else {
      server_.fail(id, {});
    }
  }

  void decide(uint32_t id, const std::string& user, bool right) {
    static const std::map<std::string, dovecot::FailCode> kCodes = {
        {"tired", dovecot::FailCode::kTempFail},
        {"banned", dovecot::FailCode::kAuthzFail},
        {"disabled", dovecot::FailCode::kUserDisabled},
        {"expired", dovecot::FailCode::kPassExpired}};
    ++seen_.verified;
    if (user == "silent") return;
    if (user == "late" && seen_.cancelled == 0) {
      late_[id] = user;
    } else if (user == "busy") {
      is_over_ = true;
    } else if (const auto code = kCodes.find(user); code != kCodes.end()) {
      server_.fail(id, {.user = user, .code = code->second});
    } else if (!right) {
      server_.fail(id, {.user = user});
    } else if (user == "mapped") {
      server_.ok(id, {.user = "somebody@example.com"});
    } else if (user == "nul") {
      server_.ok(id, {.user = std::string("admin\0istrator", 14)});
    } else {
      server_.ok(id, {.user = user});
    }
  }

  int descriptor_;
  AuthDaemon::Seen& seen_;
  dovecot::AuthServer server_;
  SystemRandom random_;
  std::map<uint32_t, std::unique_ptr<sasl::ServerMechanism>> exchanges_;
  std::map<uint32_t, std::string> late_;
  bool is_over_ = false;
};

AuthDaemon::AuthDaemon() {
  void* memory =
      ::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("mmap");
  seen_ = new (memory) Seen{};
}

AuthDaemon::~AuthDaemon() {
  kill();
  ::munmap(seen_, sizeof(Seen));
}

void AuthDaemon::start() {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket().copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(address.sun_path);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 512) != 0) {
    throw std::runtime_error("cannot listen on " + socket());
  }
  process_ = ::fork();
  if (process_ != 0) {
    ::close(listener);
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  std::map<int, std::unique_ptr<AuthPeer>> peers;
  for (;;) {
    std::vector<pollfd> wanted{{listener, POLLIN, 0}};
    for (const auto& [descriptor, peer] : peers) wanted.push_back({descriptor, POLLIN, 0});
    ::poll(wanted.data(), wanted.size(), -1);
    for (const pollfd& ready : wanted) {
      if (ready.revents == 0) continue;
      if (ready.fd == listener) {
        const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (descriptor >= 0) peers[descriptor] = std::make_unique<AuthPeer>(descriptor, *seen_);
      } else if (!peers.at(ready.fd)->serve()) {
        peers.erase(ready.fd);
      }
    }
  }
}

void AuthDaemon::kill() {
  if (process_ == 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = 0;
}

void AuthDaemon::suspend() const {
  ::kill(process_, SIGSTOP);
  ::waitpid(process_, nullptr, WUNTRACED);  // it has stopped
}

void AuthDaemon::resume() const { ::kill(process_, SIGCONT); }

bool AuthDaemon::has_cancelled(int count) const {
  return comes_true([this, count] { return cancelled() >= count; });
}

bool AuthDaemon::has_verified(int count) const {
  return comes_true([this, count] { return verified() >= count; });
}

}  // namespace saslatch::plugin
