#ifndef SASLATCH_DAEMON_PASSDB_VERIFIER_H_
#define SASLATCH_DAEMON_PASSDB_VERIFIER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/audit/log.h"
#include "daemon/passdb/code_book.h"
#include "daemon/passdb/passdb.h"
#include "daemon/password/main_password.h"
#include "protocol/base/ip_address.h"
#include "protocol/base/random.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// The password as PLAIN, LOGIN and saslauthd show it.
struct PasswordCredential {
  Secret password;
};

// `digest` (16 raw bytes) should be HMAC-MD5(password, challenge).
struct CramMd5Credential {
  std::string challenge;
  std::string digest;
};

// One question: does this credential open this account? Owns all it holds.
struct CheckRequest {
  std::string username;  // normalised by [usernames]
  // The canonical addresses; absent where the client sent none or no usable one.
  std::optional<IpAddress> rip;
  std::optional<IpAddress> lip;
  // Only the account's own main password lets in, and [codes] main-password does not matter: for
  // who manages the codes themselves. `nopassword` lets nobody in then.
  bool main_password_only = false;
  std::string service;
  std::variant<PasswordCredential, CramMd5Credential> credential;
  // When the credential arrived; used only to bound how often a trouble is logged.
  std::chrono::steady_clock::time_point now;
  // The same moment by the calendar: whether a code has expired.
  std::chrono::system_clock::time_point wall;
  // When the answer is due: an authenticator gives up then.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  // Called on the checking thread, before any hash runs and any authenticator is asked, when a
  // passdb maps the name to another account (user=, username=, domain=); false refuses without a
  // hash (DESIGN 6.8). Empty: every account is admitted.
  std::function<bool(const std::string& account)> admit_account;
};

// What is known of a credential that lets nobody in: it is no guess.
struct Spent {
  enum class Why {
    kRevoked,       // a code
    kExpired,       // a code
    kService,       // a code that is not for this service
    kNetwork,       // a code that is not for this source
    kOldPassword,   // the main password until it was replaced
    kMainPassword,  // the right one, where only codes let in
  };
  Why why = Why::kRevoked;
  std::string credential;  // "password", or the code as code_credential() has it
  std::optional<std::chrono::system_clock::time_point> since;  // revoked, expired or replaced then

  // Old or revoked: some device still has what its owner gave up.
  [[nodiscard]] bool is_stale() const {
    return why == Why::kRevoked || why == Why::kExpired || why == Why::kOldPassword;
  }
};
std::string_view to_string(Spent::Why why);

struct CheckResult {
  enum class Outcome {
    kOk,
    kBadCredential,  // also: allow_nets does not hold the rip; the stored hash is damaged
    kUnknownUser,    // every passdb answered and none knows the name
    kDisabled,       // disabled, expired, `nologin` or `fail`; whether the credential was right
                     // is not told
    kUnavailable,    // our trouble: a passdb is down and no other one knows the name
    kRefused,        // admit_account said no
  };
  Outcome outcome = Outcome::kUnavailable;
  std::string account;      // the canonical name; the name asked for where no passdb knows it
  bool nodelay = false;     // the passdb wants this account's failures answered without delay
  std::string passdb;       // the NAME of the passdb that decided; empty if none did
  std::string credential;   // on kOk what matched, for the audit event: "password" or the code
  bool remembered = false;  // on kOk: its hash was not computed, it had been right a moment ago
  std::optional<FoundCode> code = {};  // on kOk: the code that let in; note_use() wants it
  std::optional<Spent> spent = {};     // on kBadCredential and kDisabled
  // On kBadCredential: old passwords that were too slow to compare with; see recognise_later().
  std::vector<SlowOldPassword> slow = {};
  // On a failure that no authenticator judged: the answer is to come this much later, since one
  // that is judged does.
  std::chrono::microseconds as_if = {};
};

// Authorization codes, as a site has them.
struct CodeRules {
  std::shared_ptr<CodeBook> book;  // null: there are none
  password::MainPasswordRules main_password;
};

