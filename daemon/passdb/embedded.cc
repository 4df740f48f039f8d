#include "daemon/passdb/embedded.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/passdb/account_memory.h"
#include "daemon/passdb/commit_mark.h"
#include "daemon/passdb/mask.h"
#include "daemon/passdb/secret_key.h"
#include "daemon/passdb/typical.h"
#include "daemon/passdb/users_db.h"
#include "protocol/base/crypto/aead.h"

namespace saslatch::passdb {
namespace {

constexpr std::string_view kFind =
    "SELECT a.enabled, c.kind, c.data FROM accounts a LEFT JOIN credentials c ON c.account = a.id "
    "WHERE a.name = ?1 ORDER BY c.serial LIMIT ?2";
constexpr std::string_view kListPage =
    "SELECT name FROM accounts WHERE name > ?1 ORDER BY name LIMIT 1000";
constexpr std::string_view kNewest =
    "SELECT data FROM credentials WHERE kind = 'hash' ORDER BY account DESC LIMIT ?1";
// Another value for this connection than before: another one has committed something.
constexpr std::string_view kVersion = "PRAGMA data_version";
constexpr std::string_view kNewestChange = "SELECT max(serial) FROM account_changes";

// How soon accounts that could not be followed any more are read into memory again, and those that
// could not be read or did not fit.
constexpr std::chrono::seconds kReadAgain{10};
constexpr std::chrono::minutes kTryAgain{10};

// More idle connections than lookups run at the same time on any machine.
constexpr size_t kMaxIdle = 64;

// Which file a path names, whatever is in it.
struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
};

// What a connection asks to know how far memory must have come.
struct Watch {
  Statement version;
  Statement newest;
  int64_t seen_version = -1;
  int64_t seen_newest = 0;
};

// An account as memory has it, its sealed credentials still closed.
struct Recalled {
  struct Stored {
    bool is_sealed;
    Secret data;
  };
  bool is_known = false;
  Account account;
  std::vector<Stored> stored;

  void take(std::string_view record) {
    is_known = !record.empty();
    if (!is_known) return;
    account.disabled = !AccountRecord::is_enabled(record);
    AccountRecord::for_each(record, [this](bool sealed, std::string_view data) {
      stored.push_back({sealed, Secret(data)});
    });
  }
};

// One reader with its statements prepared.
struct Reader {
  Database database;
  Statement find;
  std::optional<Watch> watch;  // absent where the database tells no changes
  FileId file;
  bool frozen;
  std::shared_ptr<AccountMemory> memory;  // of this file
};

}  // namespace

class EmbeddedPassdb::Impl {
 public:
  Impl(std::string name, std::string state_dir, Random& random)
      : name_(std::move(name)), state_dir_(std::move(state_dir)), random_(random) {}

  Result<void> prepare();
  [[nodiscard]] Result<void> check_usable() const;
  [[nodiscard]] Lookup find(const std::string& username);
  [[nodiscard]] std::optional<Lookup> recall_now(std::string_view username, Time now);
  void refresh(Time now);
  bool list(std::string_view mask, const std::function<bool(std::string_view)>& each);
  [[nodiscard]] TypicalCredential typical_credential();
  [[nodiscard]] PassdbStatus status();
  [[nodiscard]] std::string_view name() const { return name_; }

 private:
  using ReaderResult = tl::expected<std::unique_ptr<Reader>, std::string>;

  // A reader of the file that the path names now.
  ReaderResult take_reader();
  // Back for the next lookup; one that failed is not given back.
  void give_back(std::unique_ptr<Reader> reader);
  ReaderResult open_reader(const FileId& file);
  // The database's newest change; nullopt: it cannot be asked, or tells none.
  static std::optional<int64_t> newest_of(Reader& reader);
  // The mark of recall_now(), where it is of this file.
  std::optional<CommitMark> mark_of(const FileId& file);
  // Memory has all changes up to `newest`, which the database said after `mark` was read; nullopt:
  // it has not, or nobody knows.
  void note(const FileId& file, const std::optional<CommitMark>& mark,
            std::optional<int64_t> newest);
  void load(Time now);
  void trust(Time now);
  // What memory says; nullopt: it does not know enough, or the database cannot be asked.
  std::optional<Lookup> recall(Reader& reader, const std::string& username);
  SqlResult<Lookup> read_account(Reader& reader, const std::string& username);
  // Adds what a sealed credential holds to the account, or why it cannot be had.
  void add_sealed(Reader& reader, std::string_view sealed, Account& account);
  std::optional<Secret> open_with_known_key(std::string_view sealed, std::string_view account);
  std::shared_ptr<const Secret> load_key(std::string& why);
  SqlResult<TypicalCredential> sample(Reader& reader);

