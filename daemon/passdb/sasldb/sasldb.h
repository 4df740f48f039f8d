#ifndef SASLATCH_DAEMON_PASSDB_SASLDB_SASLDB_H_
#define SASLATCH_DAEMON_PASSDB_SASLDB_SASLDB_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/audit/log.h"
#include "daemon/passdb/passdb.h"

namespace saslatch::passdb {

struct SasldbOptions {
  std::string name;  // the NAME of [passdb.NAME]
  std::string path;
  std::string realm;      // of a name without one
  bool lowercase = true;  // [usernames] lowercase: applies to the names in the file too
};

// driver = sasldb: the database that saslpasswd2(8) keeps, held in memory. It holds the passwords
// themselves, so that CRAM-MD5 works, and so does whoever can read it.
//
// An account is "user@realm", always: a name without a realm is mapped to that of the options.
//
// Each look-up looks whether the file has changed and then reads all of it; meanwhile others get
// what was read last. That stays in force while the file is missing or cannot be read (logged once
// a minute), and for kEmptyDoubted while it has no account any more. Before the first good read,
// every look-up is Unavailable. Libdb takes no lock against who writes: a file caught half-written
// is read again once it is whole, since that is another change. What could not be read and does not
// change is tried anew after kReadAgain: reading all of it for each look-up would cost a site dear,
// and libdb 5.3 loses about a kilobyte each time it finds a file damaged.
class SasldbPassdb final : public Passdb {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  static constexpr std::chrono::seconds kEmptyDoubted{10};
  static constexpr std::chrono::seconds kReadAgain{10};

  // Reads the file once. `log` outlives the object; `clock` is thread-safe.
  SasldbPassdb(SasldbOptions options, Log& log, Clock clock);
  ~SasldbPassdb() override;

  [[nodiscard]] std::string_view name() const override;
  [[nodiscard]] bool blocks() const override { return true; }
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

#endif  // SASLATCH_DAEMON_PASSDB_SASLDB_SASLDB_H_
