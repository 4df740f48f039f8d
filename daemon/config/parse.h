#ifndef SASLATCH_DAEMON_CONFIG_PARSE_H_
#define SASLATCH_DAEMON_CONFIG_PARSE_H_

#include <compare>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.h"
#include "protocol/base/result.h"

namespace saslatch::config {

// Something an administrator should mend: an error keeps the file from being used, a warning does
// not.
struct Problem {
  enum class Kind { kError, kWarning };
  Kind kind = Kind::kError;
  int line = 0;      // 0: the file as a whole
  std::string text;  // names section and key, what is wrong, and what is accepted

  friend bool operator==(const Problem&, const Problem&) = default;
};

// "FILE:LINE: error: TEXT".
std::string to_string(const Problem& problem, std::string_view filename);

// Where in the file a value stands. The section as written between brackets.
struct Place {
  std::string section;
  std::string key;  // empty: the section itself
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Parsed {
  Config config;                  // to be used only if has_errors() is false
  std::vector<Problem> problems;  // in order of lines
  std::map<Place, int> lines;     // of all that the file says

  [[nodiscard]] bool has_errors() const;
  // The line of a key, else of its section, else 0.
  [[nodiscard]] int line_of(const std::string& section, const std::string& key) const;
  // The same for a sentence that begins "[SECTION] KEY", as those of daemon/policy do.
  [[nodiscard]] int line_of_text(std::string_view text) const;
};

// Reads the text of a saslatch.conf. Pure: looks at no file, user or database; check.h does.
// All problems are found, not only the first (at most kMaxProblems). What is not said has its
// default; an empty text is a whole configuration.
Parsed parse(std::string_view text);

// The file's content. The error names the path and the reason, or that it is beyond
// kMaxConfigBytes.
Result<std::string> read_config_file(const std::string& path);

// The configuration with every key of every section, each with its default as a comment; itself a
// valid file that parses to the same configuration. Rules are written out in full, with the preset
// they began from.
std::string dump(const Config& config);

// A file that is no configuration at all (a database, a log) must not be echoed line by line.
inline constexpr size_t kMaxProblems = 200;
inline constexpr size_t kMaxConfigBytes = 1 << 20;
inline constexpr size_t kMaxConfigLine = 8192;
// More is a mistake of a generator; each costs a descriptor or every login a look-up.
inline constexpr size_t kMaxSections = 256;

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_PARSE_H_
