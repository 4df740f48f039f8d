#include "tests/dialogs/dialog.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include "protocol/base/base64.h"

namespace saslatch::dialog {
namespace {

constexpr std::string_view kAnything = "<*>";
constexpr std::string_view kBase64 = "b64:";

// The position behind the '>' that closes the '<' at `open`; npos if there is none.
size_t closing(std::string_view text, size_t open) {
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '<') ++depth;
    if (text[i] == '>' && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

// What the notation `<inside>` means; nullopt if it is none.
std::optional<std::string> meaning(std::string_view inside) {
  if (inside == "T") return "\t";
  if (inside == "LF") return "\n";
  if (inside == "CR") return "\r";
  if (inside.starts_with(kBase64)) return base64_encode(resolve(inside.substr(kBase64.size())));
  const std::string_view hex = "0123456789abcdef";
  if (inside.size() == 2 && inside.find_first_not_of(hex) == std::string_view::npos) {
    return hex_decode(inside);
  }
  if (inside.size() > 2 && inside[1] == '*' &&
      inside.find_first_not_of("0123456789", 2) == std::string_view::npos) {
    return std::string(std::stoul(std::string(inside.substr(2))), inside[0]);
  }
  return std::nullopt;
}

bool matches(std::string_view pattern, std::string_view line) {
  const size_t open = pattern.find(kAnything);
  if (open == std::string_view::npos) return resolve(pattern) == line;
  const std::string before = resolve(pattern.substr(0, open));
  if (!line.starts_with(before)) return false;
  line.remove_prefix(before.size());
  const std::string_view rest = pattern.substr(open + kAnything.size());
  for (size_t taken = 0;; ++taken) {
    if (matches(rest, line.substr(taken))) return true;
    if (taken == line.size() || line[taken] == '\t') return false;
  }
}

// One run of one dialog.
class Player {
 public:
  Player(const Dialog& dialog, Peer& peer, Arrival arrival)
      : dialog_(dialog), peer_(peer), arrival_(arrival) {}

  std::string play() {
    for (const Step& step : dialog_.steps) {
      const bool is_client = step.letter == 'C' || step.letter == 'c';
      if (!is_client) {
        flush();
        client_speaks_ = false;
      }
      std::string trouble = is_client ? say(step) : hear(step);
      if (!trouble.empty()) return at(step.line) + trouble;
    }
    flush();
    const int last = dialog_.steps.empty() ? 0 : dialog_.steps.back().line;
    if (std::string left = leftover(); !left.empty()) return at(last) + "after this line: " + left;
    return {};
  }

 private:
  std::string say(const Step& step) {
    // Lines of the client that stand together are pipelined; what they cause is seen after them.
    if (!std::exchange(client_speaks_, true)) {
      if (std::string left = leftover(); !left.empty()) return "before this line: " + left;
    }
    unsent_ += resolve(step.text);
    if (step.letter == 'C') unsent_ += '\n';
    if (arrival_ != Arrival::kTogether) flush();
    return {};
  }

  std::string hear(const Step& step) {
    switch (step.letter) {
      case 'S':
        return hear_line(step.text);
      case 'X': {
        const std::string reason = peer_.closed();
        seen_close_ = true;
        if (reason.empty()) return "the server has not closed";
        return reason == resolve(step.text) ? "" : "closed for another reason: " + reason;
      }
      default:
        return peer_.act(step.letter, resolve(step.text));
    }
  }

  std::string hear_line(std::string_view expected) {
    unheard_ += peer_.take_output();
    const size_t end = unheard_.find('\n');
    if (end == std::string::npos) {
      const std::string reason = peer_.closed();
      return "the server wrote nothing" + (reason.empty() ? "" : "; it closed: " + reason);
    }
    const std::string line = unheard_.substr(0, end);
    unheard_.erase(0, end + 1);
    return matches(expected, line) ? "" : "the server wrote: " + shown(line);
  }

  void flush() {
    const std::string bytes = std::exchange(unsent_, {});
    if (arrival_ == Arrival::kBytes) {
      for (const char& byte : bytes) peer_.receive({&byte, 1});
    } else if (!bytes.empty()) {
      peer_.receive(bytes);
    }
  }

  std::string leftover() {
    unheard_ += peer_.take_output();
    if (!unheard_.empty()) return "the server also wrote: " + shown(unheard_);
    if (std::string other = peer_.unexpected(); !other.empty()) return "unexpected: " + other;
    if (!seen_close_ && !peer_.closed().empty()) return "the server closed: " + peer_.closed();
    return {};
  }

  [[nodiscard]] std::string at(int line) const {
    return dialog_.file.filename().string() + ":" + std::to_string(line) + " (" + dialog_.name +
           "): ";
  }

  const Dialog& dialog_;
  Peer& peer_;
  Arrival arrival_;
  std::string unsent_;
  std::string unheard_;
  bool client_speaks_ = false;
  bool seen_close_ = false;
};

Result<std::vector<Dialog>> read_file(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return failure(file.string() + ": cannot be read");
  std::vector<Dialog> dialogs;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    text.erase(text.find_last_not_of(" \t\r") + 1);
    if (text.empty() || text[0] == '#') continue;
    if (text.starts_with("== ")) {
      dialogs.push_back({text.substr(3), file, {}});
    } else if (dialogs.empty() || text.size() < 2 || text[1] != ':' ||
               (text.size() > 2 && text[2] != ' ')) {
      return failure(file.string() + ":" + std::to_string(number) +
                     ": accepted are '== NAME', then 'LETTER: TEXT', and '#' comments");
    } else {
      dialogs.back().steps.push_back({text[0], text.size() > 3 ? text.substr(3) : "", number});
    }
  }
  if (dialogs.empty()) return failure(file.string() + ": holds no dialog");
  return dialogs;
}

}  // namespace

Result<std::vector<Dialog>> read(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return read_file(path);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().extension() == ".dialog") files.push_back(entry.path());
  }
  if (files.empty()) return failure(path.string() + ": holds no *.dialog");
  std::sort(files.begin(), files.end());
  std::vector<Dialog> all;
  for (const auto& file : files) {
    auto dialogs = read_file(file);
    if (!dialogs) return dialogs;
    std::move(dialogs->begin(), dialogs->end(), std::back_inserter(all));
  }
  return all;
}

std::string play(const Dialog& dialog, Peer& peer, Arrival arrival) {
  return Player(dialog, peer, arrival).play();
}

std::string resolve(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size();) {
    const size_t end = text[i] == '<' ? closing(text, i) : std::string_view::npos;
    if (end != std::string_view::npos) {
      if (const auto resolved = meaning(text.substr(i + 1, end - i - 2))) {
        bytes += *resolved;
        i = end;
        continue;
      }
    }
    bytes += text[i++];
  }
  return bytes;
}

std::string shown(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c == '\t') {
      text += "<T>";
    } else if (c == '\n') {
      text += "<LF>";
    } else if (c < ' ' || c == 0x7f) {
      text += "<" + hex_encode({&c, 1}) + ">";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace saslatch::dialog
