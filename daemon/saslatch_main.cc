#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "daemon/cli/app.h"

namespace {

// https://no-color.org, and terminals that know none.
bool shows_colours() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

}  // namespace

int main(int argc, char** argv) {
  saslatch::cli::Console console(std::cout, std::cerr);
  saslatch::cli::Console::Style terminal;
  terminal.out_is_terminal = ::isatty(STDOUT_FILENO) != 0;
  terminal.out_colours = terminal.out_is_terminal && shows_colours();
  terminal.err_is_terminal = ::isatty(STDERR_FILENO) != 0;
  return to_int(saslatch::cli::run({argv + 1, argv + argc}, console, terminal));
}
