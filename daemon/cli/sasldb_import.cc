#include "daemon/cli/sasldb_import.h"

#include <chrono>
#include <string>
#include <vector>

#include "daemon/audit/no_log.h"
#include "daemon/cli/change_note.h"
#include "daemon/cli/format.h"
#include "daemon/cli/ticker.h"
#include "daemon/cli/user_commands.h"
#include "daemon/cli/user_names.h"
#include "daemon/config/secret_files.h"
#include "daemon/passdb/drivers/make_passdb.h"
#include "daemon/passdb/user_store.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::cli {
namespace {

constexpr std::string_view kPlain = "{PLAIN}";

struct Found {
  std::string name;  // as a login with it would look it up
  Secret password;
  bool is_known = false;  // there is such an account already
};

// The account's password; empty where there is none any more.
Secret password_of(passdb::Passdb& passdb, const std::string& name) {
  Secret password;
  passdb.find(name, [&password](passdb::Lookup found) {
    const auto* account = std::get_if<passdb::Account>(&found);
    if (account == nullptr || account->credentials.empty()) return;
    password = Secret(account->credentials.front().reveal().substr(kPlain.size()));
  });
  return password;
}

// What the file has; `problems` tells what of it cannot be taken.
std::vector<Found> read_accounts(passdb::Passdb& passdb, const Invocation& invocation,
                                 const Settings& settings, passdb::UserStore& store,
                                 std::string& problems) {
  std::vector<std::string> names;
  passdb.list("*", [&names](std::string_view name) {
    names.emplace_back(name);
    return true;
  });
  std::vector<Found> all;
  int bad = 0;
  const auto problem = [&](const std::string& name, const std::string& why) {
    if (++bad <= passdb::UserStore::kMaxImportErrors) problems += name + ": " + why + "\n";
  };
  for (const std::string& name : names) {
    const auto normalised = normalise_username(name, settings.usernames);
    if (!normalised) {
      problem(printable(name), why_refused(name, settings.usernames));
      continue;
    }
    Found found{*normalised, password_of(passdb, name), bool(store.show(*normalised))};
    if (found.password.empty()) {
      problem(printable(name), "no password");
    } else if (found.is_known && !invocation.has("replace")) {
      problem(printable(name),
              "there is such an account already (--replace takes the file's "
              "password)");
    }
    all.push_back(std::move(found));
  }
  if (bad > passdb::UserStore::kMaxImportErrors) {
    problems += "and " + std::to_string(bad - passdb::UserStore::kMaxImportErrors) + " more\n";
  }
  return all;
}

}  // namespace

ExitCode import_sasldb(const Invocation& invocation, const Settings& settings, Console& console) {
  const std::string& path = invocation.arguments[0];
  passdb::PassdbSettings wanted;
  wanted.name = "import";
  wanted.driver = passdb::Driver::kSasldb;
  wanted.path = path;
  SystemRandom random;
  NoLog log;
  const auto made = passdb::make_passdb(
      wanted, {settings.state_dir(), settings.config.daemon.module_dir},
      {log, random, std::chrono::steady_clock::now, settings.config.policy.max_hold,
       settings.usernames.lowercase, config::read_password_file});
  if (!made) return console.fail(ExitCode::kBadData, made.error().message);
  if (const auto status = (*made)->status(); !status.available) {
    return console.fail(ExitCode::kBadData, status.reason);
  }
  auto store = passdb::UserStore::open(settings.state_dir(), random);
  if (!store) return store_failure(store.error(), console);
  std::string problems;
  const auto accounts = read_accounts(**made, invocation, settings, **store, problems);
  if (!problems.empty()) {
    console.fail(ExitCode::kBadData, problems);
    return console.fail(ExitCode::kBadData, "nothing was imported from " + path);
  }
  const bool with_cram_md5 = settings.offers("CRAM-MD5") && !invocation.has("no-cram-md5");
  uint64_t added = 0;
  uint64_t replaced = 0;
  uint64_t codes_revoked = 0;
  {
    const Ticker ticker(console, "hashing the passwords of " + counted(accounts.size(), "account"));
    for (const Found& one : accounts) {
      const passdb::NewPassword password{one.password.reveal(), {}, with_cram_md5};
      const auto now = std::chrono::system_clock::now();
      if (!one.is_known) {
        if (const auto done = (*store)->add(one.name, password, now); !done) {
          return store_failure(done.error(), console);
        }
        ++added;
        continue;
      }
      const auto done =
          (*store)->set_password(one.name, password, now, invocation.has("keep-codes"));
      if (!done) return store_failure(done.error(), console);
      codes_revoked += *done;
      ++replaced;
    }
  }
  note_changes(settings, {{"user import", path}}, console);
  if (console.style().json) console.print(Json{{"added", added}, {"replaced", replaced}});
  if (codes_revoked > 0) console.note("revoked " + counted(codes_revoked, "code"));
  console.note("added " + counted(added, "account") + ", replaced " + std::to_string(replaced));
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
