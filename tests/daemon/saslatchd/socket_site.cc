#include "tests/daemon/saslatchd/socket_site.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "daemon/config/saslatchd_options.h"
#include "protocol/base/base64.h"
#include "protocol/base/crypto/digest.h"
#include "tests/daemon/audit/recording_log.h"

namespace saslatch::testing {
namespace {

// Far beyond max-hold: who waits as long as this waits for ever.
constexpr int kPatienceMs = 30'000;
// What a client that gives up waits before it does.
constexpr std::chrono::milliseconds kGivesUpAfter(80);

// The lines that share a Log with the daemon; shown when a start fails.
class SharedLog final : public Log {
 public:
  explicit SharedLog(std::shared_ptr<RecordingLog> log) : log_(std::move(log)) {}
  void write(LogLevel level, std::string_view name, std::string_view text,
             std::initializer_list<LogField> fields) override {
    log_->write(level, name, text, fields);
  }

 private:
  std::shared_ptr<RecordingLog> log_;
};

std::string initial_response(const policy::Login& login) {
  std::string message(1, '\0');
  message += login.user + std::string(1, '\0') + login.password;
  return base64_encode(message);
}

}  // namespace

WireClient::WireClient(const std::string& path) : socket_(socket(AF_UNIX, SOCK_STREAM, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): as the sockets API wants it
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::system_error(errno, std::generic_category(), path);
}

WireClient::~WireClient() { close(); }

WireClient::WireClient(WireClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

void WireClient::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void WireClient::send(const std::string& text) {
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t n = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n < 0) throw std::system_error(errno, std::generic_category(), "send");
    sent += static_cast<size_t>(n);
  }
}

std::string WireClient::line() {
  for (;;) {
    if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    pollfd ready{socket_, POLLIN, 0};
    if (poll(&ready, 1, kPatienceMs) != 1) throw std::runtime_error("no answer");
    char bytes[4096];
    const ssize_t n = recv(socket_, bytes, sizeof bytes, 0);
    if (n <= 0) throw std::runtime_error("the daemon closed the connection");
    buffer_.append(bytes, static_cast<size_t>(n));
  }
}

SocketSite::SocketSite(std::string policy) : policy_(std::move(policy)) {}
SocketSite::~SocketSite() { stop(); }

void SocketSite::account(const std::string& user, const std::string& password) {
  if (daemon_) throw std::logic_error("accounts are made before the first login");
  passwords_[user] = password;
}

void SocketSite::start() {
  if (daemon_) return;
  std::ofstream users(folder_ / "users");
  users << "somebody:{PLAIN}else\n";  // an empty file would be taken for a half-written one
  for (const auto& [user, password] : passwords_) users << user << ":{PLAIN}" << password << "\n";
  users.close();
  // As many threads as make races; `root` is what a test that runs as root stays.
  std::ofstream(folder_ / "saslatch.conf")
      << "[daemon]\nuser = root\nthreads = 2\nhash-threads = 2\n"
      << "state-dir = " << folder_ / "state"
      << "\nrun-dir = " << folder_ / "run"
      << "\naudit-log = " << folder_ / "audit.jsonl"
      << "\n[listen.auth]\nsocket = " << folder_ / "auth"
      << "\non-temporary-failure = reply\n"
      << "[usernames]\ndefault-domain = "
      << (passwords_.count("alice@example.com") != 0 ? "example.com" : "")
      << "\n[passdb.users]\ndriver = passwd-file\npath = " << folder_ / "users"
      << "\n"
      << policy_;
  auto loaded = config::load_config(folder_ / "saslatch.conf", nullptr);
  for (const config::Problem& problem : loaded.problems)
    if (!loaded.usable) throw std::logic_error(config::to_string(problem, "saslatch.conf"));
  const auto log = std::make_shared<RecordingLog>();
  daemon_ = std::make_unique<Saslatchd>(folder_ / "saslatch.conf", std::move(loaded.config),
                                        std::make_unique<SharedLog>(log), clock_);
  if (const auto error = daemon_->start()) throw std::runtime_error(error->message);
  client_ = std::make_unique<WireClient>(connect());
}

void SocketSite::stop() {
  client_.reset();
  if (!daemon_) return;
  daemon_->stop();
  daemon_.reset();
}

void SocketSite::restart() {
  stop();
  start();
}

WireClient SocketSite::connect() const {
  WireClient client(folder_ / "auth");
  client.send("VERSION\t1\t2\nCPID\t4711\n");
  while (client.line() != "DONE") {
  }
  return client;
}

