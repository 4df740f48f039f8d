#include "daemon/cli/console.h"

namespace saslatch::cli {

void Console::line(std::string_view text) { out_ << printable(text) << '\n'; }

void Console::print(const Table& table) { out_ << table.render(style_.out_colours); }

void Console::print(const Json& document) {
  out_ << document.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void Console::print_compact(const Json& document) {
  out_ << document.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

void Console::verbatim(std::string_view text) { out_ << text; }

void Console::note(std::string_view text) {
  if (!style_.quiet && !style_.json) out_ << printable(text) << '\n';
}

void Console::warning(std::string_view text) {
  err_ << "saslatch: warning: " << printable(text) << '\n';
}

ExitCode Console::fail(ExitCode code, std::string_view text) {
  // Several lines are several messages: the newline between them is ours.
  while (!text.empty()) {
    const size_t end = text.find('\n');
    err_ << "saslatch: " << printable(text.substr(0, end)) << '\n';
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return code;
}

void Console::progress(std::string_view text) {
  if (!style_.err_is_terminal || style_.quiet) return;
  err_ << "\r\033[K" << printable(text) << std::flush;
}

bool Console::flush() { return static_cast<bool>(out_.flush()); }

}  // namespace saslatch::cli
