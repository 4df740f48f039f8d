#include "daemon/passdb/ldap/ldap_passdb.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/passdb/connection_pool.h"
#include "daemon/passdb/ldap/ldap_connection.h"
#include "daemon/passdb/ldap/ldap_text.h"
#include "daemon/passdb/log_limit.h"
#include "daemon/passdb/passwd_entry.h"

namespace saslatch::passdb {
namespace {

using Time = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

// Change when a password does; asked for where a right one is to be remembered.
constexpr std::array kChangeTimes = {"pwdChangedTime", "modifyTimestamp"};

milliseconds left(Time deadline, Time now) {
  return std::chrono::duration_cast<milliseconds>(deadline - now);
}

// What one thread of the pool has: a connection as the service, and one for binds that judge.
class LdapPair {
 public:
  explicit LdapPair(LdapConnection service) : service_(std::move(service)) {}
  [[nodiscard]] bool is_alive() { return service_.is_alive() && (!judge_ || judge_->is_alive()); }
  [[nodiscard]] LdapConnection& service() { return service_; }
  // Opens the second one when it is first needed.
  Result<LdapConnection*> judge(const LdapServer& server) {
    if (!judge_) {
      auto opened = LdapConnection::open(server);
      if (!opened) return tl::unexpected(opened.error());
      judge_.emplace(*std::move(opened));
    }
    return &*judge_;
  }

 private:
  LdapConnection service_;
  std::optional<LdapConnection> judge_;
};

class Notes final : public PasswdNotes {
 public:
  void problem(std::string text) override {
    if (first.empty()) first = std::move(text);
  }
  void ignored(std::string_view) override {}
  std::string first;
};

bool says_no(std::string_view value) {
  constexpr std::string_view kNo[] = {"", "0", "false", "FALSE", "False", "no", "NO", "No"};
  return std::find(std::begin(kNo), std::end(kNo), value) != std::end(kNo);
}

}  // namespace

class LdapPassdb::Impl : public std::enable_shared_from_this<LdapPassdb::Impl> {
 public:
  using Pool = ConnectionPool<LdapPair>;

  Impl(const PassdbSettings& settings, const PassdbParts& parts)
      : settings_(settings),
        server_{settings.ldap.uri, settings.ldap.starttls, settings.server.tls_ca_file,
                settings.server.timeout},
        parts_(parts),
        pool_(
            {settings.server.connections,
             std::min(settings.server.timeout, parts.max_hold * 9 / 10)},
            [this](const Waiter&, Time) { return open(); }, parts.clock, parts.random) {}

  // What the settings say in words; an error is for an administrator.
  Result<void> read_settings();
  void find(const std::string& username, std::function<void(Lookup)> done);
  void judge(const std::string& dn, ProofRequest request, std::function<void(ProofResult)> done);
  [[nodiscard]] Result<std::unique_ptr<LdapPair>> open() const;
  [[nodiscard]] const PassdbSettings& settings() const { return settings_; }
  [[nodiscard]] bool searches() const { return filter_.has_value(); }
  [[nodiscard]] Pool& pool() { return pool_; }

 private:
  JobEnd search(LdapPair& pair, const std::string& username, Time deadline,
                const std::function<void(Lookup)>& done);
  JobEnd bind(LdapPair& pair, const std::string& dn, const ProofRequest& request, Time deadline,
              const std::function<void(ProofResult)>& done);
  JobEnd look_at(LdapPair& pair, const std::string& dn, Time deadline,
                 const std::function<void(ProofResult)>& done);
  [[nodiscard]] Account account_of(const LdapEntry& entry, const std::string& username);

  const PassdbSettings settings_;
  const LdapServer server_;
  const PassdbParts parts_;
  std::optional<LdapTemplate> user_dn_;
  std::optional<LdapTemplate> filter_;
  LdapAttributes attributes_;
  std::vector<std::string> asked_for_;
  LogLimit limit_;
  Pool pool_;  // last: its threads use the others
};

// Judges by binding as one entry.
class LdapAuthenticator final : public Authenticator {
 public:
  using Judge = std::function<void(ProofRequest, std::function<void(ProofResult)>)>;
  explicit LdapAuthenticator(Judge judge) : judge_(std::move(judge)) {}
  void authenticate(ProofRequest request, std::function<void(ProofResult)> done) override {
    judge_(std::move(request), std::move(done));
  }

