#ifndef SASLATCH_DAEMON_CONFIG_READER_H_
#define SASLATCH_DAEMON_CONFIG_READER_H_

#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/parse.h"

namespace saslatch::config {

struct Entry {
  std::string key;
  std::string value;  // trimmed, without its comment
  int line;
};

struct Section {
  std::string text;  // as written between the brackets: "listen.postfix"
  std::string kind;  // "listen"
  std::string name;  // "postfix"; empty for [daemon] and the like
  int line;
  std::vector<Entry> entries;
};

struct FileLines {
  std::vector<Section> sections;  // in file order; a plain section opened twice is there once
  std::vector<Problem> problems;
};

// The lines of an INI file, with their numbers, which Program_options does not keep. A line that
// begins with # or ; is a comment, and so is what follows " #" or " ;" after a value. Knows which
// sections exist, but no key. Wrong lines, unknown sections, a key or a named section that is
// there twice are problems; what is wrong is left out.
FileLines read_lines(std::string_view text);

// ", did you mean threads?" for the nearest of `known` if it is near, else "".
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

// `text` as it may be shown in a message: short, on one line, nothing a terminal would obey.
std::string shown(std::string_view text);

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_READER_H_
