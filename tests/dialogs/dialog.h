#ifndef SASLATCH_TESTS_DIALOGS_DIALOG_H_
#define SASLATCH_TESTS_DIALOGS_DIALOG_H_

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace saslatch::dialog {

// Protocol dialogs as text. A file holds any number of them, each begun by its name:
//
//   # a comment; empty lines are free
//   == refuses a second AUTH with a live id
//   C: VERSION<T>1<T>2         the client sends this line; an LF is added
//   c: half a li               the client sends these bytes as they are
//   S: OK<T>1<T>user=alice     the server's next line, exactly
//   X: second line is no CPID  the server has closed, and why
//   V: ok 1 user=alice         any other letter means what the Peer makes of it
//
// Notation, in every line: <T> TAB, <LF>, <CR>, <hh> the byte with two lower-case hex digits,
// <A*300> the character A 300 times, <b64:...> the base64 of what stands inside (notation
// included), and in S: lines <*>, any bytes but TAB. Any other < stands for itself. White space at
// the end of a line is lost.
//
// Nothing goes unseen: before each line of the client, and at the end, all that the server wrote
// must have been expected by S:, what Peer::unexpected() knows of by its own letters, and a close
// by X:.

struct Step {
  char letter;
  std::string text;  // notation still in it
  int line;
};

struct Dialog {
  std::string name;
  std::filesystem::path file;
  std::vector<Step> steps;
};

// What a dialog is played against: a server with its surroundings.
class Peer {
 public:
  virtual ~Peer() = default;

  virtual void receive(std::string_view bytes) = 0;
  virtual std::string take_output() = 0;

  // Why the server has closed the connection; empty while it is open.
  [[nodiscard]] virtual std::string closed() = 0;

  // Does what a line of another letter asks for, notation resolved. Returns what went wrong, "" if
  // nothing did.
  virtual std::string act(char letter, std::string_view text) = 0;

  // What happened and was not asked for by a line so far; "" if nothing.
  virtual std::string unexpected() { return {}; }
};

// How the client's bytes arrive. A server must not care.
enum class Arrival {
  kLines,     // a line at a time
  kBytes,     // a byte at a time
  kTogether,  // all that the client says in a row at once
};

// All dialogs of one file, or of all *.dialog files of a folder in the order of their names.
Result<std::vector<Dialog>> read(const std::filesystem::path& path);

// "" if everything went as written, else file, line, what was expected and what came.
std::string play(const Dialog& dialog, Peer& peer, Arrival arrival);

// The bytes that `text` stands for.
std::string resolve(std::string_view text);

// `bytes` in the notation, for messages.
std::string shown(std::string_view bytes);

}  // namespace saslatch::dialog

#endif  // SASLATCH_TESTS_DIALOGS_DIALOG_H_
