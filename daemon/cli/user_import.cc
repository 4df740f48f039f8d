#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "daemon/cli/change_note.h"
#include "daemon/cli/format.h"
#include "daemon/cli/sasldb_import.h"
#include "daemon/cli/settings.h"
#include "daemon/cli/ticker.h"
#include "daemon/cli/user_commands.h"
#include "daemon/cli/user_names.h"
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

}  // namespace

ExitCode user_import(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  const auto settings = load_settings(invocation, console, exit);
  if (!settings) return exit;
  const std::string& path = invocation.arguments[0];
  const std::string format = invocation.value("format").value_or("passwd-file");
  if (format == "sasldb") return import_sasldb(invocation, *settings, console);
  if (format != "passwd-file") {
    return console.fail(ExitCode::kUsage,
                        "--format " + format + ": accepted: passwd-file | sasldb");
  }
  WipedText file;
  std::string problem;
  if (!read_file(path, file, problem)) return console.fail(ExitCode::kBadData, problem);
  WipedText named;
  normalise_names(file.text, settings->usernames, named, problem);
  if (!problem.empty()) {
    console.fail(ExitCode::kBadData, problem);
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
  if (!imported) return store_failure(imported.error(), console);
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
