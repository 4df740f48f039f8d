#ifndef SASLATCH_TESTS_DAEMON_SASLATCHD_SOCKET_SITE_H_
#define SASLATCH_TESTS_DAEMON_SASLATCHD_SOCKET_SITE_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/net/clock.h"
#include "daemon/saslatchd.h"
#include "tests/daemon/net/temporary_folder.h"
#include "tests/daemon/policy/scenarios/scenarios.h"

namespace saslatch::testing {

// The system's clocks, but that the calendar can be turned on. Waits and deadlines are real.
class SteppedClock final : public TimeSource {
 public:
  [[nodiscard]] Now read() const override {
    Now now = clock_.read();
    const std::chrono::microseconds ahead(ahead_us_.load());
    now.wall += ahead;
    now.policy += ahead;
    return now;
  }
  void pass(policy::Duration time) {
    ahead_us_ += std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  }

 private:
  net::Clock clock_;
  std::atomic<int64_t> ahead_us_{0};
};

// A client of the Dovecot auth protocol that waits for what it reads.
class WireClient {
 public:
  explicit WireClient(const std::string& path);
  ~WireClient();
  WireClient(WireClient&& other) noexcept;
  WireClient& operator=(WireClient&&) = delete;

  void send(const std::string& text);
  // The next line without its newline; throws when the daemon has closed the connection.
  std::string line();
  void close();

 private:
  int socket_;
  std::string buffer_;
};

// One decided attempt, of the audit log.
struct Audited {
  std::string outcome;
  std::string cause;
  std::string would;
  std::string user;
  std::string rule;
};

// The whole daemon in this process, its sockets real, its files in a folder of its own, its
// calendar the test's. Accounts are a passwd-file with plain passwords, so that a check costs
// nothing.
class SocketSite final : public policy::Site {
 public:
  // `policy` is the [policy] section and what follows it. Answers are not held, so that only its
  // rules are seen.
  explicit SocketSite(std::string policy);
  ~SocketSite() override;

  void account(const std::string& user, const std::string& password) override;
  void login(const policy::Login& login) override;
  void rush(const std::vector<policy::Login>& logins, policy::Together how) override;
  void pass(policy::Duration time) override { clock_.pass(time); }
  std::vector<policy::Fate> fates() override;

  // One attempt by LOGIN or CRAM-MD5, prompts and all; counted like login().
  void login_by(const std::string& mechanism, const policy::Login& login);
  // The daemon ends and another one starts on what it left.
  void restart();
  // Ends the daemon; the event of every attempt, by number. One that has none is empty.
  std::vector<Audited> audited();

 private:
  void start();
  void stop();
  WireClient connect() const;
  void wait_until_decided() const;
  // The AUTH line of the next attempt, without resp= and the newline.
  std::string next_request(const std::string& mechanism, const policy::Login& login);

  const std::string policy_;
  TemporaryFolder folder_;
  SteppedClock clock_;
  std::map<std::string, std::string> passwords_;
  std::unique_ptr<Saslatchd> daemon_;
  std::unique_ptr<WireClient> client_;
  size_t attempts_ = 0;
};

}  // namespace saslatch::testing

#endif  // SASLATCH_TESTS_DAEMON_SASLATCHD_SOCKET_SITE_H_
