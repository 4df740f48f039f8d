#ifndef SASLATCH_DAEMON_PASSDB_PASSWD_TABLE_H_
#define SASLATCH_DAEMON_PASSDB_PASSWD_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/passdb/passdb.h"
#include "daemon/passdb/passwd_entry.h"
#include "protocol/base/random.h"

namespace saslatch::passdb {

// What loading a passwd-file has to tell. Bounded, whatever the file holds.
struct PasswdReport {
  static constexpr size_t kMaxProblems = 20;
  static constexpr size_t kMaxFields = 50;

  struct Problem {
    uint64_t line;  // from 1
    std::string text;
  };
  uint64_t lines = 0;
  uint64_t accounts = 0;
  uint64_t problems = 0;                    // all of them ...
  std::vector<Problem> first;               // ... and the first kMaxProblems
  std::map<std::string, uint64_t> ignored;  // extra fields that are not obeyed, with their count;
                                            // beyond kMaxFields names counted as "..."
};

// Turns the name of a user (false) or group (true) into its id; nullopt if there is none.
using IdResolver = std::function<std::optional<uint32_t>(std::string_view name, bool group)>;

// The accounts of one passwd-file: its bytes as they are, and an index of where each line begins,
// 16 bytes an account. Immutable once built, hence safe from many threads.
class PasswdTable {
 public:
  // Bounds the index to 256 MiB. Accounts beyond are skipped and reported.
  static constexpr size_t kMaxAccounts = 10'000'000;

  // Reads `bytes` (shorter than 4 GiB), the whole content of a file. Never fails: what is wrong
  // with a line is told in `report`, and the others count. The first of two lines for one name
  // wins. `random` makes the seed of the index and the dummy credential.
  PasswdTable(std::string bytes, PasswdFormat format, const IdResolver& resolve, Random& random,
              PasswdReport& report);
  ~PasswdTable();
  PasswdTable(const PasswdTable&) = delete;
  PasswdTable& operator=(const PasswdTable&) = delete;

  // Account or UnknownUser.
  [[nodiscard]] Lookup find(std::string_view name) const;
  // Every name that matches, in the order of the file, until `each` returns false.
  void list(std::string_view mask, const std::function<bool(std::string_view name)>& each) const;

  [[nodiscard]] uint64_t size() const { return accounts_; }
  [[nodiscard]] const TypicalCredential& typical_credential() const { return typical_; }

 private:
  struct Slot {
    uint32_t offset = kFree;
    uint32_t tag = 0;  // the upper half of the hash: most misses end without a look at the bytes
  };
  static constexpr uint32_t kFree = UINT32_MAX;

  void load(const IdResolver& resolve, Random& random, PasswdReport& report);
  [[nodiscard]] std::string line_number_of(uint32_t offset, const PasswdReport& report) const;
  void read_ids(const PasswdFields& fields, const IdResolver& resolve);
  [[nodiscard]] uint64_t hash_of(std::string_view name) const;
  [[nodiscard]] bool is_name_at(uint32_t offset, std::string_view name) const;
  // The slot that holds `name`, or the free one where it belongs.
  [[nodiscard]] size_t slot_of(std::string_view name, uint64_t hash) const;
  [[nodiscard]] std::string_view line_at(size_t offset) const;

  std::string bytes_;
  PasswdFormat format_;
  IdNames ids_;
  uint64_t seed_;
  std::vector<Slot> slots_;  // a power of two of them, at most half of it in use
  uint64_t accounts_ = 0;
  TypicalCredential typical_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PASSWD_TABLE_H_