// Asks the passdbs in file order; the first that knows the user decides, right or wrong. A passdb
// that is down does not know the user; if no other one does, the answer is kUnavailable.
//
// An authorization code of the account lets in like its password and costs no password hash.
//
// An account whose passdb judges passwords by itself (Authenticator) is asked about over there; a
// name that is only presumed and turns out to be unknown falls to the next passdb. What such a
// judge finds right is remembered only where the passdb says so.
//
// An unknown user, a disabled one and one without a usable password cost the check of a typical
// stored password of these passdbs, so that nobody learns from the clock which names exist. Where
// passwords are judged elsewhere, what is not judged is to be answered as late as what is
// (CheckResult::as_if).
//
// Thread-safe. check() holds no lock while it looks up or hashes.
class Verifier {
 public:
  // `chain` in file order. `log` outlives this object, which outlives every check in flight.
  // `random` is used by the constructor only. `verdicts_last`: how long a right password that costs
  // a slow hash is known to be right (password::VerdictCache); 0: not at all.
  Verifier(std::vector<std::shared_ptr<Passdb>> chain, Log& log, Random& random,
           std::chrono::milliseconds verdicts_last = {}, CodeRules codes = {});
  ~Verifier();

  // The result, if it waits for nothing and costs less than about a tenth of a millisecond, so that
  // an event loop may ask; else nullopt, and nothing was decided: check() it on a worker.
  [[nodiscard]] std::optional<CheckResult> check_inline(const CheckRequest& request) const;

  // Runs its argument, once, on a thread where a slow hash hinders nobody, or drops it.
  using HashElsewhere = std::function<void(std::function<void()> hash)>;

  // Calls `done` once: before it returns, on the calling thread, unless a passdb of the chain
  // answers later on a thread of its own, or `hash_elsewhere` is given and there is a slow hash to
  // compute. The hash runs on the thread that calls `done`. `request` is borrowed until then.
  void check(const CheckRequest& request, std::function<void(CheckResult)> done,
             const HashElsewhere& hash_elsewhere = {}) const;

  // Whether the credential may be a code, by its looks: is_known_device() is worth asking then.
  [[nodiscard]] bool may_be_code(const CheckRequest& request) const;

  // When the code that the credential is was used last, if it would let in now and was ever used:
  // then it comes from a device that was here before. `done` as for check(). Costs no hash.
  void find_device(
      const CheckRequest& request,
      std::function<void(std::optional<std::chrono::system_clock::time_point>)> done) const;

  // What differs when any stored credential of the account does; empty if it is not there,
  // disabled, or cannot be asked about. `done` as for check().
  void find_stamp(std::string username, std::chrono::steady_clock::time_point now,
                  std::function<void(std::string)> done) const;

  // What check() had no time for: whether a wrong password is an old one of the account whose check
  // is slow. Takes as long as a hash, or nothing (CodeBook::try_slow()): after the answer.
  [[nodiscard]] std::optional<Spent> recognise_later(const CheckRequest& request,
                                                     const CheckResult& result) const;

  // A code let in, as check() says. Never waits.
  void note_use(const CheckRequest& request, const CheckResult& result) const;

  // The account for USER of the master protocol, without its credentials; `done` as for check().
  // UnknownUser also for an account that has no userdb entry (uid 0). Whether the account is
  // disabled is told by its field.
  void lookup(std::string username, std::chrono::steady_clock::time_point now,
              std::function<void(Lookup)> done) const;

  // Every name that matches `mask` (`*` and `?`, case-insensitive), once, in no order, until `each`
  // returns false. False if some passdb could not be read to its end. Blocks: on a worker only.
  bool list(std::string_view mask, const std::function<bool(std::string_view name)>& each) const;

  // Wipes verdicts that have ended. Call it every second or so.
  void sweep(std::chrono::steady_clock::time_point now) const;

  // How each passdb is, in file order.
  [[nodiscard]] std::vector<PassdbStatus> status() const;

 private:
  class Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_VERIFIER_H_
