#include "daemon/passdb/code_book.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "daemon/passdb/code_text.h"
#include "daemon/passdb/codes_db.h"
#include "daemon/passdb/commit_mark.h"
#include "daemon/passdb/mask.h"
#include "daemon/passdb/secret_key.h"
#include "daemon/passdb/users_db.h"
#include "daemon/password/stored_password.h"
#include "daemon/password/verify.h"
#include "protocol/base/crypto/aead.h"
#include "protocol/base/crypto/constant_time.h"
#include "protocol/base/crypto/cram_md5_context.h"

namespace saslatch::passdb {
namespace {

using Time = CodeBook::Time;

constexpr std::string_view kOwner =
    "SELECT id, main_password, EXISTS (SELECT 1 FROM codes WHERE owner = id AND revoked IS NULL "
    "AND (expires IS NULL OR expires > ?2)), EXISTS (SELECT 1 FROM old_passwords WHERE owner = id) "
    "FROM code_owners WHERE name = ?1";
constexpr std::string_view kCode =
    "SELECT hash, serial, label, expires, revoked, services, networks, used FROM codes "
    "WHERE owner = ?1 AND hash = ?2";
// Those that let in first, so that these are found although there were ever more.
constexpr std::string_view kSealed =
    "SELECT hash, serial, label, expires, revoked, services, networks, used, sealed FROM codes "
    "WHERE owner = ?1 AND sealed IS NOT NULL ORDER BY revoked IS NOT NULL, serial DESC LIMIT ?2";
constexpr std::string_view kOld =
    "SELECT kind, data, replaced, serial FROM old_passwords "
    "WHERE owner = ?1 AND replaced > ?2 ORDER BY serial DESC LIMIT ?3";

constexpr size_t kMaxIdle = 64;
// Accounts whose budget of slow checks is remembered.
constexpr size_t kMaxBudgets = 10'000;

struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
};

struct Reader {
  Database database;
  Statement owner;
  Statement code;
  Statement sealed;
  Statement old;
  FileId file;
  bool frozen;
};

FoundCode read_found(const Statement& row, int64_t owner, int64_t now) {
  FoundCode code;
  code.ref = {owner, std::string(row.column(0))};
  code.id = static_cast<uint64_t>(row.column_integer(1));
  code.label = row.column(2);
  code.services = split(row.column(5));
  code.networks = read_networks(row.column(6));
  if (!row.is_null(7)) code.used = from_unix_seconds(row.column_integer(7));
  if (!row.is_null(4)) {
    code.state = CodeState::kRevoked;
    code.since = from_unix_seconds(row.column_integer(4));
  } else if (!row.is_null(3) && row.column_integer(3) <= now) {
    code.state = CodeState::kExpired;
    code.since = from_unix_seconds(row.column_integer(3));
  }
  return code;
}

std::string use_key(const CodeRef& ref) { return std::to_string(ref.owner) + ":" + ref.hash; }

}  // namespace

bool FoundCode::is_for(std::string_view service) const {
  return services.empty() ||
         std::any_of(services.begin(), services.end(), [service](const std::string& name) {
           return std::equal(name.begin(), name.end(), service.begin(), service.end(),
                             [](char a, char b) { return ascii_lower(a) == ascii_lower(b); });
         });
}

bool FoundCode::is_allowed_from(const std::optional<IpAddress>& rip) const {
  if (!networks) return false;
  if (networks->empty()) return true;
  return rip && std::any_of(networks->begin(), networks->end(),
                            [&rip](const Network& network) { return network.contains(*rip); });
}

