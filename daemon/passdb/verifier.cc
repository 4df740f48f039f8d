#include "daemon/passdb/verifier.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "daemon/audit/audit.h"
#include "daemon/passdb/code_text.h"
#include "daemon/passdb/verifier_impl.h"
#include "daemon/password/verify.h"
#include "protocol/base/crypto/digest.h"

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

std::string name_of(const FoundCode& code) {
  return code_credential(std::to_string(code.id), code.label);
}

// Differs when any stored credential does. Of hashes, never shown.
std::string stamp_of(const Account& account) {
  std::string all;
  for (const Secret& stored : account.credentials) all.append(stored.reveal()).append(1, '\0');
  all += account.stamp;
  std::string stamp = digest(Hash::kSha256, all);
  wipe(all);
  return stamp;
}

}  // namespace

bool is_presumed(const Lookup& found) {
  const auto* account = std::get_if<Account>(&found);
  return account != nullptr && account->is_presumed;
}

Shown shown_by(const CheckRequest& request) {
  if (const auto* given = std::get_if<PasswordCredential>(&request.credential)) {
    return ShownPassword{given->password.reveal()};
  }
  const auto& given = std::get<CramMd5Credential>(request.credential);
  return ShownDigest{given.challenge, given.digest};
}

std::optional<Spent::Why> why_not(const FoundCode& code, const CheckRequest& request) {
  switch (code.state) {
    case CodeState::kRevoked:
      return Spent::Why::kRevoked;
    case CodeState::kExpired:
      return Spent::Why::kExpired;
    case CodeState::kActive:
      break;
  }
  if (!code.is_for(request.service)) return Spent::Why::kService;
  if (!code.is_allowed_from(request.rip)) return Spent::Why::kNetwork;
  return std::nullopt;
}

void Verifier::Impl::ask(Progress at, std::string username, Time now, Found done) const {
  if (at.index == chain_.size()) {
    if (at.any_down || chain_.empty()) {
      return done(nullptr, Unavailable{"no passdb that answers knows the name"}, at);
    }
    return done(nullptr, UnknownUser{}, at);
  }
  chain_[at.index]->find(username,
                         [this, at, username, now, done = std::move(done)](Lookup found) mutable {
                           note(at.index, found, now);
                           if (std::holds_alternative<Account>(found)) {
                             return done(chain_[at.index].get(), std::move(found), at);
                           }
                           at.any_down = at.any_down || std::holds_alternative<Unavailable>(found);
                           ++at.index;
                           ask(at, std::move(username), now, std::move(done));
                         });
}

void Verifier::Impl::note(size_t index, const Lookup& found, Time now) const {
  if (const auto* const trouble = std::get_if<Unavailable>(&found)) {
    return note_down(index, trouble->reason, now);
  }
  // Whether that works, its authenticator tells.
  const auto* const account = std::get_if<Account>(&found);
  if (account == nullptr || !account->authenticator) note_up(index);
}

void Verifier::Impl::note_down(size_t index, const std::string& reason, Time now) const {
  down_[index].store(true, std::memory_order_relaxed);
  const std::string name(chain_[index]->name());
  if (limit_.admits("down " + name, now)) {
    log_.error("passdb-down",
               "a passdb cannot answer; names that no other one knows get a "
               "temporary answer",
               {{"passdb", name}, {"cause", reason}});
  }
}

void Verifier::Impl::note_up(size_t index) const {
  if (!down_[index].load(std::memory_order_relaxed)) return;
  if (!down_[index].exchange(false, std::memory_order_relaxed)) return;
  log_.info("passdb-up", "a passdb answers again",
            {{"passdb", std::string(chain_[index]->name())}});
}

void Verifier::Impl::warn(std::string_view name, std::string_view text, const Passdb& passdb,
                          const Account& account, std::string cause, Time now) const {
  std::string key(name);
  key.append(1, '\0').append(passdb.name()).append(1, '\0').append(account.name);
  if (!limit_.admits(key, now)) return;
  log_.warning(name, text,
               {{"passdb", std::string(passdb.name())}, {"user", account.name}, {"cause", cause}});
}

std::optional<password::StoredPassword> Verifier::Impl::dummy() const {
  TypicalCredential most;
  bool is_judged_elsewhere = !chain_.empty();
  for (const auto& passdb : chain_) {
    TypicalCredential typical = passdb->typical_credential();
    is_judged_elsewhere &= typical.is_judged_elsewhere;
    if (!typical.stored.empty() && (most.stored.empty() || typical.accounts > most.accounts)) {
      most = std::move(typical);
    }
  }
  if (is_judged_elsewhere) return std::nullopt;
  if (auto parsed = password::parse(most.stored, ""); !most.stored.empty() && parsed) {
    return *std::move(parsed);
  }
  if (auto parsed = password::parse(default_dummy_, "")) return *std::move(parsed);
  return password::Plaintext{};
}

