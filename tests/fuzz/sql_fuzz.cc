// What of SQL we read ourselves: by the first byte the query of a passdb, in the dialect of each
// server, or the dump of a database as `saslatch user import` reads it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/passdb/sql/query_template.h"
#include "daemon/passdb/sql_dump.h"

namespace {

using namespace saslatch::passdb;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_query(std::string_view text, sql::Dialect dialect) {
  const auto made = sql::QueryTemplate::parse(text, dialect);
  if (!made) return require(!made.error().message.empty());
  // Whatever the name is, the query's text is the same and only values differ.
  const std::string before = made->text();
  for (const std::string_view name : {"alice", "%u' OR 1=1 --", "@", ""}) {
    require(made->values_for(name).size() == made->parameters());
  }
  require(made->text() == before);
}

void read_dump(std::string_view text) {
  SqlDumpLines lines;
  (void)looks_like_sql_dump(text);
  if (!read_sql_dump(text, {}, lines)) return;
  size_t count = 0;
  for (const char c : lines.passwd_file) count += c == '\n' ? 1 : 0;
  require(count == lines.dump_lines.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0]) {
    case 'p':
      read_query(text, sql::Dialect::kPgsql);
      break;
    case 'm':
      read_query(text, sql::Dialect::kMysql);
      break;
    case 's':
      read_query(text, sql::Dialect::kSqlite);
      break;
    default:
      read_dump(text);
  }
  return 0;
}