class CodeBook::Impl {
 public:
  explicit Impl(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  bool refresh();
  [[nodiscard]] bool may_know(std::string_view account);
  [[nodiscard]] bool is_empty() const { return empty_.load(std::memory_order_acquire); }
  [[nodiscard]] bool knows_all();
  CodeFacts find(std::string_view account, const Shown& shown, Time now);
  std::optional<Time> try_slow(std::string_view account, const std::vector<SlowOldPassword>& slow,
                               std::string_view password, Time now);
  void note_use(const FoundCode& code, const std::optional<IpAddress>& rip,
                std::string_view service, Time now);
  bool flush();

 private:
  using ReaderResult = tl::expected<std::unique_ptr<Reader>, std::string>;
  struct Key {
    Secret secret;
    CodeKey codes;
  };
  struct Use {
    CodeRef ref;
    Time at;
    std::string rip;
    std::string service;
  };

  // A reader of the file that the path names now; a null one where there is nothing to read.
  ReaderResult take_reader();
  void give_back(std::unique_ptr<Reader> reader);
  SqlResult<CodeFacts> read(Reader& reader, std::string_view account, const Shown& shown,
                            int64_t now);
  SqlResult<void> read_code(Reader& reader, int64_t owner, std::string_view account, const Key& key,
                            std::string_view password, int64_t now, CodeFacts& facts);
  SqlResult<void> read_sealed(Reader& reader, int64_t owner, std::string_view account,
                              const Key& key, const ShownDigest& shown, int64_t now,
                              CodeFacts& facts);
  SqlResult<void> read_old(Reader& reader, int64_t owner, std::string_view account, const Key* key,
                           const Shown& shown, int64_t now, CodeFacts& facts);
  // The key of this database, or null and why not.
  std::shared_ptr<const Key> key_of(Database& database, std::string& why);
  void learn(const SlowOldPassword& old, std::string_view account, std::string_view password);
  bool take_budget(std::string_view account, Time now);
  void forget_learnt();
  // Of the database that refresh() reads.
  std::optional<CommitMark> mark_of(const Reader& reader);

  const std::string state_dir_;

  std::mutex idle_mutex_;
  std::vector<std::unique_ptr<Reader>> idle_;

  std::mutex key_mutex_;
  std::shared_ptr<const Key> key_;
  FileId key_file_;  // the database that it was found right for

  std::mutex refresh_mutex_;
  FileId known_file_;
  int64_t last_owner_ = 0;
  std::atomic<bool> empty_{true};
  std::shared_mutex known_mutex_;
  std::unordered_set<size_t> known_;  // hashes of names: a false friend costs a look-up

  FileId watched_file_;                // under refresh_mutex_
  std::mutex learnt_mutex_;            // guards these three; nobody waits for anything under it
  std::shared_ptr<Database> watched_;  // keeps what `marks_` reads
  std::optional<CommitMarks> marks_;
  std::optional<CommitMark> learnt_;  // while it is this one, `known_` is whole

  std::mutex uses_mutex_;
  std::unordered_map<std::string, Use> uses_;

  std::mutex slow_mutex_;  // held while a slow check runs
  struct Budget {
    Time since;
    int left = 0;
  };
  std::map<std::string, Budget, std::less<>> budgets_;
};

CodeBook::Impl::ReaderResult CodeBook::Impl::take_reader() {
  struct stat status {};
  const std::string path = users_db_path(state_dir_);
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return nullptr;
    return tl::unexpected("cannot open " + path + ": " + std::generic_category().message(errno));
  }
  // Made, and killed before its first page: has no tables yet.
  if (status.st_size == 0) return nullptr;
  const FileId file{status.st_dev, status.st_ino};
  {
    const std::lock_guard lock(idle_mutex_);
    std::erase_if(idle_, [&file](const auto& reader) { return reader->file != file; });
    if (!idle_.empty()) {
      auto reader = std::move(idle_.back());
      idle_.pop_back();
      return reader;
    }
  }
  auto opened = open_users_db_for_reading(state_dir_);
  if (!opened) return tl::unexpected(opened.error().message);
  if (opened->version < kCodesVersion) return nullptr;
  {
    const std::lock_guard lock(key_mutex_);
    if (key_file_ != file) key_.reset();
    key_file_ = file;
  }
  auto owner = opened->database.prepare(kOwner);
  auto code = opened->database.prepare(kCode);
  auto sealed = opened->database.prepare(kSealed);
  auto old = opened->database.prepare(kOld);
  for (const auto* const statement : {&owner, &code, &sealed, &old}) {
    if (!*statement) return tl::unexpected(store_error(statement->error(), state_dir_).message);
  }
  return std::make_unique<Reader>(Reader{std::move(opened->database), *std::move(owner),
                                         *std::move(code), *std::move(sealed), *std::move(old),
                                         file, opened->frozen});
}

void CodeBook::Impl::give_back(std::unique_ptr<Reader> reader) {
  if (reader->frozen) return;
  const std::lock_guard lock(idle_mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(reader));
}

