#include "daemon/passdb/user_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/passdb/codes_db.h"
#include "daemon/passdb/mask.h"
#include "daemon/passdb/passwd_entry.h"
#include "daemon/passdb/user_import.h"
#include "daemon/passdb/users_db.h"
#include "daemon/password/create.h"
#include "protocol/base/crypto/aead.h"

namespace saslatch::passdb {
namespace {

using Kind = StoreError::Kind;
using Time = UserStore::Time;

constexpr std::string_view kCramMd5 = "CRAM-MD5";

bool equal_scheme(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

tl::unexpected<StoreError> no_such_account(std::string_view name) {
  return store_failure(Kind::kNoSuchAccount, "there is no account " + quoted(name));
}

}  // namespace

class UserStore::Impl {
 public:
  Impl(Database database, std::string state_dir, Random& random)
      : database_(std::move(database)), state_dir_(std::move(state_dir)), random_(random) {}

  StoreResult<void> add(std::string_view name, const NewPassword& password, Time now);
  StoreResult<uint64_t> set_password(std::string_view name, const NewPassword& password, Time now,
                                     bool keep_codes);
  StoreResult<void> set_enabled(std::string_view name, bool enabled, Time now);
  StoreResult<void> remove(std::string_view name);
  StoreResult<StoredUser> show(std::string_view name);
  StoreResult<void> list(std::string_view mask, const std::function<bool(const StoredUser&)>& each);
  StoreResult<ImportSummary> import(std::string_view passwd_file, const ImportOptions& options,
                                    Time now);

  // Makes the key file where nothing depends on an older one.
  void make_key() { (void)key_for(database_, state_dir_, random_); }

 private:
  // What is stored for one account, in order.
  using Credentials = std::vector<Secret>;

  StoreResult<Credentials> make_credentials(const NewPassword& password);
  // Runs `change` in one transaction, which is undone if it or the commit fails.
  template <typename Change>
  StoreResult<void> in_transaction(const Change& change);
  StoreResult<int64_t> insert_account(std::string_view name, bool enabled, Time now);
  StoreResult<void> insert_credentials(int64_t id, std::string_view name,
                                       const Credentials& credentials);
  // How many codes were revoked with it.
  StoreResult<uint64_t> store_credentials(int64_t id, std::string_view name,
                                          const Credentials& credentials, bool keep_codes,
                                          Time now);
  // Whether this stored password is all that the account has already.
  StoreResult<bool> is_stored(int64_t id, std::string_view name, const Secret& stored);
  StoreResult<void> import_account(const ImportedAccount& account, const ImportOptions& options,
                                   Time now, ImportSummary& summary);
  StoreResult<std::optional<int64_t>> id_of(std::string_view name);
  // The key, noted in the database; inside a transaction.
  StoreResult<const Secret*> sealing_key();
  StoreResult<Statement*> prepared(std::optional<Statement>& statement, std::string_view sql);
  tl::unexpected<StoreError> broken(const SqlError& error) const {
    return tl::unexpected(store_error(error, state_dir_));
  }

