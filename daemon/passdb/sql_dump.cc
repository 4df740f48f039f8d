#include "daemon/passdb/sql_dump.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <utility>

#include "daemon/passdb/mask.h"
#include "protocol/base/base64.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {
namespace {

constexpr std::array<std::string_view, 8> kTables = {
    "mailbox", "mail_user", "virtual_users", "users", "accounts", "mailusers", "user", "passwd"};
constexpr std::array<std::string_view, 7> kUserColumns = {"username", "email",  "user",   "login",
                                                          "name",     "userid", "address"};
constexpr std::array<std::string_view, 6> kPasswordColumns = {"password",      "passwd", "crypt",
                                                              "password_hash", "pw",     "pass"};
// More are no table of users.
constexpr size_t kMaxColumns = 256;
constexpr size_t kMaxTables = 4096;

using Columns = std::vector<std::string>;
// A value of a row; nullopt: NULL.
using Cell = std::optional<std::string>;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
  return out;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// What statements there are. `row` gets the cells of one row; false stops it.
struct Visitor {
  std::function<void(const std::string& table, Columns columns)> create;
  std::function<bool(const std::string& table, const Columns* columns, std::vector<Cell> cells,
                     uint64_t line)>
      row;
};

// Cuts a dump into statements and those into tokens.
class DumpScanner {
 public:
  explicit DumpScanner(std::string_view text)
      : text_(text),
        backslashes_(text.substr(0, 512).find("MySQL dump") != std::string_view::npos ||
                     text.substr(0, 512).find("MariaDB dump") != std::string_view::npos) {}

  // nullopt: it is read to its end, or row() wants no more.
  std::optional<Error> scan(const Visitor& visitor) {
    while (error_.empty() && !stopped_) {
      skip_blanks();
      if (at_end()) break;
      const std::string word = lower(take_word());
      if (word == "create") {
        create(visitor);
      } else if (word == "insert" || word == "replace") {
        insert(visitor);
      } else if (word == "copy") {
        copy(visitor);
      } else {
        skip_statement();
      }
    }
    if (error_.empty()) return std::nullopt;
    return Error{"line " + std::to_string(error_line_) + ": " + error_};
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }
  [[nodiscard]] bool sees(std::string_view what) const {
    return text_.substr(at_).starts_with(what);
  }