bool CodeBook::Impl::refresh() {
  const std::lock_guard refreshing(refresh_mutex_);
  forget_learnt();
  auto reader = take_reader();
  if (!reader) return false;
  const FileId file = *reader ? (*reader)->file : FileId{};
  if (file != known_file_) {
    // Another database: all of it is new, and nothing of the old one holds.
    const std::lock_guard lock(known_mutex_);
    known_.clear();
    empty_.store(true, std::memory_order_release);
    known_file_ = file;
    last_owner_ = 0;
  }
  if (!*reader) return true;
  // Before anything is read: what is committed meanwhile is learnt next time.
  const auto mark = mark_of(**reader);
  auto fresh =
      (*reader)->database.prepare("SELECT id, name FROM code_owners WHERE id > ?1 ORDER BY id");
  if (!fresh) return false;
  fresh->integer(1, last_owner_);
  for (;;) {
    const auto row = fresh->step();
    if (!row) return false;
    if (!*row) break;
    const std::lock_guard lock(known_mutex_);
    last_owner_ = fresh->column_integer(0);
    known_.insert(std::hash<std::string_view>()(fresh->column(1)));
    empty_.store(false, std::memory_order_release);
  }
  fresh->reset();
  give_back(*std::move(reader));
  const std::lock_guard lock(learnt_mutex_);
  learnt_ = mark;
  return true;
}

void CodeBook::Impl::forget_learnt() {
  const std::lock_guard lock(learnt_mutex_);
  learnt_.reset();
}

std::optional<CommitMark> CodeBook::Impl::mark_of(const Reader& reader) {
  if (reader.frozen) return std::nullopt;
  if (!watched_ || watched_file_ != reader.file) {
    auto opened = open_users_db_for_reading(state_dir_);
    if (!opened) return std::nullopt;
    auto watched = std::make_shared<Database>(std::move(opened->database));
    const auto marks = CommitMarks::of(*watched);
    const std::lock_guard lock(learnt_mutex_);
    std::swap(watched_, watched);
    watched_file_ = reader.file;
    marks_ = marks;
  }
  return marks_ ? marks_->read() : std::nullopt;
}

bool CodeBook::Impl::knows_all() {
  const std::lock_guard lock(learnt_mutex_);
  return learnt_ && marks_->read() == learnt_;
}

bool CodeBook::Impl::may_know(std::string_view account) {
  if (is_empty()) return false;
  const std::shared_lock lock(known_mutex_);
  return known_.contains(std::hash<std::string_view>()(account));
}

CodeFacts CodeBook::Impl::find(std::string_view account, const Shown& shown, Time now) {
  CodeFacts facts;
  auto reader = take_reader();
  if (reader && !*reader) return facts;
  SqlResult<CodeFacts> read = CodeFacts{};
  std::string trouble;
  if (reader) {
    read = this->read(**reader, account, shown, unix_seconds(now));
    if (read) {
      give_back(*std::move(reader));
      return *std::move(read);
    }
    trouble = store_error(read.error(), state_dir_).message;
  } else {
    trouble = reader.error();
  }
  // Where nothing was ever known of the account, its passdb alone decides: a site that keeps its
  // accounts elsewhere goes on although this database is broken.
  if (may_know(account)) facts.trouble = std::move(trouble);
  return facts;
}

SqlResult<CodeFacts> CodeBook::Impl::read(Reader& reader, std::string_view account,
                                          const Shown& shown, int64_t now) {
  CodeFacts facts;
  reader.owner.text(1, account).integer(2, now);
  const auto row = reader.owner.step();
  if (!row) return tl::unexpected(row.error());
  const bool known = *row;
  int64_t owner = 0;
  bool has_old = false;
  if (known) {
    owner = reader.owner.column_integer(0);
    facts.main_password = reader.owner.column(1);
    facts.has_codes = reader.owner.column_integer(2) != 0;
    has_old = reader.owner.column_integer(3) != 0;
  }
  reader.owner.reset();
  if (!known) return facts;

  const auto* const password = std::get_if<ShownPassword>(&shown);
  std::optional<Secret> code;
  if (password != nullptr) code = normalise_code(password->password);
  std::shared_ptr<const Key> key;
  if (code || password == nullptr || has_old) {
    std::string why;
    key = key_of(reader.database, why);
    if (!key && facts.has_codes && (code || password == nullptr)) facts.trouble = why;
  }
  SqlResult<void> done;
  if (key && code) {
    done = read_code(reader, owner, account, *key, code->reveal(), now, facts);
  } else if (key && password == nullptr) {
    done = read_sealed(reader, owner, account, *key, std::get<ShownDigest>(shown), now, facts);
  }
  if (done && has_old && !facts.found) {
    done = read_old(reader, owner, account, key.get(), shown, now, facts);
  }
  if (!done) return tl::unexpected(done.error());
  return facts;
}

