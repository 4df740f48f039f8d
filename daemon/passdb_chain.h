#ifndef SASLATCH_DAEMON_PASSDB_CHAIN_H_
#define SASLATCH_DAEMON_PASSDB_CHAIN_H_

#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "daemon/audit/log.h"
#include "daemon/config/config.h"
#include "daemon/passdb/code_book.h"
#include "daemon/passdb/embedded.h"
#include "daemon/passdb/passwd_file.h"
#include "daemon/session/now.h"
#include "protocol/base/random.h"

namespace saslatch {

// The passdbs of the configuration, in file order, from reload to reload. One whose section did not
// change is the same object afterwards, with what it has loaded. One that is out of force may still
// be asked by a login in flight: it ends when nobody has it any more, on the housekeeping thread,
// since its end may wait for threads.
//
// Thread-safe, but for configure() and load(), which one thread calls at a time.
class PassdbChain {
 public:
  using Passdbs = std::vector<std::shared_ptr<passdb::Passdb>>;

  // All of it outlives this object. There is no passdb before configure().
  PassdbChain(Log& log, Random& random, const TimeSource& clock)
      : log_(log), random_(random), clock_(clock) {}

  // Puts `config` in force. What cannot be made is there all the same, answers that it is down and
  // why, and is tried anew at the next call.
  void configure(const config::Config& config);
  // Reads what is read before the first login, the codes too, and logs what cannot be used.
  void load(passdb::CodeBook& codes, Mono now);

  [[nodiscard]] Passdbs passdbs() const;

  // For the housekeeping thread.
  void refresh_files(Mono now);
  void refresh_databases(Mono now);
  void end_retired();

  // Ends all of them: what waits is answered, and nothing is asked any more.
  void stop();

 private:
  struct Set {
    std::vector<config::PassdbConfig> configs;
    bool lowercase = true;
    std::chrono::milliseconds max_hold{};
    Passdbs chain;                                                 // one for each of configs
    Passdbs missing;                                               // of chain: could not be made
    std::vector<std::shared_ptr<passdb::PasswdFilePassdb>> files;  // of chain, as those below
    std::vector<std::shared_ptr<passdb::EmbeddedPassdb>> embedded;

    // The passdb of a section that is in `next` just as it is here; null: it must be made.
    [[nodiscard]] std::shared_ptr<passdb::Passdb> kept(const config::PassdbConfig& wanted,
                                                       const Set& next) const;
  };

  [[nodiscard]] Set make(const config::Config& config) const;
  [[nodiscard]] Set in_force() const;

  Log& log_;
  Random& random_;
  const TimeSource& clock_;

  mutable std::mutex mutex_;  // guards both; held for copies only
  Set set_;
  Passdbs retired_;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_PASSDB_CHAIN_H_
