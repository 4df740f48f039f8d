#include "daemon/cli/code_commands.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include "daemon/cli/account_lookup.h"
#include "daemon/cli/change_note.h"
#include "daemon/cli/format.h"
#include "daemon/cli/option_value.h"
#include "daemon/cli/settings.h"
#include "daemon/cli/user_commands.h"
#include "daemon/config/values.h"
#include "daemon/passdb/code_store.h"
#include "daemon/password/main_password.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::cli {
namespace {

using passdb::CodeStore;
using passdb::MadeCode;
using passdb::NewCode;
using passdb::StoredCode;
using std::chrono::system_clock;

// A line of a bulk file, and how many of them: one transaction holds them all.
constexpr size_t kMaxLine = 4096;
constexpr size_t kMaxLines = 100'000;
constexpr int kMaxErrors = 20;

constexpr auto kShortest = std::chrono::minutes(1);
constexpr auto kLongest = std::chrono::hours(24 * 3650);

struct Codes {
  Settings settings;
  std::unique_ptr<SystemRandom> random = std::make_unique<SystemRandom>();
  std::unique_ptr<CodeStore> store;
};

std::optional<Codes> open_codes(const Invocation& invocation, Console& console, ExitCode& exit) {
  auto settings = load_settings(invocation, console, exit);
  if (!settings) return std::nullopt;
  Codes codes{std::move(*settings), std::make_unique<SystemRandom>(), nullptr};
  auto store = CodeStore::open(codes.settings.state_dir(), *codes.random);
  if (!store) {
    exit = store_failure(store.error(), console);
    return std::nullopt;
  }
  codes.store = std::move(*store);
  return codes;
}

std::string time_of(system_clock::time_point at) {
  return format_time(std::chrono::floor<std::chrono::seconds>(at));
}

Result<void> set_expiry(NewCode& code, const std::string& text) {
  const auto kind = config::duration(kShortest, kLongest);
  const auto after = kind.parse(text);
  if (!after) return failure("expires takes " + kind.accepts);
  code.expires = system_clock::now() + *after;
  return {};
}

Result<void> add_service(NewCode& code, const std::string& text) {
  auto service = password::parse_service(text);
  if (!service) return tl::unexpected(service.error());
  code.services.push_back(std::move(*service));
  return {};
}

Result<void> add_network(NewCode& code, const std::string& text) {
  auto network = Network::parse(text);
  if (!network) return failure("from: " + network.error().message);
  code.networks.push_back(*network);
  return {};
}

// The account that is meant. False with `problem`: there is none.
bool set_account(NewCode& code, AccountLookup& lookup, const std::string& typed, Console& console,
                 std::string& problem) {
  const AccountLookup::Answer answer = lookup.find(typed);
  if (answer.found == AccountLookup::Found::kNo) {
    problem = answer.trouble;
    return false;
  }
  if (answer.found == AccountLookup::Found::kUnknown) console.warning(answer.trouble);
  if (answer.found == AccountLookup::Found::kYes && answer.name != typed) {
    console.note("'" + typed + "' logs in as '" + answer.name + "'");
  }
  code.account = answer.name;
  return true;
}

// "USER<TAB>LABEL[<TAB>expires=180d][<TAB>service=smtp][<TAB>from=192.0.2.0/24]".
Result<NewCode> read_line(const std::string& line, AccountLookup& lookup, Console& console) {
  std::vector<std::string> fields;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  if (fields.size() < 2) return failure("no label behind a tab");
  NewCode code;
  std::string problem;
  if (!set_account(code, lookup, fields[0], console, problem)) return failure(problem);
  code.label = fields[1];
  for (size_t i = 2; i < fields.size(); ++i) {
    const size_t equals = fields[i].find('=');
    const std::string key = fields[i].substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : fields[i].substr(equals + 1);
    Result<void> taken;
    if (key == "expires") {
      taken = set_expiry(code, value);
    } else if (key == "service") {
      taken = add_service(code, value);
    } else if (key == "from") {
      taken = add_network(code, value);
    } else {
      taken = failure("a field is expires=, service= or from=, not '" + key.substr(0, 40) + "'");
    }
    if (!taken) return tl::unexpected(taken.error());
  }
  if (auto well = CodeStore::check(code); !well) return failure(well.error().message);
  return code;
}

// All lines, or nothing with every mistake told.
std::optional<std::vector<NewCode>> read_file(const std::string& path, AccountLookup& lookup,
                                              Console& console, ExitCode& exit) {
  std::ifstream file;
  if (path != "-") file.open(path);
  std::istream& in = path == "-" ? std::cin : file;
  std::vector<NewCode> codes;
  int mistakes = 0;
  size_t number = 0;
  const auto mistake = [&](const std::string& text) {
    if (++mistakes <= kMaxErrors) {
      exit = console.fail(ExitCode::kBadData, path + ":" + std::to_string(number) + ": " + text);
    }
  };
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    if (line.size() > kMaxLine || codes.size() == kMaxLines) {
      mistake("longer than " + std::to_string(kMaxLine) + " bytes, or more than " +
              std::to_string(kMaxLines) + " lines");
      break;
    }
    auto code = read_line(std::move(line), lookup, console);
    if (code) {
      codes.push_back(std::move(*code));
    } else {
      mistake(code.error().message);
    }
  }
  if (mistakes == 0 && !in.eof()) {
    exit = console.fail(ExitCode::kBadData, "cannot read " + path);
    return std::nullopt;
  }
  if (mistakes == 0) return codes;
  exit = console.fail(ExitCode::kBadData,
                      counted(static_cast<uint64_t>(mistakes), "mistake") + "; no code was made");
  return std::nullopt;
}