SqlResult<void> CodeBook::Impl::read_code(Reader& reader, int64_t owner, std::string_view account,
                                          const Key& key, std::string_view password, int64_t now,
                                          CodeFacts& facts) {
  const std::string hash = key.codes.hash_code(account, password);
  reader.code.integer(1, owner).blob(2, hash);
  const auto row = reader.code.step();
  if (!row) return tl::unexpected(row.error());
  if (*row) facts.found = read_found(reader.code, owner, now);
  reader.code.reset();
  return {};
}

SqlResult<void> CodeBook::Impl::read_sealed(Reader& reader, int64_t owner, std::string_view account,
                                            const Key& key, const ShownDigest& shown, int64_t now,
                                            CodeFacts& facts) {
  Statement& sealed = reader.sealed;
  sealed.integer(1, owner).integer(2, kMaxCodes + kMaxStaleCodes);
  for (;;) {
    const auto row = sealed.step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const auto contexts =
        open_sealed(key.secret, sealed.column(8), code_seal_place(account, sealed.column(0)));
    if (!contexts) continue;
    for (size_t at = 0; at + CramMd5Context::kSize <= contexts->size();
         at += CramMd5Context::kSize) {
      const auto context =
          CramMd5Context::from_bytes(contexts->reveal().substr(at, CramMd5Context::kSize));
      if (!context || !constant_time_equal(context->hmac(shown.challenge), shown.digest)) continue;
      if (!facts.found) facts.found = read_found(sealed, owner, now);
    }
  }
  sealed.reset();
  return {};
}

SqlResult<void> CodeBook::Impl::read_old(Reader& reader, int64_t owner, std::string_view account,
                                         const Key* key, const Shown& shown, int64_t now,
                                         CodeFacts& facts) {
  const auto* const password = std::get_if<ShownPassword>(&shown);
  const auto* const digest = std::get_if<ShownDigest>(&shown);
  Statement& old = reader.old;
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(kStaleFor).count();
  old.integer(1, owner).integer(2, now - since).integer(3, kMaxOldPasswords);
  for (;;) {
    const auto row = old.step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const std::string_view kind = old.column(0);
    const Time replaced = from_unix_seconds(old.column_integer(2));
    bool same = false;
    if (kind == "learned") {
      same = password != nullptr && key != nullptr &&
             constant_time_equal(old.column(1),
                                 key->codes.hash_old_password(account, password->password));
    } else if (kind == "hash") {
      if (password != nullptr) {
        facts.slow.push_back({owner, old.column_integer(3), Secret(old.column(1)), replaced});
      }
    } else if (key != nullptr) {
      const auto opened = open_sealed(key->secret, old.column(1), seal_place(account));
      const auto stored =
          opened ? password::parse(opened->reveal(), "") : failure("it does not open");
      if (stored) {
        same = password::Check::kMatch ==
               (password != nullptr
                    ? password::verify(*stored, password->password)
                    : password::verify_cram_md5(*stored, digest->challenge, digest->digest));
      }
    }
    if (same && !facts.old_password) facts.old_password = replaced;
  }
  old.reset();
  if (facts.old_password) facts.slow.clear();
  return {};
}

std::shared_ptr<const CodeBook::Impl::Key> CodeBook::Impl::key_of(Database& database,
                                                                  std::string& why) {
  {
    const std::lock_guard lock(key_mutex_);
    if (key_) return key_;
  }
  auto loaded = load_secret_key(state_dir_);
  if (!loaded) {
    why = loaded.error().message;
    return nullptr;
  }
  const auto check = check_key(database, *loaded);
  if (!check || *check != KeyCheck::kRight) {
    why = wrong_key(state_dir_);
    return nullptr;
  }
  CodeKey codes(*loaded);
  auto key = std::make_shared<const Key>(Key{*std::move(loaded), std::move(codes)});
  const std::lock_guard lock(key_mutex_);
  key_ = key;
  return key;
}

std::optional<Time> CodeBook::Impl::try_slow(std::string_view account,
                                             const std::vector<SlowOldPassword>& slow,
                                             std::string_view password, Time now) {
  if (slow.empty()) return std::nullopt;
  const std::unique_lock alone(slow_mutex_, std::try_to_lock);
  if (!alone || !take_budget(account, now)) return std::nullopt;
  for (const SlowOldPassword& old : slow) {
    const auto stored = password::parse(old.stored.reveal(), "");
    if (!stored || password::verify(*stored, password) != password::Check::kMatch) continue;
    learn(old, account, password);
    return old.replaced;
  }
  return std::nullopt;
}

