#ifndef SASLATCH_DAEMON_PASSDB_CODE_STORE_H_
#define SASLATCH_DAEMON_PASSDB_CODE_STORE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/passdb/store_error.h"
#include "protocol/base/ip_address.h"
#include "protocol/base/random.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// A code that is to be made. `account` is the canonical name, as a passdb has it: codes belong to
// the account, not to a spelling of its name.
struct NewCode {
  std::string account;
  std::string label;                                             // "Old phone"
  std::optional<std::chrono::system_clock::time_point> expires;  // absent: never
  std::vector<std::string> services;  // as parse_service() has them; empty: all
  std::vector<Network> networks;      // empty: from everywhere
  std::string created_by;             // "root", "self"
  bool with_cram_md5 = false;         // also keep a sealed context, where CRAM-MD5 is offered
};

// A code that was made. Its text is nowhere else and is shown once.
struct MadeCode {
  std::string account;
  uint64_t id = 0;  // counted for each account, and never given twice
  std::string label;
  Secret code;
};

enum class CodeState { kActive, kExpired, kRevoked };
std::string_view to_string(CodeState state);

// What may be shown of a code.
struct StoredCode {
  using Time = std::chrono::system_clock::time_point;

  uint64_t id = 0;
  std::string label;
  CodeState state = CodeState::kActive;  // at the moment of the list
  Time created;
  std::string created_by;
  std::optional<Time> expires;
  std::optional<Time> revoked;
  std::vector<std::string> services;
  std::vector<std::string> networks;
  bool cram_md5 = false;
  struct Use {
    Time at;
    std::string rip;  // empty: none was known
    std::string service;
  };
  // Written some seconds after the use, and not for each one of many in a minute.
  std::optional<Use> last_used;
};

// Authorization codes as they are kept in STATE-DIR/users.db: what `saslatch code` and the
// self-service door do. As with UserStore each change is one transaction, on disk before the call
// returns, whole or absent after kill -9; a running daemon sees it at its next look-up. Blocks on
// the disk. Not thread-safe: one object, one thread.
class CodeStore {
 public:
  using Time = std::chrono::system_clock::time_point;

  // A label is a line for people: of 1 to this many bytes, without control characters.
  static constexpr size_t kMaxLabel = 64;
  // Each look-up of a code reads through them.
  static constexpr size_t kMaxServices = 8;
  static constexpr size_t kMaxNetworks = 16;

  // As UserStore::open().
  static StoreResult<std::unique_ptr<CodeStore>> open(const std::string& state_dir, Random& random);
  ~CodeStore();
  CodeStore(const CodeStore&) = delete;
  CodeStore& operator=(const CodeStore&) = delete;

  // What is wrong with it, of a kind that no other part knows: labels, and numbers of things.
  static StoreResult<void> check(const NewCode& code);

  // Makes all of them or none. kBadInput: one is wrong, or an account would have more than `most`
  // codes that are neither revoked nor expired. What to do about codes with the same label is the
  // user's business.
  StoreResult<std::vector<MadeCode>> add(std::span<const NewCode> codes, int most, Time now);

  // Newest last; revoked and expired ones for as long as they are recognised (kStaleFor).
  StoreResult<std::vector<StoredCode>> list(std::string_view account, Time now);

  // The code that was revoked; no error if it is so already. kBadInput: there is no such code.
  StoreResult<StoredCode> revoke(std::string_view account, uint64_t id, Time now);
  // How many.
  StoreResult<uint64_t> revoke_all(std::string_view account, Time now);

  // The account's own word on its main password, as MainPasswordRules reads it; empty: as the
  // configuration says.
  StoreResult<std::string> main_password(std::string_view account);
  StoreResult<void> set_main_password(std::string_view account, std::string_view rules, Time now);

 private:
  class Impl;
  explicit CodeStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_CODE_STORE_H_
