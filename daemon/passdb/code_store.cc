#include "daemon/passdb/code_store.h"

#include <algorithm>
#include <utility>

#include "daemon/passdb/code_text.h"
#include "daemon/passdb/codes_db.h"
#include "daemon/passdb/passwd_entry.h"
#include "daemon/passdb/users_db.h"
#include "protocol/base/crypto/aead.h"
#include "protocol/base/crypto/cram_md5_context.h"

namespace saslatch::passdb {
namespace {

using Kind = StoreError::Kind;
using Time = CodeStore::Time;

constexpr std::string_view kColumns =
    "SELECT serial, label, created, created_by, expires, revoked, services, networks, "
    "sealed IS NOT NULL, used, used_rip, used_service FROM codes ";

StoredCode read_code(const Statement& row, int64_t now) {
  const auto time = [&row](int column) {
    return row.is_null(column) ? std::nullopt
                               : std::optional(from_unix_seconds(row.column_integer(column)));
  };
  StoredCode code;
  code.id = static_cast<uint64_t>(row.column_integer(0));
  code.label = row.column(1);
  code.created = from_unix_seconds(row.column_integer(2));
  code.created_by = row.column(3);
  code.expires = time(4);
  code.revoked = time(5);
  code.services = split(row.column(6));
  code.networks = split(row.column(7));
  code.cram_md5 = row.column_integer(8) != 0;
  if (const auto used = time(9)) {
    code.last_used = {*used, std::string(row.column(10)), std::string(row.column(11))};
  }
  if (code.revoked) {
    code.state = CodeState::kRevoked;
  } else if (code.expires && row.column_integer(4) <= now) {
    code.state = CodeState::kExpired;
  }
  return code;
}

// The contexts of both spellings, one behind the other.
Secret contexts_of(const Secret& shown) {
  std::string all;
  all.reserve(kCodeSpellings * CramMd5Context::kSize);
  for (const Secret& spelling : spellings_of(shown)) {
    all += CramMd5Context::from_password(spelling.reveal()).reveal();
  }
  return Secret::take(all);
}

}  // namespace

std::string_view to_string(CodeState state) {
  switch (state) {
    case CodeState::kActive:
      return "active";
    case CodeState::kExpired:
      return "expired";
    case CodeState::kRevoked:
      break;
  }
  return "revoked";
}

class CodeStore::Impl {
 public:
  Impl(Database database, std::string state_dir, Random& random)
      : database_(std::move(database)), state_dir_(std::move(state_dir)), random_(random) {}

  StoreResult<std::vector<MadeCode>> add(std::span<const NewCode> codes, int most, Time now);
  StoreResult<std::vector<StoredCode>> list(std::string_view account, Time now);
  StoreResult<StoredCode> revoke(std::string_view account, uint64_t id, Time now);
  StoreResult<uint64_t> revoke_all(std::string_view account, Time now);
  StoreResult<std::string> main_password(std::string_view account);
  StoreResult<void> set_main_password(std::string_view account, std::string_view rules, Time now);

 private:
  StoreResult<MadeCode> add_one(const SealingKey& key, const CodeKey& codes, const NewCode& wanted,
                                int most, int64_t now);
  StoreResult<void> insert(const SealingKey& key, const CodeKey& codes, const NewCode& wanted,
                           int64_t owner, const MadeCode& made, int64_t now);
  StoreResult<uint64_t> next_serial(int64_t owner);
  tl::unexpected<StoreError> broken(const SqlError& error) const {
    return tl::unexpected(store_error(error, state_dir_));
  }

