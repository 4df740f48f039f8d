#ifndef SASLATCH_DAEMON_PASSDB_EMBEDDED_H_
#define SASLATCH_DAEMON_PASSDB_EMBEDDED_H_

#include <chrono>
#include <memory>
#include <string>

#include "daemon/passdb/passdb.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"

namespace saslatch::passdb {

// driver = embedded: the accounts of STATE-DIR/users.db, as UserStore keeps them.
//
// Lookups read through a pool of connections, one for each thread that is looking up at the same
// time. A database that is missing, unreadable, damaged, locked for longer than a second or of a
// newer version is Unavailable; the next lookup tries again, so that a mended, replaced or late
// database is used without a restart.
//
// Once refresh() has read the accounts into memory, a look-up asks the database no more than
// whether it has changed, and reads again what has. What memory cannot hold is looked up on disk.
// recall() sees in shared memory whether anything at all was committed (CommitMarks): then, and
// until find() or refresh() has caught up with it, it answers nothing. That the path names another
// file, or that the file was damaged beneath, only refresh() sees.
class EmbeddedPassdb final : public Passdb {
 public:
  // Opens nothing. `random` outlives the object and makes the key file and the dummy credential.
  EmbeddedPassdb(std::string name, std::string state_dir, Random& random);
  ~EmbeddedPassdb() override;

  // At start: makes the database and the key file if they are not there, and looks whether both can
  // be used. The error is for an administrator; the object works on without.
  Result<void> prepare();

  using Time = std::chrono::steady_clock::time_point;
  // Reads the accounts into memory if they are not there or too many have changed; a second for a
  // million of them. Called every second or so, by one thread: recall() answers for no longer than
  // kTrusted after the last time.
  void refresh(Time now);
  static constexpr std::chrono::seconds kTrusted{3};

  // For --check: whether an existing database and key can be used. Makes and changes nothing.
  [[nodiscard]] Result<void> check_usable() override;

  [[nodiscard]] std::string_view name() const override;
  [[nodiscard]] bool blocks() const override { return true; }
  [[nodiscard]] std::optional<Lookup> recall(std::string_view username, Time now) override;
  // `done` is called before find() returns.
  void find(std::string username, std::function<void(Lookup)> done) override;
  bool list(std::string_view mask, const std::function<bool(std::string_view name)>& each) override;
  [[nodiscard]] TypicalCredential typical_credential() const override;
  [[nodiscard]] PassdbStatus status() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_EMBEDDED_H_