std::string SocketSite::next_request(const std::string& mechanism, const policy::Login& login) {
  const std::string id = std::to_string(++attempts_);
  return "AUTH\t" + id + "\t" + mechanism + "\tservice=smtp\tsecured\tsession=" + id +
         (login.rip.empty() ? "" : "\trip=" + login.rip);
}

void SocketSite::login(const policy::Login& login) {
  start();
  if (!login.shown) return login_by("CRAM-MD5", login);
  client_->send(next_request("PLAIN", login) + "\tresp=" + initial_response(login) + "\n");
  (void)client_->line();
}

void SocketSite::login_by(const std::string& mechanism, const policy::Login& login) {
  start();
  client_->send(next_request(mechanism, login) + "\n");
  const std::string id = std::to_string(attempts_);
  const auto challenge = [&] {
    const std::string line = client_->line();
    const std::string begin = "CONT\t" + id + "\t";
    if (line.rfind(begin, 0) != 0) throw std::runtime_error("no challenge: " + line);
    return base64_decode(line.substr(begin.size())).value();
  };
  const auto respond = [&](const std::string& response) {
    client_->send("CONT\t" + id + "\t" + base64_encode(response) + "\n");
  };
  if (mechanism == "LOGIN") {
    (void)challenge();
    respond(login.user);
    (void)challenge();
    respond(login.password);
  } else {
    const auto digest = hmac(Hash::kMd5, login.password, challenge());
    respond(login.user + " " + hex_encode(digest));
  }
  (void)client_->line();
}

void SocketSite::rush(const std::vector<policy::Login>& logins, policy::Together how) {
  using policy::Together;
  start();
  const bool one = how == Together::kPipelined || how == Together::kCancelled;
  const bool leaves = how == Together::kCancelled || how == Together::kHungUp;
  const size_t first = attempts_ + 1;
  std::vector<WireClient> clients;
  for (size_t i = 0; i < (one ? 1 : logins.size()); ++i) clients.push_back(connect());
  std::string all;
  for (size_t i = 0; i < logins.size(); ++i) {
    const std::string line =
        next_request("PLAIN", logins[i]) + "\tresp=" + initial_response(logins[i]) + "\n";
    if (one)
      all += line;
    else
      clients[i].send(line);
  }
  if (one) clients[0].send(all);
  if (!leaves) {
    for (size_t i = 0; i < logins.size(); ++i) (void)clients[one ? 0 : i].line();
    return;
  }
  std::this_thread::sleep_for(kGivesUpAfter);
  if (how == Together::kCancelled) {
    for (size_t id = first; id <= attempts_; ++id)
      clients[0].send("CANCEL\t" + std::to_string(id) + "\n");
  }
  // What a client that is gone has sent and nobody has read yet was never tried; each of these has
  // sent one line, which is read before anything is written to it.
  if (how == Together::kHungUp) clients.clear();
  wait_until_decided();
}

// Nobody is told any more what became of them; the audit log is.
void SocketSite::wait_until_decided() const {
  for (int waited = 0; waited < kPatienceMs; ++waited) {
    std::ifstream lines(folder_ / "audit.jsonl");
    size_t decided = 0;
    for (std::string line; std::getline(lines, line);)
      decided += line.find(R"("event":"auth")") != std::string::npos ? 1 : 0;
    if (decided >= attempts_) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::vector<Audited> SocketSite::audited() {
  stop();
  std::vector<Audited> events(attempts_);
  std::ifstream lines(folder_ / "audit.jsonl");
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") != "auth") continue;
    Audited& audited = events.at(std::stoul(event.at("session").get<std::string>()) - 1);
    if (!audited.outcome.empty()) throw std::runtime_error("decided twice: " + line);
    audited = {event.at("outcome"), event.value("cause", ""), event.value("would", ""),
               event.value("user", ""), event.value("rule", "")};
  }
  return events;
}

std::vector<policy::Fate> SocketSite::fates() {
  using policy::Fate;
  std::vector<Fate> fates;
  for (const Audited& audited : audited()) {
    if (audited.outcome == "ok")
      fates.push_back(Fate::kIn);
    else if (audited.outcome == "fail")
      fates.push_back(Fate::kWrong);
    else if (audited.outcome == "refused")
      fates.push_back(Fate::kRefused);
    else
      fates.push_back(Fate::kNoAnswer);
  }
  return fates;
}

}  // namespace saslatch::testing
