#ifndef SASLATCH_DAEMON_PASSDB_STORE_ERROR_H_
#define SASLATCH_DAEMON_PASSDB_STORE_ERROR_H_

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace saslatch::passdb {

// Why the store did not do it. The message says what, where, and what mends it; never a secret.
struct StoreError {
  enum class Kind {
    kExists,         // add: the account is there already
    kNoSuchAccount,  // the others: it is not
    kBadInput,       // a name, password, scheme or import line that is not accepted
    kPermission,     // the state directory, database or key file may not be used by this user
    kCantCreate,     // the database or key file cannot be made (read-only, full disk, no directory)
    kBusy,           // another program kept the database locked for kBusyWait
    kBroken,         // the database or key file is damaged, of a newer version, or the disk is full
  };
  Kind kind;
  std::string message;
};

template <typename T>
using StoreResult = tl::expected<T, StoreError>;

inline tl::unexpected<StoreError> store_failure(StoreError::Kind kind, std::string message) {
  return tl::unexpected<StoreError>(StoreError{kind, std::move(message)});
}

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_STORE_ERROR_H_