bool CodeBook::Impl::take_budget(std::string_view account, Time now) {
  static constexpr std::chrono::hours kHour{1};
  auto known = budgets_.find(account);
  if (known == budgets_.end()) {
    std::erase_if(budgets_, [now](const auto& entry) { return now - entry.second.since > kHour; });
    if (budgets_.size() >= kMaxBudgets) return false;
    known = budgets_.emplace(account, Budget{now, kSlowPerHour}).first;
  }
  if (now - known->second.since > kHour || now < known->second.since) {
    known->second = {now, kSlowPerHour};
  }
  return known->second.left-- > 0 || (known->second.left = 0, false);
}

// The password is known now, and worth nothing any more: its keyed hash is as good as the slow one.
void CodeBook::Impl::learn(const SlowOldPassword& old, std::string_view account,
                           std::string_view password) {
  std::shared_ptr<const Key> key;
  {
    const std::lock_guard lock(key_mutex_);
    key = key_;
  }
  auto database = open_users_db_for_writing(state_dir_);
  if (!key || !database) return;
  auto update = database->prepare(
      "UPDATE old_passwords SET kind = 'learned', data = ?3 WHERE owner = ?1 AND serial = ?2 AND "
      "kind = 'hash'");
  if (!update) return;
  const std::string hash = key->codes.hash_old_password(account, password);
  (void)update->integer(1, old.owner).integer(2, old.serial).blob(3, hash).run();
}

void CodeBook::Impl::note_use(const FoundCode& code, const std::optional<IpAddress>& rip,
                              std::string_view service, Time now) {
  const std::string from = rip ? rip->to_string() : "";
  const std::lock_guard lock(uses_mutex_);
  if (uses_.size() >= kMostUses) return;
  const bool recent = code.used && now >= *code.used && now - *code.used < kUseEvery;
  if (recent) return;
  Use& use = uses_[use_key(code.ref)];
  use = {code.ref, now, from, std::string(service)};
}

bool CodeBook::Impl::flush() {
  std::unordered_map<std::string, Use> uses;
  {
    const std::lock_guard lock(uses_mutex_);
    if (uses_.empty()) return true;
    uses.swap(uses_);
  }
  const auto write = [&]() -> bool {
    auto database = open_users_db_for_writing(state_dir_);
    if (!database) return false;
    auto update = database->prepare(
        "UPDATE codes SET used = ?3, used_rip = ?4, used_service = ?5 WHERE owner = ?1 AND "
        "hash = ?2");
    if (!update || !database->run("BEGIN IMMEDIATE")) return false;
    for (const auto& [key, use] : uses) {
      update->integer(1, use.ref.owner)
          .blob(2, use.ref.hash)
          .integer(3, unix_seconds(use.at))
          .text(4, use.rip)
          .text(5, use.service);
      if (!update->run()) return false;
    }
    return database->run("COMMIT").has_value();
  };
  if (write()) return true;
  const std::lock_guard lock(uses_mutex_);
  uses_.merge(uses);  // what has come meanwhile is newer
  return false;
}

CodeBook::CodeBook(std::string state_dir) : impl_(std::make_unique<Impl>(std::move(state_dir))) {}
CodeBook::~CodeBook() = default;

bool CodeBook::refresh() { return impl_->refresh(); }
bool CodeBook::may_know(std::string_view account) const { return impl_->may_know(account); }
bool CodeBook::is_empty() const { return impl_->is_empty(); }
bool CodeBook::knows_all() const { return impl_->knows_all(); }
CodeFacts CodeBook::find(std::string_view account, const Shown& shown, Time now) const {
  return impl_->find(account, shown, now);
}
std::optional<Time> CodeBook::try_slow(std::string_view account,
                                       const std::vector<SlowOldPassword>& slow,
                                       std::string_view password, Time now) {
  return impl_->try_slow(account, slow, password, now);
}
void CodeBook::note_use(const FoundCode& code, const std::optional<IpAddress>& rip,
                        std::string_view service, Time now) {
  impl_->note_use(code, rip, service, now);
}
bool CodeBook::flush() { return impl_->flush(); }

}  // namespace saslatch::passdb
