#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/cli/change_note.h"
#include "daemon/cli/format.h"
#include "daemon/cli/sasldb_import.h"
#include "daemon/cli/settings.h"
#include "daemon/cli/ticker.h"
#include "daemon/cli/user_commands.h"
#include "daemon/cli/user_names.h"
#include "daemon/passdb/sql_dump.h"
#include "daemon/passdb/user_store.h"
#include "protocol/base/crypto/system_random.h"
#include "protocol/base/secret.h"

namespace saslatch::cli {
namespace {

// The longest file that is taken: ten million accounts with long hashes, as for passwd-file.
constexpr size_t kMaxImportBytes = size_t{1} << 30;

constexpr int kMaxErrors = passdb::UserStore::kMaxImportErrors;

// Text that is wiped: it holds hashes, and perhaps passwords.
struct WipedText {
  std::string text;
  WipedText() = default;
  WipedText(const WipedText&) = delete;
  WipedText& operator=(const WipedText&) = delete;
  ~WipedText() { wipe(text); }
};

// The whole file, "-" for stdin. False with `problem` set.
bool read_file(const std::string& path, WipedText& into, std::string& problem) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> opened;
  std::FILE* file = stdin;
  if (path != "-") {
    opened.reset(std::fopen(path.c_str(), "re"));
    file = opened.get();
  }
  struct stat about {};
  if (file == nullptr || ::fstat(::fileno(file), &about) != 0 || S_ISDIR(about.st_mode)) {
    problem = path + ": " +
              (file != nullptr && S_ISDIR(about.st_mode) ? "is a directory" : std::strerror(errno));
    return false;
  }
  // Room for all of it at once: growing would leave pieces of it behind.
  if (S_ISREG(about.st_mode)) {
    into.text.reserve(std::min(static_cast<size_t>(about.st_size) + 1, kMaxImportBytes));
  }
  std::string piece(1 << 16, '\0');
  size_t got = 0;
  while ((got = std::fread(piece.data(), 1, piece.size(), file)) > 0) {
    into.text.append(piece, 0, got);
    if (into.text.size() > kMaxImportBytes) break;
  }
  wipe(piece.data(), piece.size());
  if (std::ferror(file) != 0) problem = path + ": " + std::strerror(errno);
  if (into.text.size() > kMaxImportBytes) problem = path + ": is longer than 1 GiB";
  return problem.empty();
}

// The file with each name as a login with it would look it up; the lines whose names no login can
// have are told in `problems`.
void normalise_names(const std::string& text, const UsernameRules& rules, WipedText& into,
                     std::string& problems) {
  int bad = 0;
  size_t number = 0;
  into.text.reserve(text.size() + text.size() / 8);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++number;
    const std::string_view name = line.substr(0, line.find(':'));
    const auto normalised = normalise_username(name, rules);
    if (line.empty() || line[0] == '#' || line[0] == ':') {
      into.text += line;
    } else if (normalised) {
      into.text += *normalised;
      into.text += line.substr(name.size());
    } else if (++bad <= kMaxErrors) {
      problems += "line " + std::to_string(number) + ": " + why_refused(name, rules) + "\n";
    }
    if (end < text.size()) into.text += '\n';
  }
  if (bad > kMaxErrors) {
    problems += "and " + std::to_string(bad - kMaxErrors) + " more\n";
  }
}

enum class Format { kAuto, kPasswdFile, kSasldb, kSqlDump };

std::optional<Format> format_named(std::string_view word) {
  if (word == "auto") return Format::kAuto;
  if (word == "passwd-file") return Format::kPasswdFile;
  if (word == "sasldb") return Format::kSasldb;
  if (word == "sql-dump") return Format::kSqlDump;
  return std::nullopt;
}

// Messages that count the lines of a converted file, with the lines of the one it was made of.
std::string with_dump_lines(const std::string& text, const std::vector<uint64_t>& dump_lines) {
  constexpr std::string_view kLine = "line ";
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    std::string_view line(text.data() + begin, end - begin);
    begin = end;
    uint64_t number = 0;
    const auto [rest, error] =
        line.starts_with(kLine)
            ? std::from_chars(line.data() + kLine.size(), line.data() + line.size(), number)
            : std::from_chars_result{line.data(), std::errc::invalid_argument};
    if (error == std::errc{} && number > 0 && number <= dump_lines.size()) {
      out.append(kLine).append(std::to_string(dump_lines[number - 1]));
      line.remove_prefix(static_cast<size_t>(rest - line.data()));
    }
    out += line;
  }
  return out;
}

}  // namespace

ExitCode user_import(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  const auto settings = load_settings(invocation, console, exit);
  if (!settings) return exit;
  const std::string& path = invocation.arguments[0];
  const std::string word = invocation.value("format").value_or("auto");
  const auto format = format_named(word);
  if (!format) {
    return console.fail(ExitCode::kUsage,
                        "--format " + word + ": accepted: auto | passwd-file | sasldb | sql-dump");
  }
  if (*format == Format::kSasldb) return import_sasldb(invocation, *settings, console);
  WipedText file;
  std::string problem;
  if (!read_file(path, file, problem)) return console.fail(ExitCode::kBadData, problem);
  passdb::SqlDumpLines dump;
  if (*format == Format::kSqlDump ||
      (*format == Format::kAuto && passdb::looks_like_sql_dump(file.text))) {
    const Ticker ticker(console, "reading " + path);
    const auto read = passdb::read_sql_dump(
        file.text,
        {invocation.value("table").value_or(""), invocation.value("user-column").value_or(""),
         invocation.value("password-column").value_or("")},
        dump);
    std::swap(file.text, dump.passwd_file);
    wipe(dump.passwd_file);
    if (!read) {
      console.fail(ExitCode::kBadData, path + ": " + read.error().message);
      return console.fail(ExitCode::kBadData, "nothing was imported from " + path);
    }
    console.note("reading the table " + dump.table + ": names in " + dump.user_column +
                 ", passwords in " + dump.password_column);
  }
  WipedText named;
  normalise_names(file.text, settings->usernames, named, problem);
  if (!problem.empty()) {
    console.fail(ExitCode::kBadData, with_dump_lines(problem, dump.dump_lines));
    return console.fail(ExitCode::kBadData, "nothing was imported from " + path);
  }
  SystemRandom random;
  auto store = passdb::UserStore::open(settings->state_dir(), random);
  if (!store) return store_failure(store.error(), console);
  const std::string scheme = invocation.value("default-scheme").value_or("CRYPT");
  passdb::ImportOptions options;
  options.default_scheme = scheme;
  options.lowercase = settings->usernames.lowercase;
  options.replace = invocation.has("replace");
  options.keep_codes = invocation.has("keep-codes");
  const auto imported = [&] {
    const Ticker ticker(console, "importing " + path);
    return (*store)->import(named.text, options, std::chrono::system_clock::now());
  }();
  if (!imported) {
    passdb::StoreError error = imported.error();
    error.message = with_dump_lines(error.message, dump.dump_lines);
    return store_failure(error, console);
  }
  note_changes(*settings, {{"user import", path}}, console);
  if (console.style().json) {
    console.print(Json{{"added", imported->added}, {"replaced", imported->replaced}});
  }
  if (imported->codes_revoked > 0) {
    console.note("revoked " + counted(imported->codes_revoked, "code"));
  }
  console.note("added " + counted(imported->added, "account") + ", replaced " +
               std::to_string(imported->replaced));
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
