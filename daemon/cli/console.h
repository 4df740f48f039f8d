#ifndef SASLATCH_DAEMON_CLI_CONSOLE_H_
#define SASLATCH_DAEMON_CLI_CONSOLE_H_

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>

#include "daemon/cli/exit_code.h"
#include "daemon/cli/table.h"

namespace saslatch::cli {

// Keeps the order in which fields were added: the one the manual shows.
using Json = nlohmann::ordered_json;

// Where a command's words go. Data on stdout, everything said about it on stderr, so that a pipe
// gets data only. Text may hold names from anywhere: it is escaped here, not by each command.
class Console {
 public:
  struct Style {
    bool json = false;   // --json: stdout carries one JSON document
    bool quiet = false;  // --quiet: no notes, no progress
    bool out_is_terminal = false;
    bool out_colours = false;  // stdout is a terminal that shows colours
    bool err_is_terminal = false;
  };

  // Both streams outlive the console.
  Console(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

  void set_style(const Style& style) { style_ = style; }
  [[nodiscard]] const Style& style() const { return style_; }

  // A line of data on stdout; not used with --json.
  void line(std::string_view text);
  void print(const Table& table);
  // The document of --json, indented by two; invalid UTF-8 is replaced.
  void print(const Json& document);
  // The same on one line, for a stream of documents.
  void print_compact(const Json& document);
  // Text that is ours from end to end (a help page, a preset): as it is.
  void verbatim(std::string_view text);

  // What was done, on stdout; nothing with --quiet or --json.
  void note(std::string_view text);
  // "saslatch: warning: TEXT" on stderr, also with --quiet.
  void warning(std::string_view text);
  // "saslatch: TEXT" on stderr. Returns `code`, so that a command can end with it.
  ExitCode fail(ExitCode code, std::string_view text);
  // A line that replaces itself, on a terminal's stderr only; an empty one takes it away.
  void progress(std::string_view text);

  // False once a write to stdout has failed (a full disk, a closed pipe).
  [[nodiscard]] bool flush();

 private:
  std::ostream& out_;
  std::ostream& err_;
  Style style_;
};

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_CONSOLE_H_
