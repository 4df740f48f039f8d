#ifndef SASLATCH_DAEMON_POLICY_SHARED_H_
#define SASLATCH_DAEMON_POLICY_SHARED_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daemon/policy/rule.h"

namespace saslatch::policy {

// What several hosts ask of the counters they share, so that a limit holds for all of them
// together. The engine makes the questions and takes the answers; who carries them (daemon/state)
// is no concern of it. All ids are made with keys that the hosts share: no name, address or
// password can be read from them.

// One rule as it counts for one subject.
struct SharedRule {
  uint64_t id = 0;
  Count count = Count::kFailures;
  Then then = Then::kLock;
  uint32_t limit = 1;
  Duration window{};
  Duration merge{};     // above kExactEvents: the span in which events share a cell
  uint64_t token = 0;   // of the reservation: who shares it, shares the token
  uint32_t member = 0;  // of a distinct count
  // Of a settlement:
  bool is_event = false;
  bool gives_back = false;  // a success takes this network's events out of it
  Duration lasts{};
  double factor = 1;  // of growth
  Duration cap{};
};

// What an attempt holds on one subject.
struct SharedHold {
  uint64_t subject = 0;
  uint64_t repeat = 0;        // names the wrong password in the subject's memory; 0: none to name
  bool notes_repeat = false;  // of a settlement: it is remembered from now on
  std::string text;           // of a settlement that may lock: the subject, for people
  std::vector<SharedRule> rules;
};

// May the attempt be verified? Either all that it holds is reserved, or nothing.
struct SharedRequest {
  bool observes = false;
  std::vector<SharedHold> holds;
};

struct SharedReply {
  enum class Verdict {
    kFree,      // reserved
    kStruck,    // a lock or a rate refuses it; nothing is reserved
    kFull,      // only attempts still being verified, somewhere, stand in the way
    kNoAnswer,  // in time; each host then goes by what it knows itself
  };
  struct Counted {
    size_t hold = 0;  // indices in the request
    size_t rule = 0;
    uint32_t events = 0;
    Duration left{};  // until it is below its limit, or the lock ends
  };

  Verdict verdict = Verdict::kNoAnswer;
  Counted struck;               // with kStruck
  std::vector<Counted> delays;  // with kFree: of each delay rule
  uint64_t repeats = 0;         // with kFree: bit i: the i-th hold has seen this wrong password
};

// What became of an attempt. Sent after its answer; made again later if it cannot be sent.
struct SharedSettlement {
  bool observes = false;
  uint32_t tag = 0;     // of the network, for giving back
  uint64_t serial = 0;  // of the attempt: told twice, it counts once
  std::vector<SharedHold> holds;

  [[nodiscard]] bool empty() const { return holds.empty(); }
};

// Who carries questions to the shared counters. Thread-safe.
class Sharing {
 public:
  virtual ~Sharing() = default;
  // False: an answer cannot be had in time at the moment, and it is not worth to ask.
  [[nodiscard]] virtual bool is_usable() const = 0;
  // Calls `done` once, on another thread: soon, or with kFull at most `patience` later.
  virtual void reserve(SharedRequest request, Duration patience,
                       std::function<void(SharedReply)> done) = 0;
  // Never blocks.
  virtual void settle(SharedSettlement settlement) = 0;
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_SHARED_H_