 private:
  const Judge judge_;
};

Result<void> LdapPassdb::Impl::read_settings() {
  const LdapSettings& ldap = settings_.ldap;
  const auto read = [](const char* key, const std::string& text,
                       std::optional<LdapTemplate>& into) -> Result<void> {
    if (text.empty()) return {};
    auto made = LdapTemplate::parse(text);
    if (!made) return failure(std::string(key) + ": " + made.error().message);
    into = *std::move(made);
    return {};
  };
  if (auto done = read("user-dn", ldap.user_dn, user_dn_); !done) return done;
  if (auto done = read("filter", ldap.filter, filter_); !done) return done;
  if (user_dn_.has_value() == filter_.has_value()) {
    return failure("either user-dn is needed, or base and filter");
  }
  if (!ldap.bind && user_dn_)
    return failure("bind = no compares what a search finds: it needs base and filter");
  auto attributes = LdapAttributes::parse(ldap.attributes);
  if (!attributes) return failure("attributes: " + attributes.error().message);
  attributes_ = *std::move(attributes);
  if (user_dn_ && !attributes_.names().empty()) {
    return failure("attributes: nothing is read with user-dn; leave them out");
  }
  if (!ldap.bind && attributes_.password.empty()) attributes_.password = "userPassword";
  asked_for_ = attributes_.names();
  if (settings_.cache.count() > 0) {
    asked_for_.insert(asked_for_.end(), kChangeTimes.begin(), kChangeTimes.end());
  }
  return {};
}

Result<std::unique_ptr<LdapPair>> LdapPassdb::Impl::open() const {
  const LdapSettings& ldap = settings_.ldap;
  Secret password;
  if (!ldap.bind_dn.empty()) {
    auto read = parts_.read_password_file(settings_.server.password_file);
    if (!read)
      return failure("password-file " + settings_.server.password_file + ": " +
                     read.error().message);
    // Bound with an empty password we would be nobody (RFC 4513, 5.1.2).
    if (read->empty())
      return failure("password-file " + settings_.server.password_file + " is empty");
    password = *std::move(read);
  }
  auto opened = LdapConnection::open(server_);
  if (!opened) return tl::unexpected(opened.error());
  if (!ldap.bind_dn.empty()) {
    const auto bound = opened->bind_service(ldap.bind_dn, password, server_.timeout);
    if (!bound) return tl::unexpected(bound.error());
  }
  return std::make_unique<LdapPair>(*std::move(opened));
}

void LdapPassdb::Impl::find(const std::string& username, std::function<void(Lookup)> done) {
  if (user_dn_) {
    const auto dn = user_dn_->fill(username);
    if (!dn) return done(UnknownUser{});
    Account account;
    account.name = username;
    account.is_presumed = true;
    account.right_lasts = settings_.cache;
    account.authenticator = std::make_shared<LdapAuthenticator>(
        [self = shared_from_this(), dn = *dn](ProofRequest request, auto judged) {
          self->judge(dn, std::move(request), std::move(judged));
        });
    return done(std::move(account));
  }
  const auto answer = std::make_shared<const std::function<void(Lookup)>>(std::move(done));
  pool_.submit(
      {[self = shared_from_this(), username, answer](LdapPair& pair, const Waiter&, Time deadline) {
         return self->search(pair, username, deadline, *answer);
       },
       [answer](std::string reason) { (*answer)(Unavailable{std::move(reason)}); }});
}

JobEnd LdapPassdb::Impl::search(LdapPair& pair, const std::string& username, Time deadline,
                                const std::function<void(Lookup)>& done) {
  const auto filter = filter_->fill(username);
  if (!filter) {
    done(UnknownUser{});
    return {};
  }
  const Time now = parts_.clock();
  LdapFound found =
      pair.service().search({settings_.ldap.base, true, *filter, asked_for_}, left(deadline, now));
  if (auto* trouble = std::get_if<LdapTrouble>(&found)) {
    if (trouble->is_connection_lost) {
      const bool late = trouble->is_late || parts_.clock() >= deadline;
      return {late ? JobEnd::Kind::kTimedOut : JobEnd::Kind::kLost, std::move(trouble->reason)};
    }
    done(Unavailable{std::move(trouble->reason)});
    return {};
  }
  if (const auto* entry = std::get_if<LdapEntry>(&found)) {
    done(account_of(*entry, username));
  } else {
    done(UnknownUser{});
  }
  return {};
}

Account LdapPassdb::Impl::account_of(const LdapEntry& entry, const std::string& username) {
  Account account;
  account.name = username;
  std::string networks;
  for (const Secret& value : entry.of(attributes_.allow_nets)) {
    networks.append(networks.empty() ? "" : ",").append(value.reveal());
  }
  const auto first = [&entry](const std::string& attribute) {
    const auto& values = entry.of(attribute);
    return values.empty() ? std::string_view() : values.front().reveal();
  };
  std::vector<ExtraField> fields;
  const auto add = [&fields](std::string_view field, std::string_view value) {
    if (!value.empty()) fields.push_back({field, value});
  };
  add("user", first(attributes_.user));
  add("allow_nets", networks);
  add("userdb_uid", first(attributes_.uid));
  add("userdb_gid", first(attributes_.gid));
  add("userdb_home", first(attributes_.home));
  if (!says_no(first(attributes_.nologin))) fields.push_back({"nologin", "yes"});
  for (const Secret& value : entry.of(attributes_.password)) {
    std::string stored = stored_password_of_ldap(value.reveal());
    account.credentials.push_back(Secret::take(stored));
  }
  Notes notes;
  read_extra_fields(fields, parts_.lowercase, &notes, account);
  if (!settings_.ldap.bind && account.credentials.empty()) {
    account.damaged = "the entry shows bind-dn no " + attributes_.password;
  }
  if (!notes.first.empty() && limit_.admits(account.name, parts_.clock())) {
    parts_.log.warning("ldap-entry", "an entry of a directory is not as it should be",
                       {{"passdb", settings_.name}, {"dn", entry.dn}, {"cause", notes.first}});
  }
  if (!settings_.ldap.bind) return account;
  account.right_lasts = settings_.cache;
  for (const char* name : kChangeTimes) account.stamp.append(first(name)).append(1, ' ');
  account.stamp += entry.dn;
  account.authenticator = std::make_shared<LdapAuthenticator>(
      [self = shared_from_this(), dn = entry.dn](ProofRequest request, auto judged) {
        self->judge(dn, std::move(request), std::move(judged));
      });
  return account;
}

void LdapPassdb::Impl::judge(const std::string& dn, ProofRequest request,
                             std::function<void(ProofResult)> done) {
  struct Judged {
    std::string dn;
    ProofRequest request;
    std::function<void(ProofResult)> done;
  };
  const auto one = std::make_shared<const Judged>(Judged{dn, std::move(request), std::move(done)});
  pool_.submit({[self = shared_from_this(), one](LdapPair& pair, const Waiter&, Time deadline) {
                  deadline = std::min(deadline, one->request.deadline);
                  if (std::holds_alternative<NoProof>(one->request.proof)) {
                    return self->look_at(pair, one->dn, deadline, one->done);
                  }
                  return self->bind(pair, one->dn, one->request, deadline, one->done);
                },
                [one](std::string reason) {
                  one->done({ProofVerdict::kUnavailable, std::move(reason), {}});
                }});
}

JobEnd LdapPassdb::Impl::bind(LdapPair& pair, const std::string& dn, const ProofRequest& request,
                              Time deadline, const std::function<void(ProofResult)>& done) {
  const auto judge = pair.judge(server_);
  if (!judge) return {JobEnd::Kind::kLost, judge.error().message};
  const Time now = parts_.clock();
  if (now >= deadline) {
    done({ProofVerdict::kUnavailable, "nobody waits for the answer any longer", {}});
    return {};
  }
  auto bound =
      (*judge)->bind_user(dn, std::get<PasswordProof>(request.proof).password, left(deadline, now));
  if (bound.is_connection_lost) {
    // Asked again on another connection; not where the server was only too slow, which would make
    // two guesses of one.
    const bool late = bound.is_late || parts_.clock() >= deadline;
    return {late ? JobEnd::Kind::kTimedOut : JobEnd::Kind::kLost, std::move(bound.result.reason)};
  }
  if (bound.result.verdict == ProofVerdict::kDisabled) {
    parts_.log.info("ldap-disabled", "a directory refuses an account whatever its password",
                    {{"passdb", settings_.name}, {"dn", dn}, {"cause", bound.result.reason}});
  }
  done(std::move(bound.result));
  return {};
}

// Whether there is such an entry, as far as bind-dn may see it.
JobEnd LdapPassdb::Impl::look_at(LdapPair& pair, const std::string& dn, Time deadline,
                                 const std::function<void(ProofResult)>& done) {
  const Time now = parts_.clock();
  LdapFound found = pair.service().search({dn, false, "(objectClass=*)", {}}, left(deadline, now));
  if (auto* trouble = std::get_if<LdapTrouble>(&found)) {
    if (trouble->is_connection_lost) {
      return {trouble->is_late ? JobEnd::Kind::kTimedOut : JobEnd::Kind::kLost,
              std::move(trouble->reason)};
    }
    done({ProofVerdict::kUnavailable, std::move(trouble->reason), {}});
  } else {
    const bool is_there = std::holds_alternative<LdapEntry>(found);
    done({is_there ? ProofVerdict::kRight : ProofVerdict::kUnknownUser, {}, {}});
  }
  return {};
}

Result<std::shared_ptr<Passdb>> LdapPassdb::make(const PassdbSettings& settings,
                                                 const PassdbParts& parts) {
  auto impl = std::make_shared<Impl>(settings, parts);
  if (auto read = impl->read_settings(); !read) return tl::unexpected(read.error());
  return std::shared_ptr<Passdb>(new LdapPassdb(std::move(impl)));
}

LdapPassdb::LdapPassdb(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

LdapPassdb::~LdapPassdb() = default;

std::string_view LdapPassdb::name() const { return impl_->settings().name; }

bool LdapPassdb::blocks() const { return impl_->searches(); }

void LdapPassdb::find(std::string username, std::function<void(Lookup)> done) {
  impl_->find(username, std::move(done));
}

bool LdapPassdb::list(std::string_view, const std::function<bool(std::string_view)>&) {
  return false;
}

TypicalCredential LdapPassdb::typical_credential() const {
  return {"", 0, impl_->settings().ldap.bind};
}

PassdbStatus LdapPassdb::status() const {
  const std::string trouble = impl_->pool().trouble();
  return {std::string(name()), "ldap", trouble.empty(), trouble, {}};
}

Result<void> LdapPassdb::check_usable() {
  const auto opened = impl_->open();
  if (!opened) return tl::unexpected(opened.error());
  return {};
}

void LdapPassdb::stop() { impl_->pool().stop(); }

}  // namespace saslatch::passdb