Json to_json(const MadeCode& made) {
  return Json{{"user", made.account},
              {"id", made.id},
              {"label", made.label},
              {"code", std::string(made.code.reveal())}};
}

Json to_json(const StoredCode& code) {
  Json one{{"id", code.id},
           {"label", code.label},
           {"state", passdb::to_string(code.state)},
           {"created", time_of(code.created)},
           {"created_by", code.created_by}};
  if (code.expires) one["expires"] = time_of(*code.expires);
  if (code.revoked) one["revoked"] = time_of(*code.revoked);
  one["services"] = code.services;
  one["from"] = code.networks;
  one["cram_md5"] = code.cram_md5;
  if (code.last_used) {
    one["last_used"] = {{"at", time_of(code.last_used->at)},
                        {"rip", code.last_used->rip},
                        {"service", code.last_used->service}};
  }
  return one;
}

std::string joined(const std::vector<std::string>& words, const char* nothing) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  return all.empty() ? nothing : all;
}

std::string credential(uint64_t id, const std::string& label) {
  return "code:" + std::to_string(id) + " " + label;
}

// What was asked for on the command line: one code, or those of --file.
std::optional<std::vector<NewCode>> wanted_codes(const Invocation& invocation,
                                                 const Settings& settings, Console& console,
                                                 ExitCode& exit) {
  AccountLookup lookup(settings);
  const bool from_file = invocation.has("file");
  if (from_file == !invocation.arguments.empty()) {
    exit = console.fail(ExitCode::kUsage, "'code add' needs either USER or --file FILE");
    return std::nullopt;
  }
  if (from_file) {
    for (const char* option : {"label", "expires", "service", "from"}) {
      if (!invocation.has(option)) continue;
      exit = console.fail(ExitCode::kUsage,
                          std::string("with --file, --") + option + " stands in the file");
      return std::nullopt;
    }
    return read_file(invocation.value("file").value_or(""), lookup, console, exit);
  }
  NewCode code;
  const auto fails = [&](ExitCode with, const std::string& why) {
    exit = console.fail(with, why);
    return std::nullopt;
  };
  if (!invocation.has("label")) {
    return fails(ExitCode::kUsage,
                 "'code add' needs --label TEXT, so that its owner knows which device it is for");
  }
  code.label = *invocation.value("label");
  if (const auto expires = invocation.value("expires")) {
    if (auto set = set_expiry(code, *expires); !set) {
      return fails(ExitCode::kUsage, "--" + set.error().message);
    }
  }
  for (const std::string& service : invocation.values("service")) {
    if (auto set = add_service(code, service); !set) {
      return fails(ExitCode::kUsage, "--service: " + set.error().message);
    }
  }
  for (const std::string& network : invocation.values("from")) {
    if (auto set = add_network(code, network); !set) {
      return fails(ExitCode::kUsage, "--" + set.error().message);
    }
  }
  std::string problem;
  if (!set_account(code, lookup, invocation.arguments[0], console, problem)) {
    return fails(ExitCode::kBadData, problem);
  }
  std::vector<NewCode> one;
  one.push_back(std::move(code));
  return one;
}

// The account for which codes are kept, else the one that a login with the name would find.
std::string owner_name(Codes& codes, const std::string& typed) {
  const auto listed = codes.store->list(typed, system_clock::now());
  if (listed && !listed->empty()) return typed;
  return AccountLookup(codes.settings).find(typed).name;
}

}  // namespace

ExitCode code_add(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  auto codes = open_codes(invocation, console, exit);
  if (!codes) return exit;
  auto wanted = wanted_codes(invocation, codes->settings, console, exit);
  if (!wanted) return exit;
  const std::string by = who_am_i();
  for (NewCode& code : *wanted) {
    code.created_by = by;
    code.with_cram_md5 = codes->settings.offers("CRAM-MD5");
  }
  const auto made =
      codes->store->add(*wanted, codes->settings.config.codes.max_per_account, system_clock::now());
  if (!made) return store_failure(made.error(), console);
  std::vector<Change> changes;
  for (const MadeCode& one : *made) {
    changes.push_back({"code add", one.account + " " + credential(one.id, one.label)});
  }
  note_changes(codes->settings, changes, console);
  if (console.style().json) {
    if (!invocation.has("file")) {
      console.print(to_json(made->front()));
      return ExitCode::kOk;
    }
    Json all = Json::array();
    for (const MadeCode& one : *made) all.push_back(to_json(one));
    console.print(all);
    return ExitCode::kOk;
  }
  if (invocation.has("file")) {
    // As it came, with tabs: for the program that tells the users.
    for (const MadeCode& one : *made) {
      console.verbatim(one.account + "\t" + std::to_string(one.id) + "\t" + one.label + "\t" +
                       std::string(one.code.reveal()) + "\n");
    }
    return ExitCode::kOk;
  }
  const MadeCode& one = made->front();
  console.line(one.code.reveal());
  console.note("code " + std::to_string(one.id) + " '" + one.label + "' of " + one.account +
               "; it is shown this once, and blanks, dashes and capitals do not matter");
  return ExitCode::kOk;
}

