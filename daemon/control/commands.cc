#include "daemon/control/commands.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "daemon/control/command_json.h"

namespace saslatch::control {
namespace {

// One command: what it is called, which fields it takes, whether it changes anything.
struct Row {
  std::string_view name;
  std::array<std::string_view, 3> fields;
  bool changes;
  std::string_view target;  // the field that the audit event shows
  Outcome (*run)(const Parts&, const Call&);
};

constexpr std::array<Row, 8> kRows{{
    {"ping", {}, false, "", run_ping},
    {"status", {}, false, "", run_status},
    {"reload", {}, true, "", run_reload},
    {"lock list", {"limit"}, false, "", run_lock_list},
    {"lock add", {"subject", "for_seconds", "reason"}, true, "subject", run_lock_add},
    {"lock clear", {"subject", "all"}, true, "subject", run_lock_clear},
    {"explain", {"subject"}, false, "", run_explain},
    {"note change", {"change", "target", "by"}, false, "", run_note_change},
}};

// Words of the peer's are quoted no longer than this.
constexpr size_t kMaxQuoted = 64;

std::string in_quotes(std::string_view text) {
  return "'" + std::string(text.substr(0, kMaxQuoted)) + "'";
}

std::string line_of(const Json& reply) {
  return reply.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string line_of(const Refused& refused) {
  Json reply{{"ok", false}, {"error", refused.error}, {"exit", refused.exit}};
  reply.update(refused.more);
  return line_of(reply);
}

const Row* find_row(std::string_view name) {
  const auto found =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.name == name; });
  return found == kRows.end() ? nullptr : &*found;
}

Refused unknown_command(std::string_view name) {
  std::string error = "unknown command " + in_quotes(name) + "; there is ";
  for (const Row& row : kRows) {
    if (&row != kRows.data()) error += ", ";
    error += row.name;
  }
  return {kExitUsage, std::move(error), Json::object()};
}

// A misspelt field must not be taken for an absent one: `lock clear` would do the wrong thing.
tl::expected<void, Refused> check_fields(const Json& request, const Row& row) {
  for (const auto& [name, value] : request.items()) {
    if (name == "command") continue;
    if (!name.empty() && std::find(row.fields.begin(), row.fields.end(), name) != row.fields.end())
      continue;
    return refuse(kExitUsage, "'" + std::string(row.name) + "' takes no field " + in_quotes(name));
  }
  return {};
}

std::string target_of(const Json& request, const Row& row) {
  if (request.contains("all")) return "all";
  const auto found = row.target.empty() ? request.end() : request.find(row.target);
  return found != request.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Peer make_peer(uint32_t uid, uint32_t daemon_uid) {
  return {uid == 0 ? "root" : "uid " + std::to_string(uid), uid == 0 || uid == daemon_uid};
}

std::string too_long_reply(size_t limit) {
  return line_of(Refused{
      kExitUsage,
      "the request has no end within " + std::to_string(limit) + " bytes; it is one line of JSON",
      Json::object()});
}

std::string Commands::answer(std::string_view line, const Peer& peer, Now now) {
  const Json request = Json::parse(line, nullptr, false);
  if (!request.is_object()) {
    return line_of(Refused{kExitUsage,
                           "the request is no JSON object; accepted is one line such as "
                           R"({"command":"status"})",
                           Json::object()});
  }
  const auto command = request.find("command");
  if (command == request.end() || !command->is_string()) {
    return line_of(unknown_command(""));
  }
  const std::string name = command->get<std::string>();
  const Row* row = find_row(name);
  if (row == nullptr) return line_of(unknown_command(name));
  if (const auto fields = check_fields(request, *row); !fields) return line_of(fields.error());

  Outcome outcome =
      row->changes && !peer.may_change
          ? refuse(kExitPermission,
                   "'" + name + "' is for root and the daemon's user; this is " + peer.name)
          : row->run(parts_, Call{request, peer, now});
  if (row->changes) {
    parts_.audit.write(AdminEvent{now.wall, name, target_of(request, *row), peer.name,
                                  outcome.has_value(), outcome ? "" : outcome.error().error});
  }
  if (!outcome) return line_of(outcome.error());
  Json reply{{"ok", true}};
  reply.update(*outcome);
  return line_of(reply);
}

std::string rfc3339(Wall time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

int64_t seconds_between(Wall from, Wall to) {
  return std::max<int64_t>(std::chrono::ceil<std::chrono::seconds>(to - from).count(), 0);
}

tl::expected<std::string, Refused> required_text(const Json& request, std::string_view field) {
  const auto found = request.find(field);
  if (found == request.end() || !found->is_string() || found->get_ref<const std::string&>().empty())
    return refuse(kExitUsage, "the field '" + std::string(field) + "' must be a text");
  return found->get<std::string>();
}

tl::expected<policy::Subject, Refused> required_subject(const Json& request,
                                                        const DaemonView& daemon) {
  auto text = required_text(request, "subject");
  if (!text) return tl::unexpected<Refused>(text.error());
  auto subject = policy::Subject::parse(*text);
  if (!subject) return refuse(kExitBadData, subject.error().message);
  if (!subject->user.empty()) {
    auto name = daemon.normalise(subject->user);
    if (!name) {
      return refuse(kExitBadData, "no login can have the name in " + in_quotes(*text) +
                                      ": [usernames] refuses it, so nothing is held on it");
    }
    subject->user = std::move(*name);
  }
  return std::move(*subject);
}

}  // namespace saslatch::control
