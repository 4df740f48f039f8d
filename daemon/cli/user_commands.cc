#include "daemon/cli/user_commands.h"

#include <unistd.h>

#include <algorithm>
#include <memory>

#include "daemon/cli/change_note.h"
#include "daemon/cli/format.h"
#include "daemon/cli/secret_input.h"
#include "daemon/cli/settings.h"
#include "daemon/cli/user_names.h"
#include "daemon/passdb/code_store.h"
#include "daemon/passdb/user_store.h"
#include "daemon/password/create.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::cli {
namespace {

using passdb::StoredUser;
using passdb::UserStore;

// The opened store and the configuration it belongs to.
struct Accounts {
  Settings settings;
  std::unique_ptr<SystemRandom> random = std::make_unique<SystemRandom>();
  std::unique_ptr<UserStore> store;
};

// Says what is wrong and returns no store; `exit` is set then.
std::optional<Accounts> open_accounts(const Invocation& invocation, Console& console,
                                      ExitCode& exit) {
  auto settings = load_settings(invocation, console, exit);
  if (!settings) return std::nullopt;
  Accounts accounts{std::move(*settings), std::make_unique<SystemRandom>(), nullptr};
  auto store = UserStore::open(accounts.settings.state_dir(), *accounts.random);
  if (!store) {
    exit = store_failure(store.error(), console);
    return std::nullopt;
  }
  accounts.store = std::move(*store);
  return accounts;
}

Json to_json(const StoredUser& user) {
  const auto time = [](std::chrono::system_clock::time_point at) {
    return format_time(std::chrono::floor<std::chrono::seconds>(at));
  };
  return Json{{"name", user.name},
              {"enabled", user.enabled},
              {"schemes", user.schemes},
              {"created", time(user.created)},
              {"changed", time(user.changed)}};
}

std::string schemes_of(const StoredUser& user) {
  std::string all;
  for (const std::string& scheme : user.schemes) all += (all.empty() ? "" : " ") + scheme;
  return all.empty() ? "none" : all;
}

// The account that `typed` means: one stored exactly so, else what a login with it would look up.
std::string account_name(Accounts& accounts, const std::string& typed) {
  if (accounts.store->show(typed)) return typed;
  return normalise_username(typed, accounts.settings.usernames).value_or(typed);
}

Result<Secret> new_password(const Invocation& invocation, const std::string& name) {
  if (invocation.has("password-stdin")) return read_password_line(STDIN_FILENO);
  return prompt_password("New password for " + printable(name) + ": ", true);
}

bool wants_cram_md5(const Invocation& invocation, const Settings& settings) {
  return settings.offers("CRAM-MD5") && !invocation.has("no-cram-md5");
}

// Shows the account as it is now, after a change that is told by `done`.
ExitCode finish(Accounts& accounts, const std::string& name, const std::string& done,
                Console& console) {
  const auto user = accounts.store->show(name);
  if (!user) return store_failure(user.error(), console);
  if (console.style().json) console.print(to_json(*user));
  console.note(done + " " + name + " (" + schemes_of(*user) + ")");
  return ExitCode::kOk;
}

ExitCode exit_of(const passdb::StoreError& error) {
  using Kind = passdb::StoreError::Kind;
  switch (error.kind) {
    case Kind::kExists:
    case Kind::kCantCreate:
      return ExitCode::kCantCreate;
    case Kind::kNoSuchAccount:
    case Kind::kBadInput:
      return ExitCode::kBadData;
    case Kind::kPermission:
      return ExitCode::kPermission;
    case Kind::kBusy:
    case Kind::kBroken:
      return ExitCode::kTemporary;
  }
  return ExitCode::kInternal;
}

// A mistyped scheme is told before the password is asked for.
bool is_scheme_known(const Invocation& invocation, Console& console) {
  const auto given = invocation.value("scheme");
  if (!given) return true;
  std::string accepted;
  for (const std::string_view scheme : password::creatable_schemes()) {
    if (scheme == upper_case(*given)) return true;
    accepted += (accepted.empty() ? "" : ", ") + std::string(scheme);
  }
  console.fail(ExitCode::kUsage, "--scheme takes one of " + accepted);
  return false;
}

ExitCode set_enabled(const Invocation& invocation, Console& console, bool enabled) {
  ExitCode exit{};
  auto accounts = open_accounts(invocation, console, exit);
  if (!accounts) return exit;
  const std::string name = account_name(*accounts, invocation.arguments[0]);
  const auto set = accounts->store->set_enabled(name, enabled, std::chrono::system_clock::now());
  if (!set) return store_failure(set.error(), console);
  note_changes(accounts->settings, {{enabled ? "user enable" : "user disable", name}}, console);
  return finish(*accounts, name, enabled ? "enabled" : "disabled", console);
}

}  // namespace

ExitCode store_failure(const passdb::StoreError& error, Console& console) {
  return console.fail(exit_of(error), error.message);
}

