#include "daemon/passdb/passwd_file.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "daemon/passdb/descriptor.h"
#include "daemon/passdb/file_watch.h"
#include "daemon/passdb/log_limit.h"
#include "daemon/passdb/passwd_table.h"

namespace saslatch::passdb {
namespace {

using Time = PasswdFilePassdb::Time;

int open_to_read(const std::string& path) {
  return open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

std::string system_text(int error) { return std::generic_category().message(error); }

// Looks before opening: opening a device can have effects, opening a pipe can wait.
Result<FileIdentity> look_at(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return failure("cannot look at " + path + ": " + system_text(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return failure(path + " is no regular file; a passwd-file must be one");
  }
  if (static_cast<uint64_t>(status.st_size) > kMaxPasswdFileBytes) {
    return failure(path + " is longer than " + std::to_string(kMaxPasswdFileBytes) + " bytes");
  }
  return FileIdentity::of(status);
}

// How a file ends tells whether its writer got to the end.
enum class Ending { kWhole, kEmpty, kCut };

Result<Ending> ending_of(int fd, int64_t size) {
  if (size == 0) return Ending::kEmpty;
  char last = 0;
  if (pread(fd, &last, 1, size - 1) != 1) return failure("it shrank while being read");
  return last == '\n' ? Ending::kWhole : Ending::kCut;
}

Result<std::string> read_all(int fd, int64_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = read(fd, bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      wipe(bytes);
      return failure(got < 0 ? system_text(errno) : "it shrank while being read");
    }
    have += static_cast<size_t>(got);
  }
  return bytes;
}

// What getgrnam_r(3) may need for all members of a group; a group of 30,000 is still found.
constexpr size_t kMaxSystemEntry = size_t{1024} * 1024;

// getpwnam_r(3) and getgrnam_r(3): may ask the network, so only while loading.
std::optional<uint32_t> system_id(std::string_view name, bool group) {
  const std::string owned(name);
  int failed = ERANGE;
  for (size_t size = 16384; failed == ERANGE && size <= kMaxSystemEntry; size *= 4) {
    std::string buffer(size, '\0');
    if (group) {
      struct group entry {};
      struct group* found = nullptr;
      failed = getgrnam_r(owned.c_str(), &entry, buffer.data(), buffer.size(), &found);
      if (found != nullptr) return found->gr_gid;
    } else {
      struct passwd entry {};
      struct passwd* found = nullptr;
      failed = getpwnam_r(owned.c_str(), &entry, buffer.data(), buffer.size(), &found);
      if (found != nullptr) return found->pw_uid;
    }
  }
  return std::nullopt;
}

}  // namespace

class PasswdFilePassdb::Impl {
 public:
  Impl(PasswdFileOptions options, Log& log, Random& random)
      : options_(std::move(options)), log_(log), random_(random) {}

  void refresh(Time now);
  [[nodiscard]] std::shared_ptr<const PasswdTable> table() const {
    const std::lock_guard lock(state_mutex_);
    return table_;
  }
  // Why lookups are Unavailable, or what is wrong although they are not.
  [[nodiscard]] std::string trouble() const {
    const std::lock_guard lock(state_mutex_);
    return trouble_;
  }
  [[nodiscard]] const PasswdFileOptions& options() const { return options_; }

 private:
  // A state of the file that is not in force.
  struct Candidate {
    FileIdentity identity;
    Time since;  // when it was first seen
    bool without_accounts = false;
  };

  void look(Time now);
  // Why the candidate may be half-written; empty if nothing speaks for it.
  [[nodiscard]] std::string reason_to_wait(Ending ending);
  void load(Time now);
  void put_in_force(std::shared_ptr<const PasswdTable> table);
  void set_trouble(std::string_view name, std::string text, Time now);
  void tell(const PasswdReport& report);

  const PasswdFileOptions options_;
  Log& log_;
  Random& random_;
  LogLimit limit_;

  std::mutex refresh_mutex_;  // guards these four
  std::optional<FileIdentity> loaded_;
  std::optional<Candidate> candidate_;
  WriterWatch writer_;
  // Tables that a lookup may still read; freed here, since that can take milliseconds.
  std::vector<std::shared_ptr<const PasswdTable>> retired_;

