#ifndef SASLATCH_DAEMON_PASSDB_SQL_QUERY_TEMPLATE_H_
#define SASLATCH_DAEMON_PASSDB_SQL_QUERY_TEMPLATE_H_

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/result.h"

namespace saslatch::passdb::sql {

// What differs between the servers in the text of a query.
enum class Dialect { kPgsql, kMysql, kSqlite };

// A query as Dovecot has it, with variables for the name that is looked up:
//
//     %u %{user}                 the whole name
//     %n %{username}             what stands before its @
//     %d %{domain}               what stands after it; empty without one
//     %%                         a percent sign
//
// Nothing of a name ever becomes part of the query's text: each variable becomes a parameter of a
// prepared statement. Dovecot's habit of writing it in quotes is understood: a string in single
// quotes that holds variables, '%u' or 'mail/%d/%n', as a whole becomes one parameter, whose value
// is put together for each look-up. Where a variable cannot be a parameter (in "..." or `...`, in a
// comment, inside a word) the query is refused.
class QueryTemplate {
 public:
  // Pure. The error says what is wrong and how it is written.
  static Result<QueryTemplate> parse(std::string_view query, Dialect dialect);

  // With $1, ? or ?1 for the parameters, as the dialect has it.
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] size_t parameters() const { return parameters_.size(); }
  // What they are for `name`, in their order.
  [[nodiscard]] std::vector<std::string> values_for(std::string_view name) const;

 private:
  friend class TemplateParser;
  enum class Variable { kUser, kUsername, kDomain };
  using Piece = std::variant<std::string, Variable>;
  using Parameter = std::vector<Piece>;

  std::string text_;
  std::vector<Parameter> parameters_;
};

}  // namespace saslatch::passdb::sql

#endif  // SASLATCH_DAEMON_PASSDB_SQL_QUERY_TEMPLATE_H_