  Database database_;
  const std::string state_dir_;
  Random& random_;
};

StoreResult<std::vector<MadeCode>> CodeStore::Impl::add(std::span<const NewCode> codes, int most,
                                                        Time now) {
  for (const NewCode& code : codes) {
    if (auto well = check(code); !well) return tl::unexpected(well.error());
  }
  std::vector<MadeCode> made;
  made.reserve(codes.size());
  auto done = in_transaction(database_, state_dir_, [&]() -> StoreResult<void> {
    auto key = key_for(database_, state_dir_, random_);
    if (!key) return tl::unexpected(key.error());
    if (!key->is_noted) {
      if (auto noted = note_key(database_, key->key, random_); !noted) return broken(noted.error());
    }
    const CodeKey code_key(key->key);
    for (const NewCode& code : codes) {
      auto one = add_one(*key, code_key, code, most, unix_seconds(now));
      if (!one) return tl::unexpected(one.error());
      made.push_back(*std::move(one));
    }
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return made;
}

StoreResult<MadeCode> CodeStore::Impl::add_one(const SealingKey& key, const CodeKey& codes,
                                               const NewCode& wanted, int most, int64_t now) {
  const auto owner = find_or_make_owner(database_, wanted.account);
  if (!owner) return broken(owner.error());
  if (auto pruned = prune_stale(database_, *owner, now); !pruned) return broken(pruned.error());
  auto count = database_.prepare(
      "SELECT count(*) FROM codes WHERE owner = ?1 AND revoked IS NULL AND "
      "(expires IS NULL OR expires > ?2)");
  if (!count) return broken(count.error());
  const auto row = count->integer(1, *owner).integer(2, now).step();
  if (!row) return broken(row.error());
  if (count->column_integer(0) >= std::min(most, kMaxCodes)) {
    return store_failure(Kind::kBadInput, "'" + wanted.account + "' has " +
                                              std::to_string(count->column_integer(0)) +
                                              " codes, which is as many as [codes] "
                                              "max-per-account allows; revoke one first");
  }
  count->reset();
  const auto serial = next_serial(*owner);
  if (!serial) return tl::unexpected(serial.error());
  MadeCode made{wanted.account, *serial, wanted.label, make_code(random_)};
  if (auto done = insert(key, codes, wanted, *owner, made, now); !done) {
    return tl::unexpected(done.error());
  }
  return made;
}

StoreResult<uint64_t> CodeStore::Impl::next_serial(int64_t owner) {
  auto next = database_.prepare(
      "UPDATE code_owners SET last_serial = last_serial + 1 WHERE id = ?1 RETURNING last_serial");
  if (!next) return broken(next.error());
  const auto row = next->integer(1, owner).step();
  if (!row) return broken(row.error());
  const auto serial = static_cast<uint64_t>(next->column_integer(0));
  if (const auto end = next->step(); !end) return broken(end.error());
  return serial;
}

StoreResult<void> CodeStore::Impl::insert(const SealingKey& key, const CodeKey& codes,
                                          const NewCode& wanted, int64_t owner,
                                          const MadeCode& made, int64_t now) {
  const auto normal = normalise_code(made.code.reveal());
  const std::string hash = codes.hash_code(wanted.account, normal->reveal());
  std::string sealed;
  if (wanted.with_cram_md5) {
    sealed = seal(key.key, contexts_of(made.code).reveal(), code_seal_place(wanted.account, hash),
                  random_);
  }
  std::vector<std::string> networks;
  for (const Network& network : wanted.networks) networks.push_back(network.to_string());
  const std::string all_networks = join(networks);
  const std::string all_services = join(wanted.services);
  auto insert = database_.prepare(
      "INSERT INTO codes (owner, hash, serial, label, created, created_by, expires, services, "
      "networks, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
  if (!insert) return broken(insert.error());
  insert->integer(1, owner)
      .blob(2, hash)
      .integer(3, static_cast<int64_t>(made.id))
      .text(4, wanted.label)
      .integer(5, now)
      .text(6, wanted.created_by)
      .text(8, all_services)
      .text(9, all_networks);
  if (wanted.expires) insert->integer(7, unix_seconds(*wanted.expires));
  if (!sealed.empty()) insert->blob(10, sealed);
  if (auto done = insert->run(); !done) return broken(done.error());
  return {};
}

StoreResult<std::vector<StoredCode>> CodeStore::Impl::list(std::string_view account, Time now) {
  const auto owner = find_owner(database_, account);
  if (!owner) return broken(owner.error());
  std::vector<StoredCode> all;
  if (!*owner) return all;
  auto query = database_.prepare(std::string(kColumns) + "WHERE owner = ?1 ORDER BY serial");
  if (!query) return broken(query.error());
  query->integer(1, **owner);
  for (;;) {
    const auto row = query->step();
    if (!row) return broken(row.error());
    if (!*row) return all;
    all.push_back(read_code(*query, unix_seconds(now)));
  }
}

StoreResult<StoredCode> CodeStore::Impl::revoke(std::string_view account, uint64_t id, Time now) {
  std::optional<StoredCode> revoked;
  auto done = in_transaction(database_, state_dir_, [&]() -> StoreResult<void> {
    const auto owner = find_owner(database_, account);
    if (!owner) return broken(owner.error());
    const auto missing = [&] {
      return store_failure(Kind::kBadInput,
                           "'" + std::string(account) + "' has no code " + std::to_string(id));
    };
    if (!*owner) return missing();
    auto revoke = database_.prepare(
        "UPDATE codes SET revoked = coalesce(revoked, ?3) WHERE owner = ?1 AND serial = ?2");
    if (!revoke) return broken(revoke.error());
    revoke->integer(1, **owner).integer(2, static_cast<int64_t>(id)).integer(3, unix_seconds(now));
    if (auto run = revoke->run(); !run) return broken(run.error());
    if (database_.changes() == 0) return missing();
    auto query = database_.prepare(std::string(kColumns) + "WHERE owner = ?1 AND serial = ?2");
    if (!query) return broken(query.error());
    const auto row = query->integer(1, **owner).integer(2, static_cast<int64_t>(id)).step();
    if (!row) return broken(row.error());
    revoked = read_code(*query, unix_seconds(now));
    query->reset();
    if (auto pruned = prune_stale(database_, **owner, unix_seconds(now)); !pruned) {
      return broken(pruned.error());
    }
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return *std::move(revoked);
}

StoreResult<uint64_t> CodeStore::Impl::revoke_all(std::string_view account, Time now) {
  uint64_t count = 0;
  auto done = in_transaction(database_, state_dir_, [&]() -> StoreResult<void> {
    const auto revoked = revoke_codes(database_, account, unix_seconds(now));
    if (!revoked) return broken(revoked.error());
    count = *revoked;
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return count;
}

StoreResult<std::string> CodeStore::Impl::main_password(std::string_view account) {
  auto query = database_.prepare("SELECT main_password FROM code_owners WHERE name = ?1");
  if (!query) return broken(query.error());
  const auto row = query->text(1, account).step();
  if (!row) return broken(row.error());
  return *row ? std::string(query->column(0)) : std::string();
}

StoreResult<void> CodeStore::Impl::set_main_password(std::string_view account,
                                                     std::string_view rules, Time now) {
  return in_transaction(database_, state_dir_, [&]() -> StoreResult<void> {
    const auto owner = find_or_make_owner(database_, account);
    if (!owner) return broken(owner.error());
    auto set = database_.prepare("UPDATE code_owners SET main_password = ?2 WHERE id = ?1");
    if (!set) return broken(set.error());
    if (auto done = set->integer(1, *owner).text(2, rules).run(); !done) {
      return broken(done.error());
    }
    if (auto pruned = prune_stale(database_, *owner, unix_seconds(now)); !pruned) {
      return broken(pruned.error());
    }
    return {};
  });
}

StoreResult<void> CodeStore::check(const NewCode& code) {
  if (!is_valid_name(code.account)) {
    return store_failure(Kind::kBadInput, "a name has 1 to " + std::to_string(kMaxNameBytes) +
                                              " bytes and no control characters");
  }
  const bool has_controls = std::any_of(code.label.begin(), code.label.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (code.label.empty() || code.label.size() > kMaxLabel || has_controls) {
    return store_failure(Kind::kBadInput, "a label has 1 to " + std::to_string(kMaxLabel) +
                                              " bytes and no control characters, such as "
                                              "'Thunderbird, office'");
  }
  if (code.services.size() > kMaxServices) {
    return store_failure(Kind::kBadInput,
                         "a code is for at most " + std::to_string(kMaxServices) + " services");
  }
  if (code.networks.size() > kMaxNetworks) {
    return store_failure(Kind::kBadInput,
                         "a code has at most " + std::to_string(kMaxNetworks) + " networks");
  }
  return {};
}

CodeStore::CodeStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CodeStore::~CodeStore() = default;

StoreResult<std::unique_ptr<CodeStore>> CodeStore::open(const std::string& state_dir,
                                                        Random& random) {
  auto database = open_users_db_for_writing(state_dir);
  if (!database) return tl::unexpected(database.error());
  return std::unique_ptr<CodeStore>(
      new CodeStore(std::make_unique<Impl>(*std::move(database), state_dir, random)));
}

StoreResult<std::vector<MadeCode>> CodeStore::add(std::span<const NewCode> codes, int most,
                                                  Time now) {
  return impl_->add(codes, most, now);
}
StoreResult<std::vector<StoredCode>> CodeStore::list(std::string_view account, Time now) {
  return impl_->list(account, now);
}
StoreResult<StoredCode> CodeStore::revoke(std::string_view account, uint64_t id, Time now) {
  return impl_->revoke(account, id, now);
}
StoreResult<uint64_t> CodeStore::revoke_all(std::string_view account, Time now) {
  return impl_->revoke_all(account, now);
}
StoreResult<std::string> CodeStore::main_password(std::string_view account) {
  return impl_->main_password(account);
}
StoreResult<void> CodeStore::set_main_password(std::string_view account, std::string_view rules,
                                               Time now) {
  return impl_->set_main_password(account, rules, now);
}

}  // namespace saslatch::passdb
