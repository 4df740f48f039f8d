#include <algorithm>

#include "daemon/cli/daemon_commands.h"
#include "daemon/cli/format.h"

namespace saslatch::cli {
namespace {

using std::chrono::seconds;

std::string first_line(const Json& status) {
  const Json& policy = part(status, "policy");
  std::string line = "saslatchd " + text_field(status, "version") + ", pid " +
                     std::to_string(number_field(status, "pid")) + ", up " +
                     format_duration(seconds(number_field(status, "uptime_seconds")));
  if (const std::string user = text_field(status, "user"); !user.empty()) line += ", as " + user;
  return line + "; policy " + text_field(policy, "preset") + ", mode " + text_field(policy, "mode");
}

// Where its clients find it, several by blanks.
std::string addresses_of(const Json& listener) {
  std::string all;
  for (const Json& address : part(listener, "addresses")) {
    if (address.is_string()) all += (all.empty() ? "" : " ") + address.get<std::string>();
  }
  return all.empty() ? text_field(listener, "socket") : all;
}

std::string listeners(const Json& status, bool colours) {
  Table table({"LISTENER", "PROTOCOL", "SOCKET", "CONNECTIONS", "STATE"}, {3});
  for (const Json& listener : part(status, "listeners")) {
    const bool accepting = bool_field(listener, "accepting");
    table.add({{text_field(listener, "name")},
               {text_field(listener, "protocol")},
               {addresses_of(listener)},
               {std::to_string(number_field(listener, "connections"))},
               {accepting ? "ok" : "paused: no descriptor is left",
                accepting ? Tone::kGood : Tone::kBad}});
  }
  return table.render(colours);
}

std::string passdbs(const Json& status, bool colours) {
  Table table({"PASSDB", "DRIVER", "ACCOUNTS", "STATE"}, {2});
  for (const Json& passdb : part(status, "passdbs")) {
    const bool available = bool_field(passdb, "available");
    table.add(
        {{text_field(passdb, "name")},
         {text_field(passdb, "driver")},
         {passdb.contains("accounts") ? std::to_string(number_field(passdb, "accounts")) : ""},
         {available ? "ok" : "down: " + text_field(passdb, "trouble"),
          available ? Tone::kGood : Tone::kBad}});
  }
  return table.render(colours);
}

// "state   ok  /var/lib/saslatch", or its trouble.
std::string store(const Json& status, const std::string& name, bool colours) {
  const Json& store = part(status, name);
  const std::string path = text_field(store, "path");
  const bool healthy = bool_field(store, "healthy");
  std::string line = name;
  line.resize(10, ' ');
  if (path.empty() && healthy) return line + "none\n";
  const std::string state = healthy ? "ok" : "trouble: " + printable(text_field(store, "trouble"));
  return line + in_tone(state, healthy ? Tone::kGood : Tone::kBad, colours) + "  " +
         printable(path) + "\n";
}

// "attempts  ok 12  fail 3 ...": the figures of `object` that are not 0, or all of them.
std::string figures(std::string name, const Json& object, bool with_zeros) {
  name.resize(10, ' ');
  std::string line;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_number() || key == "mean_us" || (!with_zeros && value == Json(0))) continue;
    std::string words = printable(key);
    std::replace(words.begin(), words.end(), '_', ' ');
    line += (line.empty() ? "" : "   ") + words + " " + std::to_string(value.get<int64_t>());
  }
  return name + (line.empty() ? "none" : line) + "\n";
}

}  // namespace

std::string render_status(const Json& status, bool colours) {
  std::string text = printable(first_line(status)) + "\n\n";
  text += listeners(status, colours) + "\n" + passdbs(status, colours) + "\n";
  text += store(status, "state", colours);
  if (status.contains("shared")) text += store(status, "shared", colours);
  text += store(status, "audit", colours);
  const Json& attempts = part(status, "attempts");
  text += figures("attempts", attempts, true);
  text += "          mean " + std::to_string(number_field(attempts, "mean_us") / 1000) + " ms\n";
  text += figures("causes", part(status, "causes"), false);
  text += figures("now", part(status, "now"), false);
  text += figures("locked by", part(status, "locks_by_rule"), false);
  return text;
}

ExitCode status(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  const auto reply = ask_daemon(invocation, console, exit, "status");
  if (!reply) return exit;
  if (console.style().json) {
    console.print(without_ok(*reply));
  } else {
    console.verbatim(render_status(*reply, console.style().out_colours));
  }
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