bool Verifier::Impl::run_dummy(const CheckRequest& request) const {
  if (const auto* given = std::get_if<PasswordCredential>(&request.credential)) {
    const auto usual = dummy();
    return !usual ||
           password::verify(*usual, given->password.reveal()) != password::Check::kNoMemory;
  }
  const auto& given = std::get<CramMd5Credential>(request.credential);
  const password::StoredPassword context =
      password::CramMd5{CramMd5Context::from_password("the context of nobody")};
  (void)password::verify_cram_md5(context, given.challenge, given.digest);
  return true;
}

Verifier::Impl::Parsed Verifier::Impl::parse_all(const CheckRequest& request,
                                                 const Lookup& found) const {
  Parsed all;
  const auto* const account = std::get_if<Account>(&found);
  if (account == nullptr) return all;
  const auto* const given = std::get_if<PasswordCredential>(&request.credential);
  all.reserve(account->credentials.size());
  for (const Secret& stored : account->credentials) {
    OneParsed& one = all.emplace_back(OneParsed{password::parse(stored.reveal(), "")});
    if (given == nullptr || !verdicts_.is_on() || !one.stored) continue;
    if (!password::is_slow(*one.stored)) continue;
    one.verdict = verdicts_.digest_of(stored.reveal(), given->password.reveal());
    one.is_known_right = verdicts_.knows(*one.verdict, request.now);
  }
  return all;
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
  for (const OneParsed& one : all) {
    if (one.is_known_right) {
      tried.matched = tried.ran = tried.remembered = true;
      return tried;
    }
    const auto& parsed = one.stored;
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
        if (one.verdict) verdicts_.remember(*one.verdict, request.now);
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
  any_readable = any_readable || account.authenticator;
  if (cram != nullptr && !tried.ran && any_readable && account.withheld.empty()) {
    warn("cram-md5-impossible",
         "an account tried CRAM-MD5, which needs a plaintext or a CRAM-MD5 context", passdb,
         account,
         account.authenticator ? "its passdb judges passwords by itself and shows none"
                               : "only hashes are stored; set the password again to make a context",
         request.now);
  }
  return tried;
}

// Whether the account's main password, which was right, lets in.
bool Verifier::Impl::may_use_main_password(const CheckRequest& request, const CodeFacts& facts,
                                           const Passdb& passdb, const Account& account) const {
  if (request.main_password_only) return true;
  password::MainPassword word = codes_.main_password.of(request.service);
  if (!facts.main_password.empty()) {
    const auto own = password::MainPasswordRules::parse(facts.main_password);
    if (!own) {
      // What cannot be read opens nothing; the database was written by something else.
      warn("main-password-damaged", "an account's main-password cannot be read; it is refused",
           passdb, account, own.error().message, request.now);
      return false;
    }
    word = own->of(request.service);
  }
  switch (word) {
    case password::MainPassword::kAllowed:
      return true;
    case password::MainPassword::kRefused:
      return false;
    case password::MainPassword::kRefusedIfCodes:
      break;
  }
  return !facts.has_codes;
}

bool Verifier::Impl::is_admitted(const CheckRequest& request, const Account& account,
                                 CheckResult& result) const {
  if (account.name == request.username || !request.admit_account) return true;
  if (request.admit_account(account.name)) return true;
  result.outcome = Outcome::kRefused;
  result.account = account.name;
  return false;
}

CheckResult Verifier::Impl::judge_account(const CheckRequest& request, const Passdb& passdb,
                                          const Account& account, const Parsed& parsed,
                                          CodeFacts facts, const Tried* proven) const {
  CheckResult result{.outcome = Outcome::kBadCredential,
                     .account = account.name,
                     .nodelay = account.nodelay,
                     .passdb = std::string(passdb.name()),
                     .credential = {}};
  const auto* given = std::get_if<PasswordCredential>(&request.credential);
  const bool may_enter = !account.disabled && is_allowed_from(account, request.rip);
  const auto let_in = [&result](std::string credential) {
    result.outcome = Outcome::kOk;
    result.credential = std::move(credential);
    return std::move(result);
  };
  if (facts.found && !request.main_password_only) {
    const auto why = why_not(*facts.found, request);
    if (!why && may_enter) {
      result.code = std::move(facts.found);
      return let_in(name_of(*result.code));
    }
    if (why) result.spent = Spent{*why, name_of(*facts.found), facts.found->since};
  }
  // From here on it takes as long as any wrong password.
  const auto main_password_lets_in = [&] {
    if (may_use_main_password(request, facts, passdb, account)) return true;
    result.spent = Spent{Spent::Why::kMainPassword, "password", {}};
    return false;
  };
  if (account.nopassword && !request.main_password_only && may_enter && given != nullptr &&
      !given->password.empty() && facts.trouble.empty() && main_password_lets_in()) {
    return let_in("password");
  }

  Tried tried = proven != nullptr ? *proven : try_credentials(request, passdb, account, parsed);
  if (!tried.ran && !run_dummy(request)) tried.no_memory = true;
  result.remembered = tried.remembered;
  if (tried.matched && may_enter && facts.trouble.empty() && main_password_lets_in()) {
    return let_in("password");
  }
  if (!tried.matched && !result.spent) {
    if (facts.old_password) {
      result.spent = Spent{Spent::Why::kOldPassword, "password", facts.old_password};
    } else {
      result.slow = std::move(facts.slow);
    }
  }
  if (account.disabled) {
    result.outcome = Outcome::kDisabled;
  } else if (!facts.trouble.empty()) {
    warn("codes-unreadable", "an account's authorization codes cannot be read", passdb, account,
         facts.trouble, request.now);
    result.outcome = Outcome::kUnavailable;
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
                                  const Lookup& found, const Parsed& parsed, CodeFacts facts,
                                  std::chrono::microseconds judged_for) const {
  if (const auto* account = std::get_if<Account>(&found)) {
    CheckResult refused;
    if (!is_admitted(request, *account, refused)) return refused;
    return judge_account(request, *passdb, *account, parsed, std::move(facts));
  }
  CheckResult result{.outcome = Outcome::kUnavailable,
                     .account = request.username,
                     .nodelay = false,
                     .passdb = {},
                     .credential = {}};
  if (std::holds_alternative<UnknownUser>(found) && run_dummy(request)) {
    result.outcome = Outcome::kUnknownUser;
    result.as_if = std::max(wrong_times_.next() - judged_for, std::chrono::microseconds(0));
  }
  return result;
}

// Asks passdbs that do not block, and so have answered when find() returns, and those that
// remember. nullopt: one would have to be waited for.
std::optional<std::pair<const Passdb*, Lookup>> Verifier::Impl::find_now(
    const CheckRequest& request) const {
  bool any_down = chain_.empty();
  std::pair<const Passdb*, Lookup> result;
  Lookup& found = result.second;
  for (size_t i = 0; i < chain_.size(); ++i) {
    if (chain_[i]->blocks()) {
      auto recalled = chain_[i]->recall(request.username, request.now);
      if (!recalled) return std::nullopt;
      found = *std::move(recalled);
    } else {
      chain_[i]->find(request.username, [&found](Lookup&& answer) { found = std::move(answer); });
    }
    note(i, found, request.now);
    if (std::holds_alternative<Account>(found)) {
      result.first = chain_[i].get();
      return result;
    }
    any_down |= std::holds_alternative<Unavailable>(found);
  }
  if (any_down) {
    found = Unavailable{"no passdb that answers knows the name"};
  } else {
    found = UnknownUser{};
  }
  return result;
}

// Whether judge() would compute a slow hash.
bool Verifier::Impl::is_slow(const CheckRequest& request, const Lookup& found,
                             const Parsed& parsed) const {
  // HMAC-MD5 of whatever is stored takes microseconds.
  if (std::holds_alternative<CramMd5Credential>(request.credential)) return false;
  if (std::holds_alternative<Unavailable>(found)) return false;  // nothing will be hashed
  bool any_usable = false;
  for (const OneParsed& one : parsed) {
    // Asked in this order by try_credentials().
    if (one.is_known_right) return false;
    if (one.stored && password::is_slow(*one.stored)) return true;
    any_usable = any_usable || one.stored;
  }
  if (any_usable) return false;
  const auto usual = dummy();
  return usual && password::is_slow(*usual);
}

std::optional<CheckResult> Verifier::Impl::check_inline(const CheckRequest& request) const {
  const auto asked = find_now(request);
  if (!asked) return std::nullopt;
  const auto& [passdb, found] = *asked;
  const bool remembers = passdb != nullptr && passdb->blocks();
  // Codes are on a disk: what is known in memory tells who has none.
  if (const auto* account = std::get_if<Account>(&found); account != nullptr) {
    if (remembers && codes_.book && !codes_.book->knows_all()) return std::nullopt;
    if (codes_.book && codes_.book->may_know(account->name)) return std::nullopt;
    if (account->authenticator) return std::nullopt;
  }
  const Parsed parsed = parse_all(request, found);
  // What a wrong password usually costs is asked of the passdbs, which may block.
  const bool any_blocks =
      std::any_of(chain_.begin(), chain_.end(), [](const auto& p) { return p->blocks(); });
  if (any_blocks && std::none_of(parsed.begin(), parsed.end(),
                                 [](const OneParsed& one) { return one.stored.has_value(); })) {
    return std::nullopt;
  }
  if (is_slow(request, found, parsed)) return std::nullopt;
  return judge(request, passdb, found, parsed, {});
}

bool Verifier::Impl::is_known_before(size_t index, std::string_view name) const {
  for (size_t i = 0; i < index; ++i) {
    // Shared, since a passdb may answer after we have gone on; its name is then listed twice.
    const auto known = std::make_shared<std::atomic<bool>>(false);
    chain_[i]->find(std::string(name), [known](const Lookup& found) {
      *known = std::holds_alternative<Account>(found) && !is_presumed(found);
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

std::string_view to_string(Spent::Why why) {
  switch (why) {
    case Spent::Why::kRevoked:
      return "revoked";
    case Spent::Why::kExpired:
      return "expired";
    case Spent::Why::kService:
      return "service";
    case Spent::Why::kNetwork:
      return "network";
    case Spent::Why::kOldPassword:
      return "old-password";
    case Spent::Why::kMainPassword:
      break;
  }
  return "main-password";
}

Verifier::Verifier(std::vector<std::shared_ptr<Passdb>> chain, Log& log, Random& random,
                   std::chrono::milliseconds verdicts_last, CodeRules codes)
    : impl_(std::make_unique<const Impl>(std::move(chain), log, random, verdicts_last,
                                         std::move(codes))) {}

Verifier::~Verifier() = default;

std::optional<CheckResult> Verifier::check_inline(const CheckRequest& request) const {
  return impl_->check_inline(request);
}

void Verifier::check(const CheckRequest& request, std::function<void(CheckResult)> done,
                     const HashElsewhere& hash_elsewhere) const {
  impl_->ask({}, request.username, request.now,
             [this, &request, done = std::move(done), hash_elsewhere](
                 const Passdb* passdb, Lookup found, Progress at) mutable {
               impl_->judge_somewhere(request, passdb, std::move(found), at, std::move(done),
                                      hash_elsewhere);
             });
}

void Verifier::sweep(Time now) const { impl_->sweep(now); }

bool Verifier::may_be_code(const CheckRequest& request) const {
  const CodeRules& codes = impl_->codes();
  if (!codes.book || codes.book->is_empty() || request.main_password_only) return false;
  const auto* given = std::get_if<PasswordCredential>(&request.credential);
  return given == nullptr || normalise_code(given->password.reveal()).has_value();
}

void Verifier::find_device(const CheckRequest& request,
                           std::function<void(std::optional<CodeBook::Time>)> done) const {
  impl_->ask(
      {}, request.username, request.now,
      [this, &request, done = std::move(done)](const Passdb*, const Lookup& found, Progress) {
        const auto* account = std::get_if<Account>(&found);
        if (account == nullptr || account->disabled || !is_allowed_from(*account, request.rip)) {
          return done(std::nullopt);
        }
        const CodeFacts facts =
            impl_->codes().book->find(account->name, shown_by(request), request.wall);
        if (!facts.found || why_not(*facts.found, request)) return done(std::nullopt);
        done(facts.found->used);
      });
}

void Verifier::find_stamp(std::string username, Time now,
                          std::function<void(std::string)> done) const {
  impl_->ask_for_certain({}, std::move(username), now,
                         [done = std::move(done)](const Passdb*, const Lookup& found, Progress) {
                           const auto* account = std::get_if<Account>(&found);
                           done(account != nullptr && !account->disabled ? stamp_of(*account) : "");
                         });
}

std::optional<Spent> Verifier::recognise_later(const CheckRequest& request,
                                               const CheckResult& result) const {
  const auto* given = std::get_if<PasswordCredential>(&request.credential);
  if (result.slow.empty() || given == nullptr) return std::nullopt;
  const auto replaced = impl_->codes().book->try_slow(result.account, result.slow,
                                                      given->password.reveal(), request.wall);
  if (!replaced) return std::nullopt;
  return Spent{Spent::Why::kOldPassword, "password", replaced};
}

void Verifier::note_use(const CheckRequest& request, const CheckResult& result) const {
  if (!result.code) return;
  impl_->codes().book->note_use(*result.code, request.rip, request.service, request.wall);
}

void Verifier::lookup(std::string username, Time now, std::function<void(Lookup)> done) const {
  impl_->ask_for_certain({}, std::move(username), now,
                         [done = std::move(done)](const Passdb*, Lookup found, Progress) {
                           if (auto* account = std::get_if<Account>(&found)) {
                             account->credentials.clear();
                             account->authenticator.reset();
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