  const std::string name_;
  const std::string state_dir_;
  const std::string path_ = users_db_path(state_dir_);
  Random& random_;

  std::mutex idle_mutex_;  // guards these three
  std::vector<std::unique_ptr<Reader>> idle_;
  FileId memory_file_;
  std::shared_ptr<AccountMemory> memory_;

  // Of refresh(). The connection that has filled memory stays open, so that no other file gets the
  // number of this one.
  std::shared_ptr<Reader> loader_;
  Time next_load_{};

  // Whether memory is what the database says at present.
  struct Present {
    std::shared_ptr<Reader> loader;    // keeps what `marks` reads
    std::optional<CommitMarks> marks;  // absent: the database has none
    std::shared_ptr<AccountMemory> memory;
    std::optional<CommitMark> mark;  // while it is this one, memory …
    int64_t newest = 0;  // … with all changes up to this one is what the database says
    bool is_known = false;
    Time trusted_until{};
  };
  std::mutex present_mutex_;  // guards `present_`; nobody waits for anything under it
  Present present_;

  std::mutex key_mutex_;
  std::shared_ptr<const Secret> key_;

  std::mutex typical_mutex_;  // guards these three
  std::unique_ptr<Reader> typical_reader_;
  int64_t typical_version_ = -1;  // of the database as typical_reader_ counts it
  TypicalCredential typical_;
};

Result<void> EmbeddedPassdb::Impl::prepare() {
  auto database = open_users_db_for_writing(state_dir_);
  if (!database) {
    // Where it cannot be written it may still be read.
    auto readable = open_users_db_for_reading(state_dir_);
    if (!readable) return failure(database.error().message);
    database = std::move(readable->database);
  }
  if (auto key = key_for(*database, state_dir_, random_); !key) {
    return failure(key.error().message);
  }
  return {};
}

Result<void> EmbeddedPassdb::Impl::check_usable() const {
  auto opened = open_users_db_for_reading(state_dir_);
  if (!opened) return failure(opened.error().message);
  const auto sealed = has_sealed(opened->database);
  if (!sealed) return failure(store_error(sealed.error(), state_dir_).message);
  if (!*sealed) return {};
  const auto key = load_secret_key(state_dir_);
  if (!key) return failure(key.error().message);
  const auto check = check_key(opened->database, *key);
  if (!check) return failure(store_error(check.error(), state_dir_).message);
  if (*check != KeyCheck::kRight) return failure(wrong_key(state_dir_));
  return {};
}

EmbeddedPassdb::Impl::ReaderResult EmbeddedPassdb::Impl::take_reader() {
  struct stat status {};
  if (stat(path_.c_str(), &status) != 0) {
    return tl::unexpected("cannot open " + path_ + ": " + std::generic_category().message(errno));
  }
  const FileId file{status.st_dev, status.st_ino};
  {
    const std::lock_guard lock(idle_mutex_);
    // The file was replaced: what is open is another one's.
    std::erase_if(idle_, [&file](const auto& reader) { return reader->file != file; });
    if (!idle_.empty()) {
      auto reader = std::move(idle_.back());
      idle_.pop_back();
      return reader;
    }
  }
  return open_reader(file);
}

EmbeddedPassdb::Impl::ReaderResult EmbeddedPassdb::Impl::open_reader(const FileId& file) {
  auto opened = open_users_db_for_reading(state_dir_);
  if (!opened) return tl::unexpected(opened.error().message);
  auto find = opened->database.prepare(kFind);
  if (!find) return tl::unexpected(store_error(find.error(), state_dir_).message);
  std::optional<Watch> watch;
  if (opened->version >= kChangesVersion && !opened->frozen) {
    auto version = opened->database.prepare(kVersion);
    auto newest = opened->database.prepare(kNewestChange);
    if (version && newest) watch.emplace(Watch{*std::move(version), *std::move(newest)});
  }
  const std::lock_guard lock(idle_mutex_);
  if (!memory_ || memory_file_ != file) {
    memory_ = std::make_shared<AccountMemory>();
    memory_file_ = file;
  }
  return std::make_unique<Reader>(Reader{std::move(opened->database), *std::move(find),
                                         std::move(watch), file, opened->frozen, memory_});
}

