#include "daemon/config/reader.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "daemon/audit/log_targets.h"
#include "daemon/config/keys.h"

namespace saslatch::config {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr size_t kLongestSectionName = 64;
constexpr size_t kLongestShown = 60;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Without the comment: a # or ; after a blank.
std::string_view without_comment(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    const bool begins = text[i] == '#' || text[i] == ';';
    if (begins && kBlanks.find(text[i - 1]) != std::string_view::npos) return text.substr(0, i);
  }
  return text;
}

bool is_section_name(std::string_view name) {
  const auto accepted = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return !name.empty() && name.size() <= kLongestSectionName &&
         std::all_of(name.begin(), name.end(), accepted);
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < ' ' && c != '\t') || byte == 0x7f;
}

// The number of letters to change, add or leave out; swapped neighbours count as two.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
    for (const SectionInfo& section : key_table()) {
      kinds_[section.name] = section.named;
      accepted_ +=
          (accepted_.empty() ? "[" : " [") + section.name + (section.named ? ".NAME]" : "]");
    }
  }

  FileLines read() {
    while (!rest_.empty() && file_.problems.size() < kMaxProblems) {
      ++line_;
      const size_t end = std::min(rest_.find('\n'), rest_.size());
      std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      read_line(trimmed(line));
    }
    return std::move(file_);
  }

 private:
  void problem(std::string text) {
    file_.problems.push_back({Problem::Kind::kError, line_, std::move(text)});
  }

  void read_line(std::string_view line) {
    if (line.empty() || line.front() == '#' || line.front() == ';') return;
    if (line.size() > kMaxConfigLine) {
      return problem("the line is longer than " + std::to_string(kMaxConfigLine) + " bytes");
    }
    if (std::any_of(line.begin(), line.end(), is_control)) {
      return problem("the line has control characters: " + shown(line));
    }
    if (line.front() == '[') return open_section(trimmed(without_comment(line)));
    read_entry(line);
  }

  void open_section(std::string_view line) {
    open_ = Open::kNothing;
    if (line.back() != ']') {
      return problem(shown(line) + " is no section; accepted: " + accepted_);
    }
    const std::string_view text = trimmed(line.substr(1, line.size() - 2));
    const size_t dot = std::min(text.find('.'), text.size());
    const std::string kind(text.substr(0, dot));
    const auto known = kinds_.find(kind);
    if (known == kinds_.end()) {
      std::vector<std::string> names;
      for (const auto& [name, named] : kinds_) names.push_back(name);
      return problem("[" + shown(text) + "] is no section" + suggestion(kind, names) +
                     "; accepted: " + accepted_);
    }
    const std::string_view name = text.substr(std::min(dot + 1, text.size()));
    if (known->second != is_section_name(name) || (!known->second && dot != text.size())) {
      return problem("[" + shown(text) + "] is no section; accepted: " +
                     (known->second
                          ? "[" + kind + ".NAME], NAME of letters, digits, - and _, at most " +
                                std::to_string(kLongestSectionName)
                          : "[" + kind + "]"));
    }
    enter_section(std::string(text), kind, std::string(name));
  }

  void enter_section(std::string text, std::string kind, std::string name) {
    const auto [before, is_new] = seen_.emplace(text, file_.sections.size());
    if (is_new) {
      if (file_.sections.size() == kMaxSections) {
        seen_.erase(before);
        return problem("more than " + std::to_string(kMaxSections) + " sections");
      }
      file_.sections.push_back({std::move(text), std::move(kind), std::move(name), line_, {}});
      open_ = Open::kSection;
      keys_ = &keys_of_[file_.sections.back().text];
      current_ = file_.sections.size() - 1;
      return;
    }
    if (!name.empty()) {
      return problem("[" + text + "] is there twice; it begins in line " +
                     std::to_string(file_.sections[before->second].line) + " already");
    }
    open_ = Open::kSection;
    keys_ = &keys_of_[text];
    current_ = before->second;
  }

  void read_entry(std::string_view line) {
    const size_t equals = line.find('=');
    const std::string_view key = trimmed(line.substr(0, std::min(equals, line.size())));
    if (equals == std::string_view::npos || key.empty()) {
      return problem(shown(line) + " is no setting; accepted: KEY = VALUE, [SECTION], # comment");
    }
    switch (open_) {
      case Open::kNoneYet:
        return problem(shown(key) + " stands before any section; accepted sections: " + accepted_);
      case Open::kNothing:
        return;  // the section's own problem has been told; its keys cannot be judged
      case Open::kSection:
        break;
    }
    Section& section = file_.sections[current_];
    const auto [first, is_new] = keys_->emplace(key, line_);
    if (!is_new) {
      return problem("[" + section.text + "] " + shown(key) + " is there twice, in line " +
                     std::to_string(first->second) + " and in line " + std::to_string(line_));
    }
    // The blank or = before the value belongs to it: "KEY = ; nothing" has a comment only.
    const std::string_view value = trimmed(without_comment(line.substr(equals)).substr(1));
    section.entries.push_back({std::string(key), std::string(value), line_});
  }

  enum class Open { kNoneYet, kNothing, kSection };

  std::string_view rest_;
  int line_ = 0;
  FileLines file_;
  std::map<std::string, bool> kinds_;  // name: whether [NAME.x]
  std::string accepted_;
  std::map<std::string, size_t> seen_;  // a section's text: its index
  std::map<std::string, std::map<std::string, int, std::less<>>> keys_of_;
  Open open_ = Open::kNoneYet;
  size_t current_ = 0;                                       // if kSection
  std::map<std::string, int, std::less<>>* keys_ = nullptr;  // if kSection
};

}  // namespace

FileLines read_lines(std::string_view text) { return Reader(text).read(); }

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  // A third of the letters may be wrong, two of a short word.
  size_t nearest = std::max<size_t>(word.size() / 3, 2) + 1;
  const std::string* best = nullptr;
  if (word.size() > kLongestSectionName) return {};
  for (const std::string& candidate : known) {
    const size_t d = distance(word, candidate);
    if (d < nearest && d < candidate.size()) {
      nearest = d;
      best = &candidate;
    }
  }
  return best == nullptr ? std::string() : ", did you mean " + *best + "?";
}

std::string shown(std::string_view text) {
  std::string result;
  append_log_value(text.substr(0, kLongestShown), result);
  if (text.size() > kLongestShown) result += "...";
  return result;
}

}  // namespace saslatch::config
