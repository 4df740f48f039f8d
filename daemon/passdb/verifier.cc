#include "daemon/passdb/verifier.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "daemon/passdb/log_limit.h"
#include "daemon/password/dummy.h"
#include "daemon/password/stored_password.h"
#include "daemon/password/verify.h"

namespace saslatch::passdb {
namespace {

using Outcome = CheckResult::Outcome;
using Time = std::chrono::steady_clock::time_point;

bool is_allowed_from(const Account& account, const std::optional<IpAddress>& rip) {
  if (!account.allow_nets) return true;
  if (!rip) return account.allow_local;
  return std::any_of(account.allow_nets->begin(), account.allow_nets->end(),
                     [&rip](const Network& network) { return network.contains(*rip); });
}

// What the stored credentials of one account said together.
struct Tried {
  bool matched = false;
  bool ran = false;        // at least one was computed, so that the time was spent
  bool no_memory = false;  // at least one could not be, for want of memory
};

}  // namespace

class Verifier::Impl {
 public:
  Impl(std::vector<std::shared_ptr<Passdb>> chain, Log& log, Random& random)
      : chain_(std::move(chain)),
        down_(chain_.size()),
        log_(log),
        default_dummy_(password::default_dummy(random)) {}

  // The passdb that decided; null for UnknownUser and Unavailable.
  using Found = std::function<void(const Passdb*, Lookup)>;

  void ask(size_t index, bool any_down, std::string username, Time now, Found done) const;
  [[nodiscard]] CheckResult judge(const CheckRequest& request, const Passdb* passdb,
                                  const Lookup& found) const {
    return judge(request, passdb, found, parse_all(found));
  }
  [[nodiscard]] std::optional<CheckResult> check_inline(const CheckRequest& request) const;
  bool list(std::string_view mask, const std::function<bool(std::string_view)>& each) const;
  [[nodiscard]] std::vector<PassdbStatus> status() const;

 private:
  // The credentials of an account, in its order.
  using Parsed = std::vector<Result<password::StoredPassword>>;

  [[nodiscard]] static Parsed parse_all(const Lookup& found);
  [[nodiscard]] std::pair<const Passdb*, Lookup> find_now(const CheckRequest& request) const;
  [[nodiscard]] bool is_slow(const CheckRequest& request, const Lookup& found,
                             const Parsed& parsed) const;
  [[nodiscard]] CheckResult judge(const CheckRequest& request, const Passdb* passdb,
                                  const Lookup& found, const Parsed& parsed) const;
  [[nodiscard]] CheckResult judge_account(const CheckRequest& request, const Passdb& passdb,
                                          const Account& account, const Parsed& parsed) const;
  [[nodiscard]] Tried try_credentials(const CheckRequest& request, const Passdb& passdb,
                                      const Account& account, const Parsed& parsed) const;
  // Spends what a check usually costs. False if there was no memory for it: a stored password
  // would have met the same, so that the answer must be the same as well.
  bool run_dummy(const CheckRequest& request) const;
  [[nodiscard]] password::StoredPassword dummy() const;
  // Whether an earlier passdb than the one at `index` decides for `name`.
  [[nodiscard]] bool is_known_before(size_t index, std::string_view name) const;

  void note(size_t index, const Lookup& found, Time now) const;
  void warn(std::string_view name, std::string_view text, const Passdb& passdb,
            const Account& account, std::string cause, Time now) const;

