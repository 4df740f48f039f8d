#include "daemon/cli/daemon_commands.h"
#include "daemon/cli/format.h"
#include "daemon/cli/option_value.h"
#include "daemon/policy/settings.h"

namespace saslatch::cli {
namespace {

constexpr uint64_t kListed = 1000;
constexpr uint64_t kMostListed = 100'000;  // what the daemon lists in one reply

}  // namespace

ExitCode lock_list(const Invocation& invocation, Console& console) {
  const auto limit = option_value(invocation, "limit", config::number(0, kMostListed), kListed);
  if (!limit) return console.fail(ExitCode::kUsage, limit.error().message);
  ExitCode exit{};
  const auto reply = ask_daemon(invocation, console, exit, "lock list", Json{{"limit", *limit}});
  if (!reply) return exit;
  if (console.style().json) {
    console.print(without_ok(*reply));
    return ExitCode::kOk;
  }
  Table table({"SUBJECT", "RULE", "LEFT", "UNTIL", "LEVEL", "REASON"}, {2, 4});
  const Json& locks = part(*reply, "locks");
  for (const Json& lock : locks) {
    table.add({{text_field(lock, "subject")},
               {text_field(lock, "rule")},
               {format_duration(std::chrono::seconds(number_field(lock, "left_seconds")))},
               {text_field(lock, "until")},
               {std::to_string(number_field(lock, "level"))},
               {text_field(lock, "reason")}});
  }
  if (!table.empty()) console.print(table);
  const auto total = static_cast<uint64_t>(number_field(*reply, "total"));
  if (total == 0) console.note("nothing is locked");
  if (total > locks.size()) {
    console.note("and " + std::to_string(total - locks.size()) + " more; --limit shows them");
  }
  return ExitCode::kOk;
}

ExitCode lock_add(const Invocation& invocation, Console& console) {
  const auto reason = invocation.value("reason");
  if (!invocation.has("for") || !reason) {
    return console.fail(ExitCode::kUsage,
                        "'lock add' needs --for DURATION and --reason TEXT: a lock has an end, and "
                        "your colleagues will ask why");
  }
  const auto lasts =
      option_value(invocation, "for", config::duration(std::chrono::seconds(1), policy::kMaxLock),
                   config::Milliseconds());
  if (!lasts) return console.fail(ExitCode::kUsage, lasts.error().message);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*lasts);
  ExitCode exit{};
  const auto reply = ask_daemon(invocation, console, exit, "lock add",
                                Json{{"subject", invocation.arguments[0]},
                                     {"for_seconds", static_cast<uint64_t>(seconds.count())},
                                     {"reason", *reason}});
  if (!reply) return exit;
  if (console.style().json) console.print(without_ok(*reply));
  console.note("locked " + text_field(*reply, "subject") + " until " + text_field(*reply, "until"));
  return ExitCode::kOk;
}

ExitCode lock_clear(const Invocation& invocation, Console& console) {
  const bool all = invocation.has("all");
  if (all == !invocation.arguments.empty()) {
    return console.fail(ExitCode::kUsage, "'lock clear' needs either SUBJECT or --all");
  }
  ExitCode exit{};
  const auto reply =
      ask_daemon(invocation, console, exit, "lock clear",
                 all ? Json{{"all", true}} : Json{{"subject", invocation.arguments[0]}});
  if (!reply) return exit;
  if (console.style().json) console.print(without_ok(*reply));
  const auto cleared = static_cast<uint64_t>(number_field(*reply, "cleared"));
  const std::string whose = all ? "" : " of " + text_field(*reply, "subject");
  console.note(cleared == 0 ? "there was no live lock" + whose + "; what was counted is forgotten"
                            : "cleared " + counted(cleared, "lock") + whose);
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
