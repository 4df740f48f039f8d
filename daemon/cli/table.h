#ifndef SASLATCH_DAEMON_CLI_TABLE_H_
#define SASLATCH_DAEMON_CLI_TABLE_H_

#include <string>
#include <string_view>
#include <vector>

namespace saslatch::cli {

// What a cell means, for its colour on a terminal; without colours it changes nothing.
enum class Tone { kPlain, kGood, kWarning, kBad };

struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
};

// Rows under a heading, in columns as wide as their widest cell, two spaces apart. Cells may hold
// data from anywhere: control characters and invalid UTF-8 are shown as \xNN, so that no account
// name can move the cursor or forge a row.
class Table {
 public:
  // `right_aligned` holds the indexes of the columns with figures.
  explicit Table(std::vector<std::string> heading, const std::vector<size_t>& right_aligned = {});

  // Missing cells are empty; there are never more than the heading has.
  void add(std::vector<Cell> row);

  [[nodiscard]] bool empty() const { return rows_.empty(); }

  // Lines end with a newline and have no trailing spaces.
  [[nodiscard]] std::string render(bool colours) const;

 private:
  std::vector<Cell> heading_;
  std::vector<bool> right_;
  std::vector<std::vector<Cell>> rows_;
};

// `text` as a terminal may show it: printable UTF-8 as it is, every other byte as \xNN.
std::string printable(std::string_view text);

// `text` between the escape sequences of `tone`, or as it is.
std::string in_tone(std::string_view text, Tone tone, bool colours);

// The number of terminal columns of `text`, one for each code point: good for the names and
// addresses that are shown here.
size_t columns_of(std::string_view text);

// A sentence in lines of at most 80 columns, if its words allow: the first begins with `first`, the
// following ones with `rest`.
std::vector<std::string> wrapped(std::string_view text, std::string_view first,
                                 std::string_view rest);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_TABLE_H_