void EmbeddedPassdb::Impl::give_back(std::unique_ptr<Reader> reader) {
  if (reader->frozen) return;
  const std::lock_guard lock(idle_mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(reader));
}

Lookup EmbeddedPassdb::Impl::find(const std::string& username) {
  auto reader = take_reader();
  if (!reader) return Unavailable{reader.error()};
  const auto mark = mark_of((*reader)->file);
  auto known = recall(**reader, username);
  note((*reader)->file, mark, known ? std::optional((*reader)->watch->seen_newest) : std::nullopt);
  if (known) {
    give_back(*std::move(reader));
    return *std::move(known);
  }
  auto found = read_account(**reader, username);
  if (!found) return Unavailable{store_error(found.error(), state_dir_).message};
  give_back(*std::move(reader));
  return *std::move(found);
}

std::optional<int64_t> EmbeddedPassdb::Impl::newest_of(Reader& reader) {
  if (!reader.watch) return std::nullopt;
  Watch& watch = *reader.watch;
  const auto number_of = [](Statement& statement) -> std::optional<int64_t> {
    const auto row = statement.step();
    if (!row || !*row) return std::nullopt;
    const int64_t number = statement.column_integer(0);
    statement.reset();
    return number;
  };
  // In this order: what is committed in between is seen twice, and never missed.
  const auto version = number_of(watch.version);
  if (!version) return std::nullopt;
  if (*version != watch.seen_version) {
    const auto newest = number_of(watch.newest);
    if (!newest) return std::nullopt;
    watch.seen_newest = *newest;
    watch.seen_version = *version;
  }
  return watch.seen_newest;
}

std::optional<Lookup> EmbeddedPassdb::Impl::recall(Reader& reader, const std::string& username) {
  const auto newest = newest_of(reader);
  if (!newest) return std::nullopt;
  Recalled known;
  const auto take = [&known](std::string_view record) { known.take(record); };
  AccountMemory& memory = *reader.memory;
  if (!memory.find(*newest, username, take) &&
      !(memory.catch_up(reader.database) && memory.find(*newest, username, take))) {
    return std::nullopt;
  }
  if (!known.is_known) return UnknownUser{};
  known.account.name = username;
  known.account.credentials.reserve(known.stored.size());
  for (Recalled::Stored& one : known.stored) {
    if (one.is_sealed) {
      add_sealed(reader, one.data.reveal(), known.account);
    } else {
      known.account.credentials.push_back(std::move(one.data));
    }
  }
  return std::move(known.account);
}

std::optional<Lookup> EmbeddedPassdb::Impl::recall_now(std::string_view username, Time now) {
  std::shared_ptr<AccountMemory> memory;
  int64_t newest = 0;
  {
    const std::lock_guard lock(present_mutex_);
    if (!present_.is_known || now >= present_.trusted_until) return std::nullopt;
    if (present_.marks->read() != present_.mark) return std::nullopt;
    memory = present_.memory;
    newest = present_.newest;
  }
  Recalled known;
  const auto take = [&known](std::string_view record) { known.take(record); };
  if (!memory->find_now(newest, username, take)) return std::nullopt;
  if (!known.is_known) return UnknownUser{};
  known.account.name = username;
  known.account.credentials.reserve(known.stored.size());
  for (Recalled::Stored& one : known.stored) {
    if (one.is_sealed) {
      // What does not open is looked into on a thread that may read files.
      auto opened = open_with_known_key(one.data.reveal(), known.account.name);
      if (!opened) return std::nullopt;
      known.account.credentials.push_back(*std::move(opened));
    } else {
      known.account.credentials.push_back(std::move(one.data));
    }
  }
  return std::move(known.account);
}

