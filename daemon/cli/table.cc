#include "daemon/cli/table.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <utility>

namespace saslatch::cli {
namespace {

constexpr size_t kGap = 2;

// The length of the valid UTF-8 sequence at the start of `text` (RFC 3629, section 4), or 0.
size_t utf8_length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
    if (first == 0xED && byte(1) > 0x9F) return 0;  // surrogates
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

// C0, DEL and the C1 range, and what turns the direction of text: U+200B to U+200F, U+2028 to
// U+202E, U+2066 to U+2069.
bool is_control(std::string_view sequence) {
  const auto byte = [sequence](size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
  if (sequence.size() == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;
  if (sequence.size() != 3 || byte(0) != 0xE2) return false;
  if (byte(1) == 0x80) {
    return (byte(2) >= 0x8B && byte(2) <= 0x8F) || (byte(2) >= 0xA8 && byte(2) <= 0xAE);
  }
  return byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9;
}

std::string_view sequence_of(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kGood:
      return "\033[32m";
    case Tone::kWarning:
      return "\033[33m";
    case Tone::kBad:
      return "\033[31m";
  }
  return "";
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length > 0 && !is_control(text.substr(0, length))) {
      shown += text.substr(0, length);
      text.remove_prefix(length);
      continue;
    }
    for (size_t i = 0; i < std::max<size_t>(length, 1); ++i) {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(text[i]));
      shown += escaped;
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return shown;
}

std::string in_tone(std::string_view text, Tone tone, bool colours) {
  if (!colours || tone == Tone::kPlain || text.empty()) return std::string(text);
  return std::string(sequence_of(tone)) + std::string(text) + "\033[0m";
}

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

Table::Table(std::vector<std::string> heading, const std::vector<size_t>& right_aligned)
    : right_(heading.size(), false) {
  for (std::string& text : heading) heading_.push_back({std::move(text), Tone::kPlain});
  for (const size_t column : right_aligned) right_.at(column) = true;
}

void Table::add(std::vector<Cell> row) {
  assert(row.size() <= heading_.size());
  for (Cell& cell : row) cell.text = printable(cell.text);
  row.resize(heading_.size());
  rows_.push_back(std::move(row));
}

std::string Table::render(bool colours) const {
  std::vector<size_t> widths;
  for (size_t column = 0; column < heading_.size(); ++column) {
    size_t width = columns_of(heading_[column].text);
    for (const auto& row : rows_) width = std::max(width, columns_of(row[column].text));
    widths.push_back(width);
  }
  std::string rendered;
  const auto render_row = [&](const std::vector<Cell>& row) {
    std::string line;
    size_t pending = 0;  // spaces that are written only if something follows them
    for (size_t column = 0; column < row.size(); ++column) {
      const Cell& cell = row[column];
      const size_t fill = widths[column] - columns_of(cell.text);
      if (right_[column]) pending += fill;
      if (!cell.text.empty()) {
        line.append(pending, ' ');
        line += in_tone(cell.text, cell.tone, colours);
        pending = right_[column] ? 0 : fill;
      } else if (!right_[column]) {
        pending += fill;
      }
      pending += kGap;
    }
    rendered += line + '\n';
  };
  render_row(heading_);
  for (const auto& row : rows_) render_row(row);
  return rendered;
}

std::vector<std::string> wrapped(std::string_view text, std::string_view first,
                                 std::string_view rest) {
  constexpr size_t kWidth = 80;
  std::vector<std::string> lines;
  std::string line(first);
  bool empty = true;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (!empty && columns_of(line) + 1 + columns_of(word) > kWidth) {
      lines.push_back(std::move(line));
      line = rest;
      empty = true;
    }
    if (!empty) line += ' ';
    line += word;
    empty = false;
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  lines.push_back(std::move(line));
  return lines;
}

}  // namespace saslatch::cli