  void advance(size_t bytes = 1) {
    const size_t end = std::min(at_ + bytes, text_.size());
    line_ += static_cast<uint64_t>(std::count(text_.begin() + static_cast<ptrdiff_t>(at_),
                                              text_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  void fail(std::string why) {
    if (!error_.empty()) return;
    error_ = std::move(why);
    error_line_ = line_;
  }

  void skip_past(std::string_view mark) {
    const size_t found = text_.find(mark, at_);
    advance(found == std::string_view::npos ? text_.size() : found + mark.size() - at_);
  }

  // Blanks and comments; the statements that mysqldump hides in /*! */ are set-up, and none of
  // ours.
  void skip_blanks() {
    while (!at_end()) {
      if (is_blank(peek())) {
        advance();
      } else if (sees("--") || (backslashes_ && peek() == '#')) {
        skip_past("\n");
      } else if (sees("/*")) {
        skip_past("*/");
      } else {
        return;
      }
    }
  }

  std::string take_word() {
    const size_t begin = at_;
    while (!at_end() && is_word(peek())) advance();
    return std::string(text_.substr(begin, at_ - begin));
  }

  bool take_keyword(std::string_view wanted) {
    skip_blanks();
    const size_t begin = at_;
    if (lower(take_word()) == wanted) return true;
    at_ = begin;  // a word has no newline
    return false;
  }

  bool take_char(char wanted) {
    skip_blanks();
    if (peek() != wanted) return false;
    advance();
    return true;
  }

  // A string in `quote`s, from its first one on.
  std::string take_quoted(char quote, bool backslashes) {
    std::string value;
    advance();
    while (true) {
      if (at_end()) {
        fail("a quote is opened and never closed; is the dump whole?");
        return value;
      }
      const char c = peek();
      if (c == quote) {
        advance();
        if (peek() != quote) return value;
        value += quote;
        advance();
      } else if (c == '\\' && backslashes) {
        advance();
        value += unescaped(peek());
        advance();
      } else {
        value += c;
        advance();
      }
    }
  }

  static char unescaped(char c) {
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'b':
        return '\b';
      case '0':
        return '\0';
      case 'Z':
        return '\x1a';
      default:
        return c;
    }
  }

  // The name of a table or column, quoted as any server does.
  std::string take_name() {
    skip_blanks();
    if (peek() == '"' || peek() == '`') return take_quoted(peek(), false);
    if (peek() == '[') {
      const size_t begin = at_ + 1;
      skip_past("]");
      return std::string(text_.substr(begin, at_ - begin - 1));
    }
    return take_word();
  }

  // SCHEMA.TABLE as the table's own name.
  std::string take_table() {
    std::string name = take_name();
    while (take_char('.')) name = take_name();
    return lower(name);
  }

  void skip_one() {
    const char c = peek();
    if (c == '\'') {
      (void)take_quoted(c, backslashes_);
    } else if (c == '"' || c == '`') {
      (void)take_quoted(c, backslashes_ && c == '"');
    } else if (c == '$') {
      dollar();
    } else {
      advance();
    }
  }

  // A body in $tag$ … $tag$, as PostgreSQL's functions have it.
  void dollar() {
    const size_t begin = at_;
    advance();
    while (!at_end() && is_word(peek())) advance();
    if (peek() != '$') return;
    advance();
    const std::string tag(text_.substr(begin, at_ - begin));
    skip_past(tag);
  }

  void skip_statement() {
    while (!at_end()) {
      skip_blanks();
      if (take_char(';')) return;
      if (at_end()) return;
      skip_one();
    }
  }

  // Up to the `,` or `)` that ends what is at hand, which stays.
  void skip_item() {
    int depth = 0;
    while (!at_end() && error_.empty()) {
      skip_blanks();
      const char c = peek();
      if (depth == 0 && (c == ',' || c == ')')) return;
      if (c == '(') ++depth;
      if (c == ')') --depth;
      skip_one();
    }
    fail("a list is opened and never closed; is the dump whole?");
  }

  void create(const Visitor& visitor) {
    if (!take_keyword("table")) return skip_statement();
    if (take_keyword("if")) {
      (void)take_keyword("not");
      (void)take_keyword("exists");
    }
    const std::string table = take_table();
    Columns columns;
    if (!take_char('(')) return skip_statement();
    do {
      skip_blanks();
      const bool is_quoted = peek() == '"' || peek() == '`' || peek() == '[';
      std::string name = lower(take_name());
      const bool is_constraint =
          !is_quoted && (name == "primary" || name == "key" || name == "unique" ||
                         name == "constraint" || name == "foreign" || name == "check" ||
                         name == "index" || name == "fulltext" || name == "exclude");
      if (!is_constraint && columns.size() < kMaxColumns) columns.push_back(std::move(name));
      skip_item();
    } while (error_.empty() && take_char(','));
    skip_statement();
    if (error_.empty()) visitor.create(table, std::move(columns));
  }

  Columns take_columns() {
    Columns columns;
    do {
      columns.push_back(lower(take_name()));
    } while (take_char(',') && columns.size() < kMaxColumns);
    if (!take_char(')')) fail("a list of columns is not closed");
    return columns;
  }

  void insert(const Visitor& visitor) {
    (void)take_keyword("ignore");
    if (!take_keyword("into")) return skip_statement();
    const std::string table = take_table();
    Columns columns;
    if (take_char('(')) columns = take_columns();
    if (!take_keyword("values")) return skip_statement();
    do {
      skip_blanks();
      const uint64_t line = line_;
      if (!take_char('(')) return fail("a row does not begin with (");
      std::vector<Cell> cells;
      do {
        cells.push_back(take_value());
      } while (error_.empty() && cells.size() < kMaxColumns && take_char(','));
      if (!error_.empty()) return;
      if (!take_char(')')) return fail("a row does not end with )");
      if (!visitor.row(table, columns.empty() ? nullptr : &columns, std::move(cells), line)) {
        stopped_ = true;
        return;
      }
    } while (take_char(','));
    skip_statement();
  }

  // One value: a string in any of its forms, NULL, or whatever stands there up to the next comma.
  Cell take_value() {
    skip_blanks();
    const size_t begin = at_;
    std::string word = lower(take_word());
    if (word == "null") return std::nullopt;
    if (word.starts_with('_')) skip_blanks();  // _binary 'x'
    if (peek() == '\'' && (word.empty() || word == "e" || word == "n" || word.starts_with('_'))) {
      std::string value = take_quoted('\'', backslashes_ || word == "e");
      skip_blanks();
      if (peek() != ',' && peek() != ')') skip_item();  // ::text and the like
      return value;
    }
    skip_item();
    std::string_view rest = text_.substr(begin, at_ - begin);
    while (!rest.empty() && is_blank(rest.back())) rest.remove_suffix(1);
    return std::string(rest);
  }

  // COPY table (columns) FROM stdin; and lines of cells with tabs between, up to \.
  void copy(const Visitor& visitor) {
    const std::string table = take_table();
    Columns columns;
    if (take_char('(')) columns = take_columns();
    if (!take_keyword("from") || !take_keyword("stdin")) return skip_statement();
    skip_statement();
    skip_past("\n");
    while (!at_end() && !stopped_) {
      const uint64_t line = line_;
      const size_t end = std::min(text_.find('\n', at_), text_.size());
      std::string_view row = text_.substr(at_, end - at_);
      advance(end - at_ + 1);
      if (row == "\\." || row == "\\.\r") return;
      std::vector<Cell> cells;
      while (cells.size() < kMaxColumns) {
        const size_t tab = row.find('\t');
        cells.push_back(copied(row.substr(0, tab)));
        if (tab == std::string_view::npos) break;
        row.remove_prefix(tab + 1);
      }
      if (!visitor.row(table, columns.empty() ? nullptr : &columns, std::move(cells), line)) {
        stopped_ = true;
      }
    }
    if (!stopped_) fail("the rows of COPY have no end (\\.); is the dump whole?");
  }

  static Cell copied(std::string_view cell) {
    if (cell == "\\N") return std::nullopt;
    std::string value;
    for (size_t i = 0; i < cell.size(); ++i) {
      if (cell[i] == '\\' && i + 1 < cell.size()) {
        value += unescaped(cell[++i]);
      } else {
        value += cell[i];
      }
    }
    return value;
  }

  const std::string_view text_;
  const bool backslashes_;
  size_t at_ = 0;
  uint64_t line_ = 1;
  std::string error_;
  uint64_t error_line_ = 0;
  bool stopped_ = false;
};

struct Table {
  std::string name;
  Columns columns;
};

std::optional<size_t> index_of(const Columns& columns, std::string_view name) {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<size_t>(found - columns.begin());
}

// The column that was asked for, else the first of the usual ones; empty: none.
template <typename Usual>
std::string choose_column(const Columns& columns, const std::string& wanted, const Usual& usual) {
  if (!wanted.empty()) return index_of(columns, lower(wanted)) ? lower(wanted) : "";
  for (const std::string_view name : usual) {
    if (index_of(columns, name)) return std::string(name);
  }
  return {};
}

std::string joined(const Columns& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "none" : all;
}

Result<Table> choose_table(const std::vector<Table>& tables, const SqlDumpPlaces& places) {
  Columns names;
  for (const Table& table : tables) names.push_back(table.name);
  const auto named = [&](std::string_view name) {
    return std::find_if(tables.begin(), tables.end(),
                        [&](const auto& t) { return t.name == name; });
  };
  if (!places.table.empty()) {
    const std::string wanted = lower(places.table.substr(places.table.rfind('.') + 1));
    if (const auto found = named(wanted); found != tables.end()) return *found;
    return failure("it has no table " + wanted + "; it has: " + joined(names));
  }
  for (const std::string_view usual : kTables) {
    if (const auto found = named(usual); found != tables.end()) return *found;
  }
  std::vector<Table> fitting;
  for (const Table& table : tables) {
    if (!choose_column(table.columns, places.user_column, kUserColumns).empty() &&
        !choose_column(table.columns, places.password_column, kPasswordColumns).empty()) {
      fitting.push_back(table);
    }
  }
  if (fitting.size() == 1) return fitting.front();
  return failure("which table holds the accounts is not clear; say it with --table; it has: " +
                 joined(names));
}

// What a passwd-file can hold of a stored password: a colon would end it.
std::string passwd_field(const std::string& stored) {
  if (stored.find(':') == std::string::npos) return stored;
  for (const std::string_view plain : {"{PLAIN}", "{CLEARTEXT}", "{CLEAR}"}) {
    if (stored.starts_with(plain))
      return "{PLAIN.b64}" + base64_encode(stored.substr(plain.size()));
  }
  return stored;
}

bool is_off(const std::string& value) {
  const std::string word = lower(value);
  return word == "0" || word == "f" || word == "false" || word == "n" || word == "no" ||
         word.empty();
}

}  // namespace

bool looks_like_sql_dump(std::string_view text) {
  text = text.substr(0, 512);
  for (const std::string_view mark :
       {"-- PostgreSQL database dump", "-- MySQL dump", "-- MariaDB dump", "/*M!999999",
        "PRAGMA foreign_keys=OFF;", "BEGIN TRANSACTION;\nCREATE TABLE", "INSERT INTO ",
        "CREATE TABLE "}) {
    const size_t at = text.find(mark);
    if (at != std::string_view::npos && (at == 0 || text[at - 1] == '\n')) return true;
  }
  return false;
}

Result<void> read_sql_dump(std::string_view text, const SqlDumpPlaces& places, SqlDumpLines& into) {
  std::vector<Table> tables;
  const auto note = [&](const std::string& name, const Columns& columns) {
    const bool is_known = std::any_of(tables.begin(), tables.end(),
                                      [&](const Table& table) { return table.name == name; });
    if (!is_known && tables.size() < kMaxTables) tables.push_back({name, columns});
  };
  if (auto error =
          DumpScanner(text).scan({note, [&](const std::string& name, const Columns* columns,
                                            const std::vector<Cell>&, uint64_t) {
                                    if (columns != nullptr) note(name, *columns);
                                    return true;
                                  }})) {
    return tl::unexpected(*std::move(error));
  }
  const auto table = choose_table(tables, places);
  if (!table) return tl::unexpected(table.error());
  into.table = table->name;
  into.user_column = choose_column(table->columns, places.user_column, kUserColumns);
  into.password_column = choose_column(table->columns, places.password_column, kPasswordColumns);
  for (const auto& [column, what, option] :
       {std::tuple(into.user_column, "names", "--user-column"),
        std::tuple(into.password_column, "passwords", "--password-column")}) {
    if (!column.empty()) continue;
    return failure("which column of the table " + table->name + " holds the " + what +
                   " is not clear; say it with " + option + "; it has: " + joined(table->columns));
  }
  std::string trouble;
  const auto take = [&](const std::string& name, const Columns* given, std::vector<Cell> cells,
                        uint64_t line) {
    if (name != table->name) return true;
    const Columns& columns = given != nullptr ? *given : table->columns;
    const auto cell = [&](std::string_view column) -> const Cell* {
      const auto index = index_of(columns, column);
      return index && *index < cells.size() ? &cells[*index] : nullptr;
    };
    const Cell* const user = cell(into.user_column);
    const Cell* const password = cell(into.password_column);
    if (cells.size() != columns.size() || user == nullptr || password == nullptr) {
      trouble = "line " + std::to_string(line) + ": the row has other columns than its table";
      return false;
    }
    std::string account = user->value_or("");
    const Cell* const domain = cell("domain");
    if (domain != nullptr && *domain && account.find('@') == std::string::npos) {
      account += "@" + **domain;
    }
    std::string stored = passwd_field(password->value_or(""));
    const auto breaks = [](const std::string& value) {
      return value.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos;
    };
    if (breaks(account) || account.find(':') != std::string::npos || account.empty() ||
        account.starts_with('#') || breaks(stored)) {
      trouble = "line " + std::to_string(line) +
                ": a name is missing or, like a password, has a character that cannot be in it";
      return false;
    }
    bool is_active = true;
    for (const std::string_view column : {"active", "enabled"}) {
      if (const Cell* const word = cell(column); word != nullptr && is_off(word->value_or(""))) {
        is_active = false;
      }
    }
    into.passwd_file += account + ":" + stored + (is_active ? "\n" : "::::::nologin\n");
    into.dump_lines.push_back(line);
    wipe(stored);
    for (Cell& one : cells) {
      if (one) wipe(*one);
    }
    return true;
  };
  into.passwd_file.reserve(text.size());
  if (auto error = DumpScanner(text).scan({[](const std::string&, const Columns&) {}, take})) {
    return tl::unexpected(*std::move(error));
  }
  if (!trouble.empty()) return failure(trouble);
  if (into.dump_lines.empty()) return failure("the table " + table->name + " has no row in it");
  return {};
}

}  // namespace saslatch::passdb
