#ifndef SASLATCH_DAEMON_REPLAY_ASSEMBLER_H_
#define SASLATCH_DAEMON_REPLAY_ASSEMBLER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "daemon/replay/fact.h"
#include "daemon/replay/source.h"

namespace saslatch::replay {

// One attempt to log in, as the policy engine is asked about it.
struct Attempt {
  Time at;
  Result result = Result::kOk;
  Origin origin = Origin::kAudit;
  bool names_user = false;  // false: the log does not tell; `user` is empty
  std::string user;
  std::optional<IpAddress> rip;
  std::optional<uint64_t> password;  // a stand-in: equal for equal passwords, as far as is known
  uint32_t file = 0;
  uint64_t line = 0;
};

// Makes attempts of facts, each once and in order of time:
// - lines that are up to kDisorder late are put in their place. A larger step back is followed, as
//   the daemon follows its clock, and counted;
// - Postfix writes a success once a message: it counts once a session;
// - an smtpd session that logged in and sent nothing is known from its disconnect line only: a
//   success without a name;
// - Dovecot's auth process writes a line for each passdb it asked, and its login process or smtpd
//   one more: an attempt is counted by the first that tells it, and a passdb that did not know the
//   user is no failure where another one let him in;
// - audit events tell repetitions of a wrong password, not the password: it gets a stand-in.
// Bounded: kMaxSessions sessions, kMaxNames names, what is in the logs within kDisorder.
class Assembler {
 public:
  void feed(Located located);
  // No more will come: next() gives all that is left.
  void finish() { finished_ = true; }
  // The next attempt; nullopt: feed() more first.
  std::optional<Attempt> next();

  // What was seen besides.
  struct Figures {
    uint64_t late = 0;        // put in their place
    uint64_t steps_back = 0;  // of the clock
    policy::Duration longest_step{};
    uint64_t same_session = 0;  // successes of a session that had one already
    uint64_t told_twice = 0;    // attempts that several lines told
  };
  [[nodiscard]] const Figures& figures() const { return figures_; }

  static constexpr policy::Duration kDisorder = std::chrono::seconds(10);
  static constexpr size_t kMaxSessions = 100'000;
  static constexpr size_t kMaxNames = 1'000'000;
  // Attempts that one line may stand for: Dovecot hangs up long before.
  static constexpr uint32_t kMaxTimes = 1000;

 private:
  struct Session {  // of an smtpd process
    std::optional<IpAddress> rip;
    std::string user;
    bool logged_in = false;
    bool connected = false;  // its connect line was seen
    Time last;
  };
  struct Told {  // attempts that the auth process told and no other line yet
    uint32_t times = 0;
    Time last;
  };
  struct Ready {
    Attempt attempt;
    uint64_t key = 0;  // kAuth: whose it is
    bool dropped = false;
  };

  void release(Time now);
  void take(Located& located);
  void take_smtpd(Located& located);
  void take_auth(Located& located);
  void take_login(Located& located);
  void emit(const Located& located, uint64_t key = 0);
  uint32_t absorb(uint64_t key, uint32_t times, Time at);
  Session& session_of(const Fact& fact);
  std::optional<uint64_t> password_of(const Fact& fact);
  void forget_old(Time now);

  std::deque<Located> waiting_;  // in order of time
  std::deque<Ready> ready_;      // in order of time
  Time latest_ = Time::min();    // of the last fact fed
  Time taken_ = Time::min();     // of the last fact taken
  bool finished_ = false;
  std::unordered_map<uint64_t, Session> sessions_;
  std::unordered_map<uint64_t, Told> told_;
  std::unordered_map<uint64_t, uint64_t> passwords_;  // by name: the last wrong one
  uint64_t next_password_ = 1;
  Figures figures_;
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_ASSEMBLER_H_