std::optional<CommitMark> EmbeddedPassdb::Impl::mark_of(const FileId& file) {
  const std::lock_guard lock(present_mutex_);
  if (!present_.marks || present_.loader->file != file) return std::nullopt;
  return present_.marks->read();
}

void EmbeddedPassdb::Impl::note(const FileId& file, const std::optional<CommitMark>& mark,
                                std::optional<int64_t> newest) {
  const std::lock_guard lock(present_mutex_);
  if (!present_.marks || present_.loader->file != file) return;
  present_.is_known = mark && newest;
  present_.mark = mark;
  present_.newest = newest.value_or(0);
}

void EmbeddedPassdb::Impl::refresh(Time now) {
  auto reader = take_reader();
  if (!reader) {
    const std::lock_guard lock(present_mutex_);
    present_.is_known = false;
    return;
  }
  const bool is_new = !loader_ || loader_->file != (*reader)->file;
  const bool is_wanted = (*reader)->watch && (*reader)->memory->wants_load();
  if (is_new || (is_wanted && now >= next_load_)) {
    loader_ = *std::move(reader);
    if (is_wanted) load(now);
  } else {
    give_back(*std::move(reader));
  }
  trust(now);
}

void EmbeddedPassdb::Impl::load(Time now) {
  bool is_loaded = false;
  try {
    is_loaded = loader_->memory->load(loader_->database);
  } catch (const std::bad_alloc&) {
    // The disk has them, and the daemon what is left of the memory.
  }
  next_load_ = now + (is_loaded ? Time::duration(kReadAgain) : Time::duration(kTryAgain));
}

// Looks whether the database can be asked, and lets recall_now() answer as far as memory has come.
void EmbeddedPassdb::Impl::trust(Time now) {
  Present next{loader_, std::nullopt, loader_->memory, std::nullopt, 0, false, now + kTrusted};
  if (loader_->watch) next.marks = CommitMarks::of(loader_->database);
  // Before the database is asked: what is committed in between is asked for again.
  if (next.marks) next.mark = next.marks->read();
  const auto newest = next.mark ? newest_of(*loader_) : std::nullopt;
  if (newest) {
    AccountMemory& memory = *next.memory;
    next.newest = *newest;
    next.is_known =
        memory.is_upto(*newest) ||
        (!memory.wants_load() && memory.catch_up(loader_->database) && memory.is_upto(*newest));
  }
  if (next.mark && !newest) loader_.reset();  // the next one opens the file anew
  const std::lock_guard lock(present_mutex_);
  std::swap(present_, next);
}

SqlResult<Lookup> EmbeddedPassdb::Impl::read_account(Reader& reader, const std::string& username) {
  Statement& find = reader.find;
  find.text(1, username).integer(2, kMaxCredentials);
  Account account;
  account.name = username;
  bool known = false;
  for (;;) {
    const auto row = find.step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    known = true;
    account.disabled = find.column_integer(0) == 0;
    if (find.is_null(1)) continue;  // an account without credentials
    if (find.column(1) == "sealed") {
      add_sealed(reader, find.column(2), account);
    } else {
      account.credentials.emplace_back(find.column(2));
    }
  }
  find.reset();
  if (!known) return UnknownUser{};
  return account;
}

void EmbeddedPassdb::Impl::add_sealed(Reader& reader, std::string_view sealed, Account& account) {
  std::shared_ptr<const Secret> key;
  std::optional<Secret> opened = open_with_known_key(sealed, account.name);
  if (!opened) {
    // Perhaps the key file came, or was restored, after we read it.
    key = load_key(account.withheld);
    if (!key) return;
    opened = open_sealed(*key, sealed, seal_place(account.name));
  }
  if (opened) {
    account.credentials.push_back(*std::move(opened));
    return;
  }
  const auto check = check_key(reader.database, *key);
  if (check && *check == KeyCheck::kRight) {
    account.damaged = "a sealed credential does not open; set the password again";
  } else {
    account.withheld = wrong_key(state_dir_);
  }
}

std::optional<Secret> EmbeddedPassdb::Impl::open_with_known_key(std::string_view sealed,
                                                                std::string_view account) {
  std::shared_ptr<const Secret> key;
  {
    const std::lock_guard lock(key_mutex_);
    key = key_;
  }
  if (!key) return std::nullopt;
  return open_sealed(*key, sealed, seal_place(account));
}

