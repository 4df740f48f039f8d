#ifndef SASLATCH_DAEMON_PASSDB_CODE_BOOK_H_
#define SASLATCH_DAEMON_PASSDB_CODE_BOOK_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/passdb/code_store.h"
#include "protocol/base/ip_address.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// What a client showed, borrowed.
struct ShownPassword {
  std::string_view password;
};
struct ShownDigest {
  std::string_view challenge;
  std::string_view digest;  // 16 raw bytes
};
using Shown = std::variant<ShownPassword, ShownDigest>;

// Which row of `codes` it is: for noting its use.
struct CodeRef {
  int64_t owner = 0;
  std::string hash;
};

// A code of the account whose text is what was shown, whether or not it lets in.
struct FoundCode {
  CodeRef ref;
  uint64_t id = 0;
  std::string label;
  CodeState state = CodeState::kActive;
  std::optional<std::chrono::system_clock::time_point> since;  // revoked or expired then
  std::vector<std::string> services;                           // empty: all
  // Empty: everywhere. Absent: what is stored cannot be read, and nothing is inside.
  std::optional<std::vector<Network>> networks;
  // When it was last used before; absent: never.
  std::optional<std::chrono::system_clock::time_point> used;

  [[nodiscard]] bool is_for(std::string_view service) const;
  [[nodiscard]] bool is_allowed_from(const std::optional<IpAddress>& rip) const;
};

// An old main password of the account whose check takes long: not for an attempt's way.
struct SlowOldPassword {
  int64_t owner = 0;
  int64_t serial = 0;
  Secret stored;  // "{SCHEME}data"
  std::chrono::system_clock::time_point replaced;
};

// What is known of an account besides what its passdb says.
struct CodeFacts {
  std::string main_password;       // its own word, as MainPasswordRules reads it; empty: none
  bool has_codes = false;          // any that is neither revoked nor expired
  std::optional<FoundCode> found;  // the code that was shown
  // What was shown is a main password that was replaced then.
  std::optional<std::chrono::system_clock::time_point> old_password;
  std::vector<SlowOldPassword> slow;  // further old passwords: try_slow()
  // Why this could not be found out although the account is one that has something: our trouble.
  std::string trouble;
};

// The daemon's side of the codes: what an attempt needs to know, read from STATE-DIR/users.db at
// each look-up, so that a change acts on the very next attempt. Nothing that lets in is cached.
//
// A code costs one HMAC and one look-up by it, whatever the number of codes; a CRAM-MD5 attempt
// one HMAC-MD5 for each spelling of each code and old password, kMaxCodes + kMaxStaleCodes +
// kMaxOldPasswords at most. A database that is not there, or of a version without codes, has none.
//
// Thread-safe.
class CodeBook {
 public:
  using Time = std::chrono::system_clock::time_point;

  // Reads nothing.
  explicit CodeBook(std::string state_dir);
  ~CodeBook();
  CodeBook(const CodeBook&) = delete;
  CodeBook& operator=(const CodeBook&) = delete;

  // Learns of accounts that have come since the last call, so that may_know() needs no disk. Cheap
  // where nothing changed; called by a timer and by `code ...` commands. False: the database could
  // not be read, and what was learnt before holds.
  bool refresh();

  // Whether find() could find anything, from memory. Wrong only for an account that got its first
  // code or word since the last refresh(), and then false.
  [[nodiscard]] bool may_know(std::string_view account) const;
  // Whether may_know() is right of every account at present: nothing was committed to the database
  // since refresh() began. Waits for nothing.
  [[nodiscard]] bool knows_all() const;
  // Whether any account has anything.
  [[nodiscard]] bool is_empty() const;

  // Reads a disk: not for an event loop.
  [[nodiscard]] CodeFacts find(std::string_view account, const Shown& shown, Time now) const;

  // Whether `password` is one of these old passwords; what they cost is a hash each. At most one
  // at a time runs in the process and kSlowPerHour an account, else the answer is nullopt unseen:
  // whoever guesses must not double what a guess costs us. What is recognised once is quick from
  // then on.
  std::optional<Time> try_slow(std::string_view account, const std::vector<SlowOldPassword>& slow,
                               std::string_view password, Time now);
  static constexpr int kSlowPerHour = 10;

  // A code let somebody in. Written by the next flush(), and only if the last use that is known is
  // older than kUseEvery. Never waits for a disk.
  void note_use(const FoundCode& code, const std::optional<IpAddress>& rip,
                std::string_view service, Time now);
  static constexpr std::chrono::seconds kUseEvery{60};
  // More uses than this between two flushes are not noted.
  static constexpr size_t kMostUses = 100'000;
  // Writes what was noted, in one transaction. What cannot be written is kept for the next time.
  // Blocks on the disk.
  bool flush();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_CODE_BOOK_H_
