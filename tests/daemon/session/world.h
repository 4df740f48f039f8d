#ifndef SASLATCH_TESTS_DAEMON_SESSION_WORLD_H_
#define SASLATCH_TESTS_DAEMON_SESSION_WORLD_H_

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/passdb/passdb.h"
#include "daemon/session/session_parts.h"
#include "protocol/sasl/mechanisms.h"

// What a session lives in, without threads, sockets or clocks: the real policy engine and verifier
// over a passdb in memory, and a time that stands still until it is moved.
namespace saslatch::testing {

// Always the same, so that jitter keeps answers in the order of their attempts. With it a failure
// is held for 80 % of failure-delay.
class ConstantRandom final : public Random {
 public:
  void fill(std::span<uint8_t> bytes) override { std::fill(bytes.begin(), bytes.end(), 0); }
};

class MemoryPassdb final : public passdb::Passdb {
 public:
  void add(const std::string& name, std::string stored) { stored_[name] = std::move(stored); }
  // `name` is another name of `account`.
  void add_alias(const std::string& name, const std::string& account) { aliases_[name] = account; }
  void disable(const std::string& name) { disabled_ = name; }
  void set_down(bool down) { down_ = down; }
  void set_blocks(bool blocks) { blocks_ = blocks; }
  [[nodiscard]] int lookups() const { return lookups_; }

  [[nodiscard]] std::string_view name() const override { return "memory"; }
  [[nodiscard]] bool blocks() const override { return blocks_; }
  void find(std::string username, std::function<void(passdb::Lookup)> done) override;
  bool list(std::string_view mask, const std::function<bool(std::string_view name)>& each) override;
  // Checked by a worker, as slow ones are, and yet at once: the Argon2id of an empty passdb would
  // be half of what a session costs.
  [[nodiscard]] passdb::TypicalCredential typical_credential() const override {
    return {"{PBKDF2}$1$c2FsdA$1$da39a3ee5e6b4b0d3255bfef95601890afd80709", 1, false};
  }
  [[nodiscard]] passdb::PassdbStatus status() const override;

 private:
  std::map<std::string, std::string> stored_;
  std::map<std::string, std::string> aliases_;
  std::string disabled_;
  bool down_ = false;
  bool blocks_ = false;
  int lookups_ = 0;
};

class World;

// The workers: checks wait until run_checks().
class PatientWorkers final : public Workers {
 public:
  void submit(std::unique_ptr<QueuedCheck> check) override { waiting_.push_back(std::move(check)); }
  // Returns how many ran.
  int run_all();
  int overload_all();

 private:
  std::deque<std::unique_ptr<QueuedCheck>> waiting_;
};

// Mail for one session, delivered by World::deliver_mail().
class LetterBox final : public Mailbox {
 public:
  void deliver(uint64_t key, Answer answer) override {
    post([key, answer](Session& to, Now now) { to.on_answer(key, answer, now); });
  }
  void release(uint64_t key) override {
    post([key](Session& to, Now now) { to.on_release(key, now); });
  }
  void wake(uint64_t key) override {
    post([key](Session& to, Now now) { to.on_wake(key, now); });
  }
  void run(std::function<void(Now)> task) override {
    post([task](Session&, Now now) { task(now); });
  }
  [[nodiscard]] bool is_open() const override { return session != nullptr; }

  // Hands over what has come, and what comes of it.
  void empty_into(Now now);

  Session* session = nullptr;

 private:
  using Letter = std::function<void(Session&, Now)>;
  void post(Letter letter) { letters_.push_back(std::move(letter)); }
  std::deque<Letter> letters_;
};

// Numbers what it is given and keeps nothing: what is durable, the World says.
class Numbers final : public policy::Journal {
 public:
  uint64_t append(const policy::Change& /*change*/) override { return ++last_; }

 private:
  std::atomic<uint64_t> last_{0};
};

// The hosts that count with this one: they say nothing until the test does.
class OtherHosts final : public policy::Sharing {
 public:
  [[nodiscard]] bool is_usable() const override { return usable; }
  void reserve(policy::SharedRequest request, policy::Duration /*patience*/,
               std::function<void(policy::SharedReply)> done) override {
    asked_.emplace_back(std::move(request), std::move(done));
  }
  void settle(policy::SharedSettlement settlement) override;

  // Answers the oldest question; false: there is none.
  bool answer(policy::SharedReply reply);

  bool usable = true;
  std::deque<std::string> told;  // "SUBJECTS: EVENT, RELEASE and BACK" of each settlement

 private:
  std::deque<std::pair<policy::SharedRequest, std::function<void(policy::SharedReply)>>> asked_;
};

class World final : public TimeSource, public AuditSink, public Durability, public Log {
 public:
  explicit World(policy::Settings policy = {});

  // A session of the given kind on a listener of that name, and its mailbox.
  template <typename Kind>
  std::unique_ptr<Kind> make(const std::shared_ptr<LetterBox>& box, const std::string& listener) {
    auto session = std::make_unique<Kind>(
        SessionParts{services, holds, *this, settings, box, listener, ++connections_, 4711});
    box->session = session.get();
    return session;
  }

  [[nodiscard]] Now read() const override { return now; }
  void advance(std::chrono::milliseconds by);
  // The system's clock is set, forwards or backwards; time itself goes on.
  void step_clock(std::chrono::seconds by) { now.wall += by; }

  void write(const Event& event) override;
  void write(LogLevel, std::string_view name, std::string_view,
             std::initializer_list<LogField>) override {
    logged.emplace_back(name);
  }
  [[nodiscard]] bool is_durable(uint64_t) const override { return !disk_hangs_; }
  void when_durable(uint64_t, std::function<void()> then) override {
    if (disk_hangs_)
      waiting_for_disk_.push_back(std::move(then));
    else
      then();
  }
  // Nothing becomes durable until it works again.
  void set_disk_hangs(bool hangs);

  Now now;
  ConstantRandom random;
  Metrics metrics;
  std::shared_ptr<MemoryPassdb> passdb = std::make_shared<MemoryPassdb>();
  PatientWorkers workers;
  HeldAnswers holds;
  Numbers journal;
  policy::Engine engine;
  OtherHosts others;
  AttemptServices services;
  std::shared_ptr<const Settings> settings;
  // Auth events as "OUTCOME [CAUSE] user=U rip=R mech=M ..."; lock events as "lock SUBJECT".
  std::deque<std::string> audited;
  std::deque<std::string> logged;

  // Counts together with `others` from here on.
  void share();
  // Replaces the settings, as a reload does.
  void set(const std::function<void(Settings&)>& change);

 private:
  [[nodiscard]] Settings make_settings();
  bool disk_hangs_ = false;
  std::vector<std::function<void()>> waiting_for_disk_;
  uint32_t connections_ = 0;
};

// The rules that the tests of sessions run with: few enough to be tripped by hand.
policy::Settings three_failures_a_minute();

}  // namespace saslatch::testing

#endif  // SASLATCH_TESTS_DAEMON_SESSION_WORLD_H_