ExitCode user_add(const Invocation& invocation, Console& console) {
  if (!is_scheme_known(invocation, console)) return ExitCode::kUsage;
  ExitCode exit{};
  auto accounts = open_accounts(invocation, console, exit);
  if (!accounts) return exit;
  const std::string& typed = invocation.arguments[0];
  const auto name = normalise_username(typed, accounts->settings.usernames);
  if (!name) {
    return console.fail(ExitCode::kBadData, why_refused(typed, accounts->settings.usernames));
  }
  // Before the password is asked for: nobody should type it twice for nothing.
  if (accounts->store->show(*name)) {
    return console.fail(ExitCode::kCantCreate, "the account '" + *name +
                                                   "' exists already; `saslatch user passwd` gives "
                                                   "it a new password");
  }
  if (*name != typed) {
    console.note("'" + typed + "' logs in as '" + *name + "' ([usernames])");
  }
  auto password = new_password(invocation, *name);
  if (!password) return console.fail(ExitCode::kBadData, password.error().message);
  const std::string scheme = invocation.value("scheme").value_or("");
  const auto added = accounts->store->add(
      *name, {password->reveal(), scheme, wants_cram_md5(invocation, accounts->settings)},
      std::chrono::system_clock::now());
  if (!added) return store_failure(added.error(), console);
  note_changes(accounts->settings, {{"user add", *name}}, console);
  return finish(*accounts, *name, "added", console);
}

ExitCode user_passwd(const Invocation& invocation, Console& console) {
  if (!is_scheme_known(invocation, console)) return ExitCode::kUsage;
  ExitCode exit{};
  auto accounts = open_accounts(invocation, console, exit);
  if (!accounts) return exit;
  const std::string name = account_name(*accounts, invocation.arguments[0]);
  const auto present = accounts->store->show(name);
  if (!present) return store_failure(present.error(), console);
  auto password = new_password(invocation, name);
  if (!password) return console.fail(ExitCode::kBadData, password.error().message);
  const std::string scheme = invocation.value("scheme").value_or("");
  const auto set = accounts->store->set_password(
      name, {password->reveal(), scheme, wants_cram_md5(invocation, accounts->settings)},
      std::chrono::system_clock::now(), invocation.has("keep-codes"));
  if (!set) return store_failure(set.error(), console);
  note_changes(accounts->settings, {{"user passwd", name}}, console);
  if (*set > 0) console.note("revoked " + counted(*set, "code") + " of " + name);
  return finish(*accounts, name, "new password for", console);
}

ExitCode user_list(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  auto accounts = open_accounts(invocation, console, exit);
  if (!accounts) return exit;
  Json documents = Json::array();
  Table table({"NAME", "STATE", "SCHEMES", "CHANGED"});
  const auto listed = accounts->store->list(
      invocation.arguments.empty() ? "*" : invocation.arguments[0], [&](const StoredUser& user) {
        if (console.style().json) {
          documents.push_back(to_json(user));
        } else {
          table.add({{user.name},
                     {user.enabled ? "enabled" : "disabled",
                      user.enabled ? Tone::kPlain : Tone::kWarning},
                     {schemes_of(user)},
                     {format_time(std::chrono::floor<std::chrono::seconds>(user.changed))}});
        }
        return true;
      });
  if (!listed) return store_failure(listed.error(), console);
  if (console.style().json) {
    console.print(documents);
  } else if (table.empty()) {
    console.note("no account");
  } else {
    console.print(table);
  }
  return ExitCode::kOk;
}

ExitCode user_show(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  auto accounts = open_accounts(invocation, console, exit);
  if (!accounts) return exit;
  const auto user = accounts->store->show(account_name(*accounts, invocation.arguments[0]));
  if (!user) return store_failure(user.error(), console);
  Json document = to_json(*user);
  const auto now = std::chrono::system_clock::now();
  auto codes = passdb::CodeStore::open(accounts->settings.state_dir(), *accounts->random);
  if (!codes) return store_failure(codes.error(), console);
  const auto own_word = (*codes)->main_password(user->name);
  if (!own_word) return store_failure(own_word.error(), console);
  const auto listed = (*codes)->list(user->name, now);
  if (!listed) return store_failure(listed.error(), console);
  const auto active = std::count_if(listed->begin(), listed->end(), [](const auto& code) {
    return code.state == passdb::CodeState::kActive;
  });
  document["codes"] = active;
  const std::string site = accounts->settings.config.codes.main_password.to_string();
  document["main_password"] = own_word->empty() ? site : *own_word;
  if (console.style().json) {
    console.print(document);
    return ExitCode::kOk;
  }
  console.line("name:     " + user->name);
  console.line(std::string("state:    ") + (user->enabled ? "enabled" : "disabled"));
  console.line("schemes:  " + schemes_of(*user));
  console.line("created:  " + text_field(document, "created"));
  console.line("changed:  " + text_field(document, "changed"));
  console.line("codes:    " + std::to_string(active));
  console.line("main password:  " + text_field(document, "main_password") +
               (own_word->empty() ? "" : " (its own; the site's is " + site + ")"));
  return ExitCode::kOk;
}

ExitCode user_disable(const Invocation& invocation, Console& console) {
  return set_enabled(invocation, console, false);
}

ExitCode user_enable(const Invocation& invocation, Console& console) {
  return set_enabled(invocation, console, true);
}

ExitCode user_delete(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  auto accounts = open_accounts(invocation, console, exit);
  if (!accounts) return exit;
  const std::string name = account_name(*accounts, invocation.arguments[0]);
  const auto removed = accounts->store->remove(name);
  if (!removed) return store_failure(removed.error(), console);
  note_changes(accounts->settings, {{"user delete", name}}, console);
  if (console.style().json) console.print(Json{{"deleted", name}});
  console.note("deleted " + name);
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
