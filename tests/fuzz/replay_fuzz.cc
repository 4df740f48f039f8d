#include <cstdlib>
#include <string_view>
#include <variant>

#include "daemon/replay/assembler.h"
#include "daemon/replay/line_reader.h"

namespace {

using saslatch::replay::Fact;
using saslatch::replay::LineResult;

bool differ(const LineResult& a, const LineResult& b) {
  if (a.index() != b.index()) return true;
  const auto* x = std::get_if<Fact>(&a);
  if (x == nullptr) return std::get<1>(a) != std::get<1>(b);
  const Fact& y = std::get<Fact>(b);
  return x->at != y.at || x->result != y.result || x->names_user != y.names_user ||
         x->user != y.user || x->rip != y.rip || x->shows_password != y.shows_password ||
         x->repeats != y.repeats;
}

}  // namespace

// Logs of any kind: no crash, nothing kept beyond its bounds, and never more attempts than the
// lines can stand for. The first byte chooses the format.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saslatch::replay;
  if (size == 0 || size > 65536) return 0;
  const auto format = static_cast<Format>(data[0] % 4);
  std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  FixedZone zone(3600, "CET");
  const Time written{std::chrono::sys_days(std::chrono::year(2030) / 12 / 1)};
  LineReader reader(format, zone, written);
  Leftovers leftovers;
  Assembler assembler;
  uint64_t lines = 0, most = 0, attempts = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
    ++lines;
    (void)reader.time_of(line);
    if (line.starts_with('{') && differ(parse_audit(line), parse_audit_slowly(line))) std::abort();
    LineResult result = reader.read(line);
    if (auto* fact = std::get_if<Fact>(&result)) {
      if (fact->user.size() > 4 * line.size()) std::abort();
      most += fact->times < 1000 ? fact->times + 1 : 1001;
      assembler.feed({std::move(*fact), 0, lines});
    } else {
      leftovers.add(std::get<Unusable>(result), "file", lines, line);
    }
    while (assembler.next()) ++attempts;
  }
  assembler.finish();
  while (assembler.next()) ++attempts;
  if (attempts > most) std::abort();
  return 0;
}
