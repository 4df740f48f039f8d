// saslatch(8) and the shell completion say what the table of commands says.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "daemon/cli/command_table.h"
#include "daemon/cli/exit_code.h"
#include "daemon/policy/presets.h"
#include "tests/daemon/cli/box.h"

namespace saslatch::cli {
namespace {

std::string read_source(const std::string& path) {
  std::ifstream in(std::string(SASLATCH_SOURCE_DIR "/") + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::set<std::string> words_of(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

// The source of the manual with its escapes taken back: "\-" is "-".
std::string manual() {
  std::string text = read_source("docs/man/saslatch.8");
  std::erase(text, '\\');
  return text;
}

TEST(Manual, HasEachCommandWithItsOptionsAndNoOther) {
  const std::string text = manual();
  std::set<std::string> described;
  const std::regex item(R"(\n\.It Ic ([a-z -]+?)(?: Ar| Op| Oo| Fl|\n))");
  // The part about JSON lists the commands again.
  const std::string commands = text.substr(0, text.find(".Sh JSON"));
  for (std::sregex_iterator it(commands.begin(), commands.end(), item), end; it != end; ++it) {
    described.insert((*it)[1]);
  }
  std::set<std::string> known;
  for (const Command& command : command_table()) {
    const std::string words(command.words);
    known.insert(words);
    const size_t at = commands.find(".It Ic " + words);
    ASSERT_NE(at, std::string::npos) << words;
    const std::string entry = commands.substr(at, commands.find("\n.It", at + 1) - at);
    for (const Option& option : command.options) {
      EXPECT_NE(entry.find("Fl -" + std::string(option.name)), std::string::npos)
          << words << " --" << option.name;
    }
  }
  EXPECT_EQ(described, known);
}

TEST(Manual, HasEachGlobalOptionAndEachExitCode) {
  const std::string text = manual();
  for (const Option& option : global_options()) {
    EXPECT_NE(text.find("\n.It Fl -" + std::string(option.name)), std::string::npos) << option.name;
  }
  for (const ExitCode code : {ExitCode::kOk, ExitCode::kUsage, ExitCode::kBadData,
                              ExitCode::kUnreachable, ExitCode::kInternal, ExitCode::kCantCreate,
                              ExitCode::kTemporary, ExitCode::kPermission, ExitCode::kConfig}) {
    EXPECT_NE(text.find("\n.It " + std::to_string(to_int(code)) + "\n"), std::string::npos)
        << to_int(code);
  }
}

// Every field of a document, of its parts and of the elements of its arrays.
void collect_fields(const Json& document, std::set<std::string>& fields) {
  for (const auto& [name, value] : document.items()) {
    if (document.is_object()) fields.insert(name);
    if (value.is_structured()) collect_fields(value, fields);
  }
}

// One success, a failure, and a line of no use.
const std::string kAuditLog =
    R"({"ts":"2030-11-01T00:00:00Z","event":"auth","outcome":"ok","user":"alice",)"
    R"("rip":"192.0.2.1","mech":"PLAIN"})"
    "\n"
    R"({"ts":"2030-11-01T00:00:01Z","event":"auth","outcome":"fail","cause":"unknown-user",)"
    R"("user":"bob","rip":"203.0.113.1","mech":"PLAIN"})"
    "\noops\n";

TEST(Manual, NamesEveryFieldOfJson) {
  Box box;
  box.start_daemon();
  box.start_auth_server();
  for (const char* how : {"right", "wrong", "wrong", "wrong"}) {
    box.login("alice", "203.0.113.9", how == std::string("right"));
  }
  const std::vector<std::vector<std::string>> commands = {
      {"user", "add", "alice", "--password-stdin"},
      {"user", "list"},
      {"user", "show", "alice"},
      {"user", "main-password", "alice", "refused-if-codes"},
      {"code", "add", "alice", "--label", "Phone", "--expires", "1d"},
      {"code", "revoke", "alice", "1"},
      {"code", "list", "alice"},
      {"code", "revoke", "alice", "--all"},
      {"lock", "add", "ip:192.0.2.1", "--for", "1h", "--reason", "x"},
      {"lock", "list"},
      {"explain", "user:alice"},
      {"lock", "clear", "ip:192.0.2.1"},
      {"reload"},
      {"test", "alice", "--password-stdin"},
      {"policy", "list"},
      {"policy", "replay", "--policy", "small-site", "--compare", "none", "--events", "-"},
      {"doctor"},
      {"user", "delete", "alice"},
  };
  std::set<std::string> fields;
  for (std::vector<std::string> command : commands) {
    command.push_back("--json");
    const bool replays = command.size() > 1 && command[1] == "replay";
    const Finished finished = box.saslatch(command, replays ? kAuditLog : "secret\n");
    Json document = Json::parse(finished.out, nullptr, false);
    ASSERT_FALSE(document.is_discarded()) << command[0] << ": " << finished.out << finished.err;
    // The names of its rules are no fields.
    if (replays)
      for (Json& stretch : document["over_time"]) stretch["refused_by"] = Json::object();
    collect_fields(document, fields);
  }
  // Of `status` the first level: below are names of metrics, rules and mechanisms.
  const Json status = Json::parse(box.saslatch({"status", "--json"}, "").out);
  for (const auto& [name, value] : status.items()) fields.insert(name);
  const std::string text = manual();
  const std::string part = text.substr(text.find(".Sh JSON"));
  const std::set<std::string> documented = words_of(part);
  for (const std::string& field : fields) {
    EXPECT_TRUE(documented.contains(field)) << "saslatch(8) has no word of the field " << field;
  }
}

// The entries of a bash table NAME=( [key]="words" ... ).
std::map<std::string, std::set<std::string>> bash_table(const std::string& script,
                                                        const std::string& name) {
  const size_t begin = script.find("local -A " + name + "=(");
  const std::string body = script.substr(begin, script.find("\n  )", begin) - begin);
  std::map<std::string, std::set<std::string>> table;
  const std::regex entry(R"re(\[([a-z ]+)\]="([^"]*)")re");
  for (std::sregex_iterator it(body.begin(), body.end(), entry), end; it != end; ++it) {
    table[(*it)[1]] = words_of((*it)[2]);
  }
  return table;
}

TEST(Completion, HasTheTableOfCommands) {
  const std::string script = read_source("packaging/completion/saslatch.bash");
  std::map<std::string, std::set<std::string>> commands, options;
  for (const Command& command : command_table()) {
    const std::string words(command.words);
    const size_t space = words.find(' ');
    auto& seconds = commands[words.substr(0, space)];
    if (space != std::string::npos) seconds.insert(words.substr(space + 1));
    for (const Option& option : command.options) {
      options[words].insert("--" + std::string(option.name));
    }
  }
  EXPECT_EQ(bash_table(script, "commands"), commands);
  EXPECT_EQ(bash_table(script, "options"), options);
  for (const Option& option : global_options()) {
    EXPECT_NE(script.find("--" + std::string(option.name)), std::string::npos);
  }
  for (const policy::Preset& preset : policy::presets()) {
    EXPECT_NE(script.find(preset.name), std::string::npos) << preset.name;
  }
}

// What the script of bash offers for a line that is typed so far; the last word is being typed.
std::set<std::string> completed(const std::vector<std::string>& line) {
  std::string script = "source " SASLATCH_SOURCE_DIR
                       "/packaging/completion/saslatch.bash\n"
                       "compopt() { :; }\nCOMP_WORDS=(saslatch";
  for (const std::string& word : line) script += " '" + word + "'";
  script += ")\nCOMP_CWORD=" + std::to_string(line.size()) +
            "\n_saslatch\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
  return words_of(run_program("/bin/bash", {"-c", script}, "").out);
}

TEST(Completion, OffersWhatMayFollow) {
  using Words = std::set<std::string>;
  EXPECT_EQ(completed({"st"}), (Words{"status"}));
  EXPECT_EQ(completed({"user", "d"}), (Words{"disable", "delete"}));
  EXPECT_EQ(completed({"--config", "/x", "lock", ""}), (Words{"list", "add", "clear"}));
  EXPECT_EQ(completed({"user", "import", "f", "--r"}), (Words{"--replace"}));
  EXPECT_EQ(completed({"test", "alice", "--mechanism", "C"}), (Words{"CRAM-MD5"}));
  EXPECT_EQ(completed({"policy", "show", "p"}), (Words{"pci-dss"}));
  EXPECT_EQ(completed({"explain", "us"}), (Words{"user:", "user+network:"}));
  EXPECT_EQ(completed({"--js"}), (Words{"--json"}));
}

}  // namespace
}  // namespace saslatch::cli