ExitCode code_list(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  auto codes = open_codes(invocation, console, exit);
  if (!codes) return exit;
  const std::string name = owner_name(*codes, invocation.arguments[0]);
  const auto listed = codes->store->list(name, system_clock::now());
  if (!listed) return store_failure(listed.error(), console);
  if (console.style().json) {
    Json all = Json::array();
    for (const StoredCode& code : *listed) all.push_back(to_json(code));
    console.print(all);
    return ExitCode::kOk;
  }
  Table table({"ID", "LABEL", "STATE", "CREATED", "EXPIRES", "SERVICES", "FROM", "LAST USED", "BY"},
              {0});
  for (const StoredCode& code : *listed) {
    const bool active = code.state == passdb::CodeState::kActive;
    table.add({{std::to_string(code.id)},
               {code.label},
               {std::string(passdb::to_string(code.state)), active ? Tone::kGood : Tone::kWarning},
               {time_of(code.created)},
               {code.expires ? time_of(*code.expires) : "never"},
               {joined(code.services, "all")},
               {joined(code.networks, "everywhere")},
               {code.last_used ? time_of(code.last_used->at) + " " + code.last_used->rip + " " +
                                     code.last_used->service
                               : "never"},
               {code.created_by}});
  }
  if (table.empty()) {
    console.note("'" + name + "' has no code");
  } else {
    console.print(table);
  }
  return ExitCode::kOk;
}

ExitCode code_revoke(const Invocation& invocation, Console& console) {
  const bool all = invocation.has("all");
  if (all == (invocation.arguments.size() == 2)) {
    return console.fail(ExitCode::kUsage, "'code revoke' needs USER and either ID or --all");
  }
  uint64_t id = 0;
  if (!all) {
    const std::string& text = invocation.arguments[1];
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (problem != std::errc{} || end != text.data() + text.size()) {
      return console.fail(ExitCode::kUsage, "ID is a number, as `saslatch code list` shows it");
    }
  }
  ExitCode exit{};
  auto codes = open_codes(invocation, console, exit);
  if (!codes) return exit;
  const std::string name = owner_name(*codes, invocation.arguments[0]);
  if (all) {
    const auto revoked = codes->store->revoke_all(name, system_clock::now());
    if (!revoked) return store_failure(revoked.error(), console);
    note_changes(codes->settings, {{"code revoke", name + " all"}}, console);
    if (console.style().json) console.print(Json{{"user", name}, {"revoked", *revoked}});
    console.note("revoked " + counted(*revoked, "code") + " of " + name);
    return ExitCode::kOk;
  }
  const auto revoked = codes->store->revoke(name, id, system_clock::now());
  if (!revoked) return store_failure(revoked.error(), console);
  note_changes(codes->settings, {{"code revoke", name + " " + credential(id, revoked->label)}},
               console);
  if (console.style().json) console.print(to_json(*revoked));
  console.note("revoked code " + std::to_string(id) + " '" + revoked->label + "' of " + name);
  return ExitCode::kOk;
}

ExitCode user_main_password(const Invocation& invocation, Console& console) {
  std::string text;
  for (size_t i = 1; i < invocation.arguments.size(); ++i) {
    text += (text.empty() ? "" : " ") + invocation.arguments[i];
  }
  std::string rules;
  if (text != "default") {
    const auto parsed = password::MainPasswordRules::parse(text);
    if (!parsed) {
      return console.fail(
          ExitCode::kUsage,
          "RULE is default, or " + std::string(password::MainPasswordRules::accepts()));
    }
    rules = parsed->to_string();
  }
  ExitCode exit{};
  auto codes = open_codes(invocation, console, exit);
  if (!codes) return exit;
  const auto account = AccountLookup(codes->settings).find(invocation.arguments[0]);
  if (account.found == AccountLookup::Found::kNo) {
    return console.fail(ExitCode::kBadData, account.trouble);
  }
  const auto set = codes->store->set_main_password(account.name, rules, system_clock::now());
  if (!set) return store_failure(set.error(), console);
  const std::string word =
      rules.empty() ? codes->settings.config.codes.main_password.to_string() + " (as configured)"
                    : rules;
  note_changes(codes->settings, {{"user main-password", account.name + " " + word}}, console);
  if (console.style().json) {
    console.print(
        Json{{"user", account.name}, {"main_password", rules.empty() ? "default" : rules}});
  }
  console.note("main password of " + account.name + ": " + word);
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
