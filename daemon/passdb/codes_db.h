#ifndef SASLATCH_DAEMON_PASSDB_CODES_DB_H_
#define SASLATCH_DAEMON_PASSDB_CODES_DB_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/passdb/sqlite.h"
#include "protocol/base/ip_address.h"

namespace saslatch::passdb {

// What CodeStore, UserStore and CodeBook share of the tables of codes. All of it runs inside a
// transaction of the caller's.

// How long a revoked or expired code and a replaced main password are recognised. They let nobody
// in; the administrator is told that some device still tries them.
constexpr std::chrono::hours kStaleFor{24 * 30};
// The newest revoked codes that are kept of an account, and its newest old passwords: a CRAM-MD5
// attempt is compared with each.
constexpr int kMaxStaleCodes = 25;
constexpr int kMaxOldPasswords = 5;
// No configuration allows more codes than this an account, for the same reason.
constexpr int kMaxCodes = 100;

[[nodiscard]] int64_t unix_seconds(std::chrono::system_clock::time_point time);
[[nodiscard]] std::chrono::system_clock::time_point from_unix_seconds(int64_t seconds);

SqlResult<std::optional<int64_t>> find_owner(Database& database, std::string_view name);
SqlResult<int64_t> find_or_make_owner(Database& database, std::string_view name);

// Revokes what is not revoked yet; how many.
SqlResult<uint64_t> revoke_codes(Database& database, std::string_view name, int64_t now);

// Keeps the credentials of `account`, which are about to be replaced, as old passwords of `name`:
// what can be checked quickly where there is such a thing, else the hashes.
SqlResult<void> remember_passwords(Database& database, std::string_view name, int64_t account,
                                   int64_t now);

// Removes what is no longer recognised.
SqlResult<void> prune_stale(Database& database, int64_t owner, int64_t now);

// Removes codes, old passwords and the word on the main password.
SqlResult<void> forget_owner(Database& database, std::string_view name);

// What a sealed CRAM-MD5 context of a code is tied to.
[[nodiscard]] std::string code_seal_place(std::string_view account, std::string_view hash);

// The columns `networks` and `services`: items with a blank between. What cannot be read matches
// nothing: nullopt.
[[nodiscard]] std::string join(const std::vector<std::string>& items);
[[nodiscard]] std::vector<std::string> split(std::string_view items);
[[nodiscard]] std::optional<std::vector<Network>> read_networks(std::string_view items);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_CODES_DB_H_