  const std::vector<std::shared_ptr<Passdb>> chain_;
  mutable std::vector<std::atomic<bool>> down_;  // what was logged last of each passdb
  Log& log_;
  mutable LogLimit limit_;
  const std::string default_dummy_;
};

void Verifier::Impl::ask(size_t index, bool any_down, std::string username, Time now,
                         Found done) const {
  if (index == chain_.size()) {
    if (any_down || chain_.empty()) {
      return done(nullptr, Unavailable{"no passdb that answers knows the name"});
    }
    return done(nullptr, UnknownUser{});
  }
  chain_[index]->find(username, [this, index, any_down, username, now,
                                 done = std::move(done)](Lookup found) mutable {
    note(index, found, now);
    if (std::holds_alternative<Account>(found)) return done(chain_[index].get(), std::move(found));
    const bool down = any_down || std::holds_alternative<Unavailable>(found);
    ask(index + 1, down, std::move(username), now, std::move(done));
  });
}

void Verifier::Impl::note(size_t index, const Lookup& found, Time now) const {
  const auto* const trouble = std::get_if<Unavailable>(&found);
  if (trouble == nullptr && !down_[index].load(std::memory_order_relaxed)) return;
  const std::string name(chain_[index]->name());
  if (trouble != nullptr) {
    down_[index].store(true, std::memory_order_relaxed);
    if (limit_.admits("down " + name, now)) {
      log_.error("passdb-down",
                 "a passdb cannot answer; names that no other one knows get a "
                 "temporary answer",
                 {{"passdb", name}, {"cause", trouble->reason}});
    }
  } else if (down_[index].exchange(false, std::memory_order_relaxed)) {
    log_.info("passdb-up", "a passdb answers again", {{"passdb", name}});
  }
}

void Verifier::Impl::warn(std::string_view name, std::string_view text, const Passdb& passdb,
                          const Account& account, std::string cause, Time now) const {
  std::string key(name);
  key.append(1, '\0').append(passdb.name()).append(1, '\0').append(account.name);
  if (!limit_.admits(key, now)) return;
  log_.warning(name, text,
               {{"passdb", std::string(passdb.name())}, {"user", account.name}, {"cause", cause}});
}

password::StoredPassword Verifier::Impl::dummy() const {
  TypicalCredential most;
  for (const auto& passdb : chain_) {
    TypicalCredential typical = passdb->typical_credential();
    if (!typical.stored.empty() && (most.stored.empty() || typical.accounts > most.accounts)) {
      most = std::move(typical);
    }
  }
  if (auto parsed = password::parse(most.stored, ""); !most.stored.empty() && parsed) {
    return *std::move(parsed);
  }
  if (auto parsed = password::parse(default_dummy_, "")) return *std::move(parsed);
  return password::Plaintext{};
}

bool Verifier::Impl::run_dummy(const CheckRequest& request) const {
  if (const auto* given = std::get_if<PasswordCredential>(&request.credential)) {
    return password::verify(dummy(), given->password.reveal()) != password::Check::kNoMemory;
  }
  const auto& given = std::get<CramMd5Credential>(request.credential);
  const password::StoredPassword context =
      password::CramMd5{CramMd5Context::from_password("the context of nobody")};
  (void)password::verify_cram_md5(context, given.challenge, given.digest);
  return true;
}

Verifier::Impl::Parsed Verifier::Impl::parse_all(const Lookup& found) {
  Parsed parsed;
  if (const auto* account = std::get_if<Account>(&found)) {
    parsed.reserve(account->credentials.size());
    for (const Secret& stored : account->credentials) {
      parsed.push_back(password::parse(stored.reveal(), ""));
    }
  }
  return parsed;
}

Tried Verifier::Impl::try_credentials(const CheckRequest& request, const Passdb& passdb,
                                      const Account& account, const Parsed& all) const {
  const auto* given = std::get_if<PasswordCredential>(&request.credential);
  const auto* cram = std::get_if<CramMd5Credential>(&request.credential);
  Tried tried;
  bool any_readable = false;
  constexpr std::string_view kDamaged = "a stored password cannot be used and lets nobody in";
  if (!account.damaged.empty()) {
    warn("credential-damaged", kDamaged, passdb, account, account.damaged, request.now);
  }
  for (const auto& parsed : all) {
    if (!parsed) {
      warn("credential-damaged", kDamaged, passdb, account, parsed.error().message, request.now);
      continue;
    }
    any_readable = true;
    const password::Check check =
        given != nullptr ? password::verify(*parsed, given->password.reveal())
                         : password::verify_cram_md5(*parsed, cram->challenge, cram->digest);
    switch (check) {
      case password::Check::kMatch:
        tried.matched = tried.ran = true;
        return tried;
      case password::Check::kMismatch:
        tried.ran = true;
        break;
      case password::Check::kUnusable:
        if (given != nullptr) {
          warn("credential-damaged", kDamaged, passdb, account,
               "this system's libraries refuse to compute the hash", request.now);
        }
        break;
      case password::Check::kNoMemory:
        tried.ran = tried.no_memory = true;
        break;
    }
  }
  if (cram != nullptr && !tried.ran && any_readable && account.withheld.empty()) {
    warn("cram-md5-impossible",
         "an account tried CRAM-MD5, which needs a plaintext or a CRAM-MD5 context", passdb,
         account, "only hashes are stored; set the password again to make a context", request.now);
  }
  return tried;
}

CheckResult Verifier::Impl::judge_account(const CheckRequest& request, const Passdb& passdb,
                                          const Account& account, const Parsed& parsed) const {
  CheckResult result{.outcome = Outcome::kBadCredential,
                     .account = account.name,
                     .nodelay = account.nodelay,
                     .passdb = std::string(passdb.name()),
                     .credential = {}};
  if (account.name != request.username && request.admit_account &&
      !request.admit_account(account.name)) {
    result.outcome = Outcome::kRefused;
    return result;
  }
  const auto* given = std::get_if<PasswordCredential>(&request.credential);
  const bool may_enter = !account.disabled && is_allowed_from(account, request.rip);
  const auto let_in = [&result] {
    result.outcome = Outcome::kOk;
    result.credential = "password";
    return std::move(result);
  };
  if (account.nopassword && may_enter && given != nullptr && !given->password.empty()) {
    return let_in();
  }

  Tried tried = try_credentials(request, passdb, account, parsed);
  if (!tried.ran && !run_dummy(request)) tried.no_memory = true;
  if (tried.matched && may_enter) return let_in();
  if (account.disabled) {
    result.outcome = Outcome::kDisabled;
  } else if (tried.no_memory && !tried.matched) {
    warn("no-memory", "a password could not be checked for want of memory", passdb, account,
         "the hash asks for more than the system gives now", request.now);
    result.outcome = Outcome::kUnavailable;
  } else if (!account.withheld.empty() && !tried.ran) {
    warn("credential-withheld", "a stored credential cannot be opened", passdb, account,
         account.withheld, request.now);
    result.outcome = Outcome::kUnavailable;
  }
  return result;
}

CheckResult Verifier::Impl::judge(const CheckRequest& request, const Passdb* passdb,
                                  const Lookup& found, const Parsed& parsed) const {
  if (const auto* account = std::get_if<Account>(&found)) {
    return judge_account(request, *passdb, *account, parsed);
  }
  CheckResult result{.outcome = Outcome::kUnavailable,
                     .account = request.username,
                     .nodelay = false,
                     .passdb = {},
                     .credential = {}};
  if (std::holds_alternative<UnknownUser>(found) && run_dummy(request)) {
    result.outcome = Outcome::kUnknownUser;
  }
  return result;
}

// Asks passdbs that do not block, and so have answered when find() returns.
std::pair<const Passdb*, Lookup> Verifier::Impl::find_now(const CheckRequest& request) const {
  bool any_down = chain_.empty();
  for (size_t i = 0; i < chain_.size(); ++i) {
    Lookup found;
    chain_[i]->find(request.username, [&found](Lookup answer) { found = std::move(answer); });
    note(i, found, request.now);
    if (std::holds_alternative<Account>(found)) return {chain_[i].get(), std::move(found)};
    any_down |= std::holds_alternative<Unavailable>(found);
  }
  if (any_down) return {nullptr, Unavailable{"no passdb that answers knows the name"}};
  return {nullptr, UnknownUser{}};
}

// Whether judge() would compute a slow hash.
bool Verifier::Impl::is_slow(const CheckRequest& request, const Lookup& found,
                             const Parsed& parsed) const {
  // HMAC-MD5 of whatever is stored takes microseconds.
  if (std::holds_alternative<CramMd5Credential>(request.credential)) return false;
  if (std::holds_alternative<Unavailable>(found)) return false;  // nothing will be hashed
  bool any_usable = false;
  for (const auto& stored : parsed) {
    if (stored && password::is_slow(*stored)) return true;
    any_usable = any_usable || stored;
  }
  return !any_usable && password::is_slow(dummy());
}

std::optional<CheckResult> Verifier::Impl::check_inline(const CheckRequest& request) const {
  if (std::any_of(chain_.begin(), chain_.end(), [](const auto& p) { return p->blocks(); })) {
    return std::nullopt;
  }
  const auto [passdb, found] = find_now(request);
  const Parsed parsed = parse_all(found);
  if (is_slow(request, found, parsed)) return std::nullopt;
  return judge(request, passdb, found, parsed);
}

bool Verifier::Impl::is_known_before(size_t index, std::string_view name) const {
  for (size_t i = 0; i < index; ++i) {
    // Shared, since a passdb may answer after we have gone on; its name is then listed twice.
    const auto known = std::make_shared<std::atomic<bool>>(false);
    chain_[i]->find(std::string(name), [known](const Lookup& found) {
      *known = std::holds_alternative<Account>(found);
    });
    if (*known) return true;
  }
  return false;
}

bool Verifier::Impl::list(std::string_view mask,
                          const std::function<bool(std::string_view)>& each) const {
  bool complete = true;
  bool wanted = true;
  for (size_t i = 0; i < chain_.size() && wanted; ++i) {
    complete &= chain_[i]->list(mask, [&](std::string_view name) {
      if (!is_known_before(i, name)) wanted = each(name);
      return wanted;
    });
  }
  return complete;
}

std::vector<PassdbStatus> Verifier::Impl::status() const {
  std::vector<PassdbStatus> all;
  all.reserve(chain_.size());
  for (const auto& passdb : chain_) all.push_back(passdb->status());
  return all;
}

Verifier::Verifier(std::vector<std::shared_ptr<Passdb>> chain, Log& log, Random& random)
    : impl_(std::make_unique<const Impl>(std::move(chain), log, random)) {}

Verifier::~Verifier() = default;

std::optional<CheckResult> Verifier::check_inline(const CheckRequest& request) const {
  return impl_->check_inline(request);
}

void Verifier::check(const CheckRequest& request, std::function<void(CheckResult)> done) const {
  impl_->ask(0, false, request.username, request.now,
             [this, &request, done = std::move(done)](const Passdb* passdb, const Lookup& found) {
               done(impl_->judge(request, passdb, found));
             });
}

void Verifier::lookup(std::string username, Time now, std::function<void(Lookup)> done) const {
  impl_->ask(0, false, std::move(username), now,
             [done = std::move(done)](const Passdb*, Lookup found) {
               if (auto* account = std::get_if<Account>(&found)) {
                 account->credentials.clear();
                 if (!account->in_userdb) return done(UnknownUser{});
               }
               done(std::move(found));
             });
}

bool Verifier::list(std::string_view mask,
                    const std::function<bool(std::string_view name)>& each) const {
  return impl_->list(mask, each);
}

std::vector<PassdbStatus> Verifier::status() const { return impl_->status(); }

}  // namespace saslatch::passdb