  mutable std::mutex state_mutex_;  // guards these two; held for a copy only
  std::shared_ptr<const PasswdTable> table_;
  std::string trouble_ = "the file was not read yet";
};

void PasswdFilePassdb::Impl::refresh(Time now) {
  const std::unique_lock lock(refresh_mutex_, std::try_to_lock);
  if (!lock) return;
  std::erase_if(retired_, [](const auto& table) { return table.use_count() == 1; });
  look(now);
}

void PasswdFilePassdb::Impl::look(Time now) {
  const auto identity = look_at(options_.path);
  if (!identity) {
    candidate_.reset();
    return set_trouble("passwd-file-unreadable", identity.error().message, now);
  }
  writer_.watch(options_.path);
  if (loaded_ == *identity) {
    candidate_.reset();
    return set_trouble({}, {}, now);
  }
  if (!candidate_ || candidate_->identity != *identity) candidate_ = {*identity, now};
  load(now);
}

std::string PasswdFilePassdb::Impl::reason_to_wait(Ending ending) {
  if (writer_.is_being_written()) return "its writer has not closed it yet";
  if (ending == Ending::kEmpty) return "it is empty";
  if (ending == Ending::kCut) return "its last line has no newline";
  if (candidate_->without_accounts) return "it has no account";
  return {};
}

void PasswdFilePassdb::Impl::load(Time now) {
  const auto age = now - candidate_->since;
  if (loaded_ && age < kSettle) return;
  const auto unreadable = [&](const std::string& why) {
    set_trouble("passwd-file-unreadable", "cannot read " + options_.path + ": " + why, now);
  };
  const auto half_written = [&](const std::string& why) {
    set_trouble("passwd-file-half-written",
                options_.path + " looks half-written: " + why +
                    "; it is taken as it is when it stays so for 10 s",
                now);
  };
  const Descriptor file(open_to_read(options_.path));
  if (file.get() < 0) return unreadable(system_text(errno));
  const auto is_still_it = [&] {
    struct stat status {};
    return fstat(file.get(), &status) == 0 && FileIdentity::of(status) == candidate_->identity;
  };
  if (!is_still_it()) return;  // the next look sees what it has become
  const int64_t size = candidate_->identity.size;
  const auto ending = ending_of(file.get(), size);
  if (!ending) return unreadable(ending.error().message);
  if (age < kHalfWritten) {
    if (const std::string why = reason_to_wait(*ending); !why.empty()) return half_written(why);
  }
  auto bytes = read_all(file.get(), size);
  if (!bytes) return unreadable(bytes.error().message);
  if (!is_still_it()) return wipe(*bytes);

  PasswdReport report;
  auto table = std::make_shared<const PasswdTable>(
      *std::move(bytes), PasswdFormat{options_.default_scheme, options_.lowercase}, system_id,
      random_, report);
  if (table->size() == 0 && age < kHalfWritten) {
    candidate_->without_accounts = true;
    return half_written("it has no account");
  }
  loaded_ = candidate_->identity;
  candidate_.reset();
  put_in_force(std::move(table));
  set_trouble({}, {}, now);
  tell(report);
}

void PasswdFilePassdb::Impl::put_in_force(std::shared_ptr<const PasswdTable> table) {
  const std::lock_guard lock(state_mutex_);
  if (table_) retired_.push_back(std::move(table_));
  table_ = std::move(table);
}

void PasswdFilePassdb::Impl::set_trouble(std::string_view name, std::string text, Time now) {
  bool has_table = false;
  {
    const std::lock_guard lock(state_mutex_);
    trouble_ = text;
    has_table = table_ != nullptr;
  }
  if (text.empty() || !limit_.admits(name, now)) return;
  log_.warning(name,
               has_table ? "a passwd-file cannot be taken; its last good contents stay in force"
                         : "a passwd-file cannot be taken; logins get a temporary answer",
               {{"passdb", options_.name}, {"path", options_.path}, {"cause", std::move(text)}});
}

void PasswdFilePassdb::Impl::tell(const PasswdReport& report) {
  for (const auto& problem : report.first) {
    log_.warning(
        "passwd-file-line", "a line of a passwd-file is not as it should be",
        {{"path", options_.path}, {"line", std::to_string(problem.line)}, {"cause", problem.text}});
  }
  for (const auto& [field, count] : report.ignored) {
    log_.warning("passwd-file-field", "an extra field of a passwd-file is not obeyed here",
                 {{"path", options_.path}, {"field", field}, {"count", std::to_string(count)}});
  }
  log_.info("passwd-file-loaded", "a passwd-file is in force",
            {{"passdb", options_.name},
             {"path", options_.path},
             {"accounts", std::to_string(report.accounts)},
             {"lines", std::to_string(report.lines)},
             {"problems", std::to_string(report.problems)}});
}

PasswdFilePassdb::PasswdFilePassdb(PasswdFileOptions options, Log& log, Random& random)
    : impl_(std::make_unique<Impl>(std::move(options), log, random)) {}

PasswdFilePassdb::~PasswdFilePassdb() = default;

void PasswdFilePassdb::refresh(Time now) { impl_->refresh(now); }

Result<void> PasswdFilePassdb::check_usable() {
  const std::string& path = impl_->options().path;
  if (const auto identity = look_at(path); !identity) return tl::unexpected(identity.error());
  const Descriptor file(open_to_read(path));
  if (file.get() < 0) return failure("cannot read " + path + ": " + system_text(errno));
  return {};
}

std::string_view PasswdFilePassdb::name() const { return impl_->options().name; }

void PasswdFilePassdb::find(std::string username, std::function<void(Lookup)> done) {
  const auto table = impl_->table();
  done(table ? table->find(username) : Lookup(Unavailable{impl_->trouble()}));
}

bool PasswdFilePassdb::list(std::string_view mask,
                            const std::function<bool(std::string_view name)>& each) {
  const auto table = impl_->table();
  if (!table) return false;
  table->list(mask, each);
  return true;
}

TypicalCredential PasswdFilePassdb::typical_credential() const {
  const auto table = impl_->table();
  return table ? table->typical_credential() : TypicalCredential{};
}

PassdbStatus PasswdFilePassdb::status() const {
  const auto table = impl_->table();
  PassdbStatus status{std::string(name()), "passwd-file", table != nullptr, impl_->trouble(), {}};
  if (table) status.accounts = table->size();
  return status;
}

}  // namespace saslatch::passdb
