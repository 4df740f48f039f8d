#include "daemon/passdb/sasldb/sasldb.h"

#include <sys/stat.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "daemon/passdb/file_watch.h"
#include "daemon/passdb/log_limit.h"
#include "daemon/passdb/mask.h"
#include "daemon/passdb/sasldb/sasldb_file.h"

namespace saslatch::passdb {
namespace {

using Time = std::chrono::steady_clock::time_point;

// Looks before opening: opening a device can have effects, opening a pipe can wait.
Result<FileIdentity> look_at(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return failure(path + ": " + std::generic_category().message(errno));
  }
  if (!S_ISREG(status.st_mode)) return failure(path + " is no regular file");
  if (static_cast<uint64_t>(status.st_size) > kMaxSasldbBytes) {
    return failure(path + " is longer than " + std::to_string(kMaxSasldbBytes) + " bytes");
  }
  return FileIdentity::of(status);
}

}  // namespace

class SasldbPassdb::Impl {
 public:
  Impl(SasldbOptions options, Log& log, Clock clock)
      : options_(std::move(options)), log_(log), clock_(std::move(clock)) {
    refresh();
  }

  // Reads the file if it changed. One thread does; others go on with what there is.
  void refresh() {
    const std::unique_lock lock(refresh_mutex_, std::try_to_lock);
    if (lock) look(clock_());
  }
  [[nodiscard]] std::shared_ptr<const SasldbTable> table() const {
    const std::lock_guard lock(state_mutex_);
    return table_;
  }
  [[nodiscard]] std::string trouble() const {
    const std::lock_guard lock(state_mutex_);
    return trouble_;
  }
  [[nodiscard]] const SasldbOptions& options() const { return options_; }

 private:
  void look(Time now);
  void set_trouble(std::string text, Time now);

  const SasldbOptions options_;
  Log& log_;
  const Clock clock_;
  LogLimit limit_;

  // A state of the file that could not be read.
  struct Refused {
    FileIdentity identity;
    Time at;
    std::string why;
  };

  std::mutex refresh_mutex_;  // guards these three
  std::optional<FileIdentity> loaded_;
  std::optional<Refused> refused_;
  std::optional<Time> empty_since_;

  mutable std::mutex state_mutex_;  // guards these two; held for a copy only
  std::shared_ptr<const SasldbTable> table_;
  std::string trouble_ = "the file was not read yet";
};

void SasldbPassdb::Impl::look(Time now) {
  const auto identity = look_at(options_.path);
  if (!identity) return set_trouble(identity.error().message, now);
  if (loaded_ == *identity) return set_trouble({}, now);
  if (refused_ && refused_->identity == *identity && now - refused_->at < kReadAgain) {
    return set_trouble(refused_->why, now);
  }
  auto read = read_sasldb(options_.path, options_.lowercase);
  if (!read) {
    refused_ = {*identity, now, read.error().message};
    return set_trouble(read.error().message, now);
  }
  refused_.reset();
  const auto after = look_at(options_.path);
  if (!after || *after != *identity) return;  // the next look-up sees what it has become
  if (!read->passwords.empty()) {
    empty_since_.reset();
  } else if (const auto last = table(); last && !last->passwords.empty()) {
    if (!empty_since_) empty_since_ = now;
    if (now - *empty_since_ < kEmptyDoubted) {
      return set_trouble(options_.path +
                             " has no account any more; it is taken as it is when it stays so "
                             "for 10 s",
                         now);
    }
  }
  if (read->twice > 0) {
    log_.warning("sasldb-names",
                 "names of a sasldb differ in the case of letters only; the first that is read "
                 "counts",
                 {{"path", options_.path}, {"count", std::to_string(read->twice)}});
  }
  auto made = std::make_shared<const SasldbTable>(*std::move(read));
  log_.info("sasldb-loaded", "a sasldb is in force",
            {{"passdb", options_.name},
             {"path", options_.path},
             {"accounts", std::to_string(made->passwords.size())}});
  loaded_ = *identity;
  {
    const std::lock_guard lock(state_mutex_);
    std::swap(table_, made);
  }
  set_trouble({}, now);
}

void SasldbPassdb::Impl::set_trouble(std::string text, Time now) {
  bool has_table = false;
  {
    const std::lock_guard lock(state_mutex_);
    trouble_ = text;
    has_table = table_ != nullptr;
  }
  if (text.empty() || !limit_.admits("unreadable", now)) return;
  log_.warning("sasldb-unreadable",
               has_table ? "a sasldb cannot be taken; its last good contents stay in force"
                         : "a sasldb cannot be taken; logins get a temporary answer",
               {{"passdb", options_.name}, {"cause", std::move(text)}});
}

SasldbPassdb::SasldbPassdb(SasldbOptions options, Log& log, Clock clock)
    : impl_(std::make_unique<Impl>(std::move(options), log, std::move(clock))) {}

SasldbPassdb::~SasldbPassdb() = default;

std::string_view SasldbPassdb::name() const { return impl_->options().name; }

void SasldbPassdb::find(std::string username, std::function<void(Lookup)> done) {
  impl_->refresh();
  const auto table = impl_->table();
  if (!table) return done(Unavailable{impl_->trouble()});
  if (username.find('@') == std::string::npos) username += "@" + impl_->options().realm;
  const auto found = table->passwords.find(username);
  if (found == table->passwords.end()) return done(UnknownUser{});
  Account account;
  account.name = std::move(username);
  std::string stored;
  stored.reserve(found->second.size() + 8);
  stored.append("{PLAIN}").append(found->second.reveal());
  account.credentials.push_back(Secret::take(stored));
  done(std::move(account));
}

bool SasldbPassdb::list(std::string_view mask,
                        const std::function<bool(std::string_view name)>& each) {
  impl_->refresh();
  const auto table = impl_->table();
  if (!table) return false;
  for (const auto& [name, password] : table->passwords) {
    if (matches_mask(mask, name) && !each(name)) break;
  }
  return true;
}

TypicalCredential SasldbPassdb::typical_credential() const {
  const auto table = impl_->table();
  return {"{PLAIN}", table ? table->passwords.size() : 0};
}

PassdbStatus SasldbPassdb::status() const {
  const auto table = impl_->table();
  PassdbStatus status{std::string(name()), "sasldb", table != nullptr, impl_->trouble(), {}};
  if (table) status.accounts = table->passwords.size();
  return status;
}

}  // namespace saslatch::passdb