std::shared_ptr<const Secret> EmbeddedPassdb::Impl::load_key(std::string& why) {
  auto loaded = load_secret_key(state_dir_);
  if (!loaded) {
    why = loaded.error().message;
    return nullptr;
  }
  const std::lock_guard lock(key_mutex_);
  key_ = std::make_shared<const Secret>(*std::move(loaded));
  return key_;
}

bool EmbeddedPassdb::Impl::list(std::string_view mask,
                                const std::function<bool(std::string_view)>& each) {
  auto reader = take_reader();
  if (!reader) return false;
  auto page = (*reader)->database.prepare(kListPage);
  if (!page) return false;
  // Page by page, so that a slow reader of the list holds no old state of the database.
  std::string last;
  for (bool more = true; more;) {
    std::vector<std::string> names;
    page->text(1, last);
    for (;;) {
      const auto row = page->step();
      if (!row) return false;
      if (!*row) break;
      names.emplace_back(page->column(0));
    }
    page->reset();
    more = !names.empty();
    for (const std::string& name : names) {
      if (matches_mask(mask, name) && !each(name)) return true;
    }
    if (more) last = names.back();
  }
  give_back(*std::move(reader));
  return true;
}

SqlResult<TypicalCredential> EmbeddedPassdb::Impl::sample(Reader& reader) {
  const auto accounts = reader.database.query_integer("SELECT max(id) FROM accounts");
  if (!accounts) return tl::unexpected(accounts.error());
  auto newest = reader.database.prepare(kNewest);
  if (!newest) return tl::unexpected(newest.error());
  newest->integer(1, static_cast<int64_t>(TypicalTally::kSample));
  TypicalTally tally;
  for (;;) {
    const auto row = newest->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return tally.result(static_cast<uint64_t>(*accounts));
    tally.add(newest->column(0), "", random_);
  }
}

TypicalCredential EmbeddedPassdb::Impl::typical_credential() {
  const std::lock_guard lock(typical_mutex_);
  auto current = take_reader();
  if (!current) return typical_;
  if (!typical_reader_ || typical_reader_->file != (*current)->file) {
    typical_reader_ = *std::move(current);
    typical_version_ = -1;
  } else {
    give_back(*std::move(current));
  }
  const auto version = typical_reader_->database.query_integer("PRAGMA data_version");
  if (version && *version == typical_version_) return typical_;
  auto sampled = sample(*typical_reader_);
  if (version && sampled) {
    typical_ = *std::move(sampled);
    typical_version_ = *version;
  } else {
    typical_reader_.reset();  // the next one opens the file anew
  }
  return typical_;
}

PassdbStatus EmbeddedPassdb::Impl::status() {
  PassdbStatus status{name_, "embedded", false, {}, {}};
  auto reader = take_reader();
  if (!reader) {
    status.reason = reader.error();
    return status;
  }
  status.available = true;
  give_back(*std::move(reader));
  if (auto key = load_secret_key(state_dir_); !key) status.reason = key.error().message;
  return status;
}

EmbeddedPassdb::EmbeddedPassdb(std::string name, std::string state_dir, Random& random)
    : impl_(std::make_unique<Impl>(std::move(name), std::move(state_dir), random)) {}

EmbeddedPassdb::~EmbeddedPassdb() = default;

Result<void> EmbeddedPassdb::prepare() { return impl_->prepare(); }

void EmbeddedPassdb::refresh(Time now) { impl_->refresh(now); }

std::optional<Lookup> EmbeddedPassdb::recall(std::string_view username, Time now) {
  return impl_->recall_now(username, now);
}

Result<void> EmbeddedPassdb::check_usable() { return impl_->check_usable(); }

std::string_view EmbeddedPassdb::name() const { return impl_->name(); }

void EmbeddedPassdb::find(std::string username, std::function<void(Lookup)> done) {
  done(impl_->find(username));
}

bool EmbeddedPassdb::list(std::string_view mask,
                          const std::function<bool(std::string_view name)>& each) {
  return impl_->list(mask, each);
}

TypicalCredential EmbeddedPassdb::typical_credential() const { return impl_->typical_credential(); }

PassdbStatus EmbeddedPassdb::status() const { return impl_->status(); }

}  // namespace saslatch::passdb
