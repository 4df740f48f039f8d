#include "daemon/passdb/sql/query_template.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace saslatch::passdb::sql {
namespace {

constexpr std::string_view kAccepted =
    "; accepted: %u or %{user}, %n or %{username}, %d or %{domain}, and %% for a percent sign";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// What may stand beside a variable that is not in quotes: then the placeholder is a word of its
// own, however the server cuts words.
bool may_be_beside(char c) {
  return is_blank(c) || std::string_view("(),=<>;").find(c) != std::string_view::npos;
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

class TemplateParser {
 public:
  using Variable = QueryTemplate::Variable;
  using Parameter = QueryTemplate::Parameter;

  TemplateParser(std::string_view query, Dialect dialect) : rest_(query), dialect_(dialect) {}

  Result<QueryTemplate> parse() {
    while (!rest_.empty() && error_.empty()) step();
    if (!error_.empty()) return failure(std::move(error_));
    return std::move(made_);
  }

 private:
  void step() {
    const char c = rest_.front();
    if (c == '\'') return quoted();
    if (c == '"' || c == '`') return other_quotes(c);
    if (rest_.starts_with("/*")) return comment("*/");
    if (rest_.starts_with("--") || (c == '#' && dialect_ == Dialect::kMysql)) return comment("\n");
    if (c == '%') return bare_variable();
    if (c == ';') return semicolon();
    take(1);
  }

  // A string in single quotes. With a variable it becomes a parameter as a whole, else it stays.
  void quoted() {
    std::string content;
    Parameter pieces;
    bool has_variable = false;
    bool has_backslash = false;
    size_t at = 1;
    while (true) {
      if (at >= rest_.size()) return fail("a string begins with ' and has no end");
      const char c = rest_[at];
      if (c == '\'' && at + 1 < rest_.size() && rest_[at + 1] == '\'') {
        content += '\'';
        at += 2;
      } else if (c == '\'') {
        break;
      } else if (c == '\\') {
        has_backslash = true;
        // In MySQL it takes the next character's meaning away.
        const size_t length = dialect_ == Dialect::kMysql ? 2 : 1;
        content += rest_.substr(at, length);
        at += length;
      } else if (c == '%') {
        if (rest_.substr(at).starts_with("%%")) {
          content += '%';
          at += 2;
          continue;
        }
        size_t length = 0;
        const auto variable = read_variable(rest_.substr(at), length);
        if (!variable) return;
        has_variable = true;
        if (!content.empty()) pieces.emplace_back(std::exchange(content, {}));
        pieces.emplace_back(*variable);
        at += length;
      } else {
        content += c;
        ++at;
      }
    }
    if (!has_variable) return take_unescaped(at + 1);
    if (has_backslash) {
      return fail(
          "a string with a variable has a backslash, which servers read differently; "
          "accepted: a string without one");
    }
    if (!made_.text_.empty() && is_word(made_.text_.back())) {
      return fail("a string with a variable has a prefix (like E'' or N''); accepted: one without");
    }
    if (!content.empty()) pieces.emplace_back(std::move(content));
    rest_.remove_prefix(at + 1);
    if (!rest_.empty() && is_word(rest_.front())) {
      return fail("a string with a variable is followed by a word; accepted: a blank between");
    }
    add(std::move(pieces));
  }

  // A name in PostgreSQL and SQLite, in MySQL a string or a name: never a parameter.
  void other_quotes(char quote) {
    const size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos)
      return fail(std::string("a ") + quote + " has no second one");
    if (has_variable(rest_.substr(0, end))) {
      return fail(std::string("a variable stands in ") + quote + quote +
                  "; accepted: single quotes, or none");
    }
    take_unescaped(end + 1);
  }

  void comment(std::string_view end_mark) {
    const size_t end = rest_.find(end_mark);
    if (end == std::string_view::npos && end_mark == "*/") {
      return fail("a comment begins with /* and has no end");
    }
    const size_t length = std::min(end, rest_.size() - end_mark.size()) + end_mark.size();
    if (has_variable(rest_.substr(0, length))) {
      return fail("a variable stands in a comment; accepted: a comment without");
    }
    take_unescaped(length);
  }

  void bare_variable() {
    if (rest_.starts_with("%%")) {
      made_.text_ += '%';
      rest_.remove_prefix(2);
      return;
    }
    size_t length = 0;
    const auto variable = read_variable(rest_, length);
    if (!variable) return;
    const std::string name(rest_.substr(0, length));
    const bool stands_alone = (made_.text_.empty() || may_be_beside(made_.text_.back())) &&
                              (length >= rest_.size() || may_be_beside(rest_[length]));
    if (!stands_alone) {
      return fail(name +
                  " is part of something longer, and a parameter can only be a value; "
                  "accepted: " +
                  name +
                  " alone, or the whole value in single quotes, as in "
                  "'%n@%d'");
    }
    rest_.remove_prefix(length);
    add({*variable});
  }

  void semicolon() {
    if (!std::all_of(rest_.begin() + 1, rest_.end(), is_blank)) {
      return fail("something follows a semicolon; accepted: one statement");
    }
    rest_ = {};
  }

  // The variable that `text` begins with, and its length; nullopt with error_ set.
  std::optional<Variable> read_variable(std::string_view text, size_t& length) {
    std::string name;
    if (text.starts_with("%{")) {
      const size_t end = text.find('}');
      if (end == std::string_view::npos) {
        fail("a %{ has no }" + std::string(kAccepted));
        return std::nullopt;
      }
      length = end + 1;
      name = text.substr(2, end - 2);
      std::erase_if(name, is_blank);
    } else {
      length = std::min<size_t>(2, text.size());
      name = text.substr(1, length - 1);
    }
    if (name == "u" || name == "user") return Variable::kUser;
    if (name == "n" || name == "username" || name == "user|username") return Variable::kUsername;
    if (name == "d" || name == "domain" || name == "user|domain") return Variable::kDomain;
    const std::string written(text.substr(0, length));
    for (const std::string_view known : {"L", "U", "Lu", "Ln", "Ld"}) {
      if (name == known) {
        fail(written + " is not known; names are lower-cased by [usernames] lowercase" +
             std::string(kAccepted));
        return std::nullopt;
      }
    }
    for (const std::string_view known : {"s", "r", "l", "service", "protocol", "rip", "lip",
                                         "remote_ip", "local_ip", "w", "password"}) {
      if (name == known) {
        fail(written +
             " is not known when a name is looked up (which needs no more than the name)" +
             std::string(kAccepted));
        return std::nullopt;
      }
    }
    fail(written + " is no variable" + std::string(kAccepted));
    return std::nullopt;
  }

  [[nodiscard]] static bool has_variable(std::string_view text) {
    for (size_t at = text.find('%'); at < text.size(); at = text.find('%', at + 2)) {
      if (!text.substr(at).starts_with("%%")) return true;
    }
    return false;
  }

  void add(Parameter parameter) {
    made_.parameters_.push_back(std::move(parameter));
    const std::string number = std::to_string(made_.parameters_.size());
    switch (dialect_) {
      case Dialect::kPgsql:
        made_.text_ += "$" + number;
        break;
      case Dialect::kMysql:
        made_.text_ += "?";
        break;
      case Dialect::kSqlite:
        made_.text_ += "?" + number;
        break;
    }
  }

  void take(size_t length) {
    made_.text_ += rest_.substr(0, length);
    rest_.remove_prefix(length);
  }

  // The same, with each %% made one.
  void take_unescaped(size_t length) {
    for (size_t i = 0; i < length; ++i) {
      made_.text_ += rest_[i];
      if (rest_.substr(i, length - i).starts_with("%%")) ++i;
    }
    rest_.remove_prefix(length);
  }

  void fail(std::string why) { error_ = std::move(why); }

  std::string_view rest_;
  const Dialect dialect_;
  QueryTemplate made_;
  std::string error_;
};

Result<QueryTemplate> QueryTemplate::parse(std::string_view query, Dialect dialect) {
  return TemplateParser(query, dialect).parse();
}

std::vector<std::string> QueryTemplate::values_for(std::string_view name) const {
  const size_t at = std::min(name.find('@'), name.size());
  std::vector<std::string> values;
  values.reserve(parameters_.size());
  for (const Parameter& parameter : parameters_) {
    std::string& value = values.emplace_back();
    for (const Piece& piece : parameter) {
      if (const auto* text = std::get_if<std::string>(&piece)) {
        value += *text;
        continue;
      }
      switch (std::get<Variable>(piece)) {
        case Variable::kUser:
          value += name;
          break;
        case Variable::kUsername:
          value += name.substr(0, at);
          break;
        case Variable::kDomain:
          value += name.substr(std::min(at + 1, name.size()));
          break;
      }
    }
  }
  return values;
}

}  // namespace saslatch::passdb::sql