  Database database_;
  const std::string state_dir_;
  Random& random_;
  std::optional<Secret> key_;
  // Prepared at first use, destroyed before the database.
  std::optional<Statement> find_id_;
  std::optional<Statement> insert_account_;
  std::optional<Statement> insert_credential_;
};

StoreResult<Statement*> UserStore::Impl::prepared(std::optional<Statement>& statement,
                                                  std::string_view sql) {
  if (!statement) {
    auto made = database_.prepare(sql);
    if (!made) return broken(made.error());
    statement = *std::move(made);
  }
  return &*statement;
}

StoreResult<UserStore::Impl::Credentials> UserStore::Impl::make_credentials(
    const NewPassword& password) {
  const std::string_view scheme =
      password.scheme.empty() ? password::creatable_schemes().front() : password.scheme;
  Credentials made;
  auto hash = password::create(scheme, password.password, random_);
  if (!hash) return store_failure(Kind::kBadInput, hash.error().message);
  made.push_back(*std::move(hash));
  if (password.with_cram_md5 && !equal_scheme(scheme, kCramMd5)) {
    auto context = password::create(kCramMd5, password.password, random_);
    if (!context) return store_failure(Kind::kBadInput, context.error().message);
    made.push_back(*std::move(context));
  }
  return made;
}

template <typename Change>
StoreResult<void> UserStore::Impl::in_transaction(const Change& change) {
  StoreResult<void> done = passdb::in_transaction(database_, state_dir_, change);
  if (!done) key_.reset();  // its note may be undone as well
  return done;
}

StoreResult<std::optional<int64_t>> UserStore::Impl::id_of(std::string_view name) {
  auto find = prepared(find_id_, "SELECT id FROM accounts WHERE name = ?1");
  if (!find) return tl::unexpected(find.error());
  (*find)->text(1, name);
  const auto row = (*find)->step();
  std::optional<int64_t> id;
  if (row && *row) id = (*find)->column_integer(0);
  (*find)->reset();
  if (!row) return broken(row.error());
  return id;
}

StoreResult<const Secret*> UserStore::Impl::sealing_key() {
  if (!key_) {
    auto key = key_for(database_, state_dir_, random_);
    if (!key) return tl::unexpected(key.error());
    if (!key->is_noted) {
      if (auto noted = note_key(database_, key->key, random_); !noted) return broken(noted.error());
    }
    key_ = std::move(key->key);
  }
  return &*key_;
}

StoreResult<int64_t> UserStore::Impl::insert_account(std::string_view name, bool enabled,
                                                     Time now) {
  auto insert = prepared(insert_account_,
                         "INSERT INTO accounts (name, enabled, created, changed) "
                         "VALUES (?1, ?2, ?3, ?3)");
  if (!insert) return tl::unexpected(insert.error());
  (*insert)->text(1, name).integer(2, enabled ? 1 : 0).integer(3, unix_seconds(now));
  if (auto done = (*insert)->run(); !done) return broken(done.error());
  return database_.last_rowid();
}

StoreResult<void> UserStore::Impl::insert_credentials(int64_t id, std::string_view name,
                                                      const Credentials& credentials) {
  auto insert = prepared(insert_credential_,
                         "INSERT INTO credentials (account, serial, kind, scheme, data) "
                         "VALUES (?1, ?2, ?3, ?4, ?5)");
  if (!insert) return tl::unexpected(insert.error());
  int64_t serial = 0;
  for (const Secret& credential : credentials) {
    const std::string_view text = credential.reveal();
    const std::string scheme = scheme_of(text);
    const bool seals = is_password_equivalent(text);
    std::string sealed;
    if (seals) {
      const auto key = sealing_key();
      if (!key) return tl::unexpected(key.error());
      sealed = seal(**key, text, seal_place(name), random_);
    }
    (*insert)
        ->integer(1, id)
        .integer(2, ++serial)
        .text(3, seals ? "sealed" : "hash")
        .text(4, scheme)
        .blob(5, seals ? sealed : text);
    if (auto done = (*insert)->run(); !done) return broken(done.error());
  }
  return {};
}

StoreResult<uint64_t> UserStore::Impl::store_credentials(int64_t id, std::string_view name,
                                                         const Credentials& credentials,
                                                         bool keep_codes, Time now) {
  if (auto kept = remember_passwords(database_, name, id, unix_seconds(now)); !kept) {
    return broken(kept.error());
  }
  SqlResult<uint64_t> revoked = 0;
  if (!keep_codes) revoked = revoke_codes(database_, name, unix_seconds(now));
  if (!revoked) return broken(revoked.error());
  auto clear = database_.prepare("DELETE FROM credentials WHERE account = ?1");
  if (!clear) return broken(clear.error());
  if (auto done = clear->integer(1, id).run(); !done) return broken(done.error());
  if (auto done = insert_credentials(id, name, credentials); !done) {
    return tl::unexpected(done.error());
  }
  auto touch = database_.prepare("UPDATE accounts SET changed = ?2 WHERE id = ?1");
  if (!touch) return broken(touch.error());
  if (auto done = touch->integer(1, id).integer(2, unix_seconds(now)).run(); !done) {
    return broken(done.error());
  }
  return *revoked;
}

StoreResult<bool> UserStore::Impl::is_stored(int64_t id, std::string_view name,
                                             const Secret& stored) {
  auto query = database_.prepare("SELECT kind, data FROM credentials WHERE account = ?1");
  if (!query) return broken(query.error());
  query->integer(1, id);
  bool same = false;
  for (int rows = 0;; ++rows) {
    const auto row = query->step();
    if (!row) return broken(row.error());
    if (!*row) return same;
    if (rows > 0) return false;
    if (query->column(0) != "sealed") {
      same = query->column(1) == stored.reveal();
      continue;
    }
    const auto key = sealing_key();
    if (!key) return tl::unexpected(key.error());
    const auto opened = open_sealed(**key, query->column(1), seal_place(name));
    same = opened && opened->reveal() == stored.reveal();
  }
}

StoreResult<void> UserStore::Impl::add(std::string_view name, const NewPassword& password,
                                       Time now) {
  if (!is_valid_name(name)) {
    return store_failure(Kind::kBadInput, "a name has 1 to " + std::to_string(kMaxNameBytes) +
                                              " bytes and no control characters");
  }
  // Before the hash, which takes long, and again inside the transaction.
  const auto known = id_of(name);
  if (!known) return tl::unexpected(known.error());
  const auto exists = [name] {
    return store_failure(Kind::kExists, "there is an account " + quoted(name) +
                                            " already; `saslatch user passwd` sets its password");
  };
  if (*known) return exists();
  const auto credentials = make_credentials(password);
  if (!credentials) return tl::unexpected(credentials.error());
  return in_transaction([&]() -> StoreResult<void> {
    const auto meanwhile = id_of(name);
    if (!meanwhile) return tl::unexpected(meanwhile.error());
    if (*meanwhile) return exists();
    const auto id = insert_account(name, true, now);
    if (!id) return tl::unexpected(id.error());
    return insert_credentials(*id, name, *credentials);
  });
}

StoreResult<uint64_t> UserStore::Impl::set_password(std::string_view name,
                                                    const NewPassword& password, Time now,
                                                    bool keep_codes) {
  const auto known = id_of(name);
  if (!known) return tl::unexpected(known.error());
  if (!*known) return no_such_account(name);
  const auto credentials = make_credentials(password);
  if (!credentials) return tl::unexpected(credentials.error());
  uint64_t revoked = 0;
  auto done = in_transaction([&]() -> StoreResult<void> {
    const auto id = id_of(name);
    if (!id) return tl::unexpected(id.error());
    if (!*id) return no_such_account(name);
    const auto stored = store_credentials(**id, name, *credentials, keep_codes, now);
    if (!stored) return tl::unexpected(stored.error());
    revoked = *stored;
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return revoked;
}

StoreResult<void> UserStore::Impl::set_enabled(std::string_view name, bool enabled, Time now) {
  return in_transaction([&]() -> StoreResult<void> {
    const auto id = id_of(name);
    if (!id) return tl::unexpected(id.error());
    if (!*id) return no_such_account(name);
    auto set = database_.prepare(
        "UPDATE accounts SET enabled = ?2, changed = ?3 WHERE id = ?1 AND enabled != ?2");
    if (!set) return broken(set.error());
    set->integer(1, **id).integer(2, enabled ? 1 : 0).integer(3, unix_seconds(now));
    if (auto done = set->run(); !done) return broken(done.error());
    return {};
  });
}

StoreResult<void> UserStore::Impl::remove(std::string_view name) {
  return in_transaction([&]() -> StoreResult<void> {
    auto erase = database_.prepare("DELETE FROM accounts WHERE name = ?1");
    if (!erase) return broken(erase.error());
    if (auto done = erase->text(1, name).run(); !done) return broken(done.error());
    if (database_.changes() == 0) return no_such_account(name);
    // Whoever gets the name next must not meet the codes of the one before.
    if (auto forgot = forget_owner(database_, name); !forgot) return broken(forgot.error());
    return {};
  });
}

StoreResult<StoredUser> UserStore::Impl::show(std::string_view name) {
  const auto id = id_of(name);
  if (!id) return tl::unexpected(id.error());
  if (!*id) return no_such_account(name);
  StoredUser user;
  user.name = name;
  auto account = database_.prepare("SELECT enabled, created, changed FROM accounts WHERE id = ?1");
  if (!account) return broken(account.error());
  const auto row = account->integer(1, **id).step();
  if (!row) return broken(row.error());
  if (!*row) return no_such_account(name);
  user.enabled = account->column_integer(0) != 0;
  user.created = from_unix_seconds(account->column_integer(1));
  user.changed = from_unix_seconds(account->column_integer(2));
  auto schemes =
      database_.prepare("SELECT scheme FROM credentials WHERE account = ?1 ORDER BY serial");
  if (!schemes) return broken(schemes.error());
  schemes->integer(1, **id);
  for (;;) {
    const auto scheme = schemes->step();
    if (!scheme) return broken(scheme.error());
    if (!*scheme) return user;
    user.schemes.emplace_back(schemes->column(0));
  }
}

StoreResult<void> UserStore::Impl::list(std::string_view mask,
                                        const std::function<bool(const StoredUser&)>& each) {
  auto query = database_.prepare(
      "SELECT a.id, a.name, a.enabled, a.created, a.changed, c.scheme FROM accounts a "
      "LEFT JOIN credentials c ON c.account = a.id ORDER BY a.name, c.serial");
  if (!query) return broken(query.error());
  std::optional<StoredUser> user;
  int64_t user_id = 0;
  for (;;) {
    const auto row = query->step();
    if (!row) return broken(row.error());
    const bool next_user = !*row || (user && query->column_integer(0) != user_id);
    if (next_user && user && matches_mask(mask, user->name) && !each(*user)) return {};
    if (!*row) return {};
    if (next_user || !user) {
      user_id = query->column_integer(0);
      user = StoredUser{std::string(query->column(1)),
                        query->column_integer(2) != 0,
                        from_unix_seconds(query->column_integer(3)),
                        from_unix_seconds(query->column_integer(4)),
                        {}};
    }
    if (!query->is_null(5)) user->schemes.emplace_back(query->column(5));
  }
}

StoreResult<void> UserStore::Impl::import_account(const ImportedAccount& account,
                                                  const ImportOptions& options, Time now,
                                                  ImportSummary& summary) {
  Credentials credentials;
  credentials.push_back(account.stored.clone());
  const auto known = id_of(account.name);
  if (!known) return tl::unexpected(known.error());
  if (!*known) {
    const auto id = insert_account(account.name, account.enabled, now);
    if (!id) return tl::unexpected(id.error());
    ++summary.added;
    return insert_credentials(*id, account.name, credentials);
  }
  if (!options.replace) {
    return store_failure(Kind::kExists, "line " + std::to_string(account.line) +
                                            ": there is an account " + quoted(account.name) +
                                            " already; nothing was imported (--replace takes the "
                                            "file's password)");
  }
  ++summary.replaced;
  auto set = database_.prepare("UPDATE accounts SET enabled = ?2 WHERE id = ?1");
  if (!set) return broken(set.error());
  if (auto done = set->integer(1, **known).integer(2, account.enabled ? 1 : 0).run(); !done) {
    return broken(done.error());
  }
  // The same file again, every night perhaps, changes no password.
  const auto same = is_stored(**known, account.name, credentials.front());
  if (!same) return tl::unexpected(same.error());
  if (*same) return {};
  const auto stored =
      store_credentials(**known, account.name, credentials, options.keep_codes, now);
  if (!stored) return tl::unexpected(stored.error());
  summary.codes_revoked += *stored;
  return {};
}

StoreResult<ImportSummary> UserStore::Impl::import(std::string_view passwd_file,
                                                   const ImportOptions& options, Time now) {
  // Twice over the lines: the first finds every mistake, so that none has to be looked for after
  // the transaction has begun, and neither keeps more than one line's worth.
  ImportReader check(passwd_file, options);
  uint64_t accounts = 0;
  while (check.next()) ++accounts;
  if (!check.errors().empty()) {
    return store_failure(Kind::kBadInput, "nothing was imported:\n" + check.errors());
  }
  ImportSummary summary;
  auto done = in_transaction([&]() -> StoreResult<void> {
    const bool are_many = accounts >= kManyChanges;
    if (are_many) {
      if (auto begun = begin_many_changes(database_); !begun) return broken(begun.error());
    }
    ImportReader reader(passwd_file, options);
    while (const auto account = reader.next()) {
      if (auto stored = import_account(*account, options, now, summary); !stored) return stored;
    }
    summary.dropped = reader.dropped();
    if (are_many) {
      if (auto ended = end_many_changes(database_); !ended) return broken(ended.error());
    }
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return summary;
}

UserStore::UserStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UserStore::~UserStore() = default;

StoreResult<std::unique_ptr<UserStore>> UserStore::open(const std::string& state_dir,
                                                        Random& random) {
  auto database = open_users_db_for_writing(state_dir);
  if (!database) return tl::unexpected(database.error());
  auto impl = std::make_unique<Impl>(*std::move(database), state_dir, random);
  // What is wrong with the key is said by what needs it: listing and disabling do not.
  impl->make_key();
  return std::unique_ptr<UserStore>(new UserStore(std::move(impl)));
}

StoreResult<void> UserStore::add(std::string_view name, const NewPassword& password, Time now) {
  return impl_->add(name, password, now);
}
StoreResult<uint64_t> UserStore::set_password(std::string_view name, const NewPassword& password,
                                              Time now, bool keep_codes) {
  return impl_->set_password(name, password, now, keep_codes);
}
StoreResult<void> UserStore::set_enabled(std::string_view name, bool enabled, Time now) {
  return impl_->set_enabled(name, enabled, now);
}
StoreResult<void> UserStore::remove(std::string_view name) { return impl_->remove(name); }
StoreResult<StoredUser> UserStore::show(std::string_view name) { return impl_->show(name); }
StoreResult<void> UserStore::list(std::string_view mask,
                                  const std::function<bool(const StoredUser&)>& each) {
  return impl_->list(mask, each);
}
StoreResult<ImportSummary> UserStore::import(std::string_view passwd_file,
                                             const ImportOptions& options, Time now) {
  return impl_->import(passwd_file, options, now);
}

}  // namespace saslatch::passdb
