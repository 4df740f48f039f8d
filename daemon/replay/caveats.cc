// What the logs cannot tell, rule by rule (docs/REPLAY.md, "What a log cannot tell").
#include <algorithm>

#include "daemon/replay/replay.h"

namespace saslatch::replay {
namespace {

using policy::By;
using policy::Count;

// Failures by the kind of log.
struct Logs {
  uint64_t audit = 0, smtpd = 0, login = 0, auth = 0;
  uint64_t with_password = 0;
  [[nodiscard]] uint64_t all() const { return audit + smtpd + login + auth; }
};

std::string percent_of(uint64_t part, uint64_t all) {
  const uint64_t tenths = all == 0 ? 0 : part * 1000 / all;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %";
}

// A rule that looks at the password itself.
std::optional<Caveat> about_passwords(const policy::Rule& rule, const Logs& logs,
                                      bool shows_hashes) {
  const bool compares = rule.by == By::kPassword;  // one account's with another's
  if (!compares && rule.count != Count::kDistinctPasswords) return std::nullopt;
  Caveat caveat;
  caveat.rules = {rule.name};
  if (shows_hashes) {
    if (logs.with_password == logs.all()) return std::nullopt;
    caveat.text =
        "only passwords that Dovecot logged a hash of (auth_verbose_passwords) are seen: a lower "
        "bound";
  } else if (!compares && logs.audit > 0) {
    caveat.text =
        "judged by what the audit log tells: whether a wrong password is a new one, not which";
  } else {
    caveat.blind = true;
    caveat.text = "cannot be judged, and never trips here: no log shows passwords";
  }
  return caveat;
}

std::optional<Caveat> about_unknown_users(const policy::Rule& rule, const Logs& logs) {
  if (rule.count != Count::kUnknownUsers) return std::nullopt;
  const uint64_t telling = logs.audit + logs.auth;
  if (telling == logs.all()) return std::nullopt;
  Caveat caveat;
  caveat.rules = {rule.name};
  caveat.blind = telling == 0;
  caveat.text =
      caveat.blind
          ? "cannot be judged, and never trips here: neither smtpd nor Dovecot's login processes "
            "tell whether an account exists (Dovecot's auth process does, with auth_verbose = yes)"
          : "judged for the " + percent_of(telling, logs.all()) +
                " of the failures whose log tells whether the account exists: a lower bound";
  return caveat;
}

std::optional<Caveat> about_repetitions(const policy::Rule& rule, const Logs& logs) {
  if (rule.count != Count::kFailures && rule.count != Count::kUnknownUsers) return std::nullopt;
  if (logs.audit > 0 || logs.with_password == logs.all()) return std::nullopt;
  return Caveat{{rule.name},
                "each failure of these logs is counted; the daemon counts a wrong password that a "
                "program repeats once an hour: live less is refused, owners above all",
                false};
}

std::optional<Caveat> about_names(const policy::Rule& rule, const Summary& summary) {
  if (summary.unnamed == 0) return std::nullopt;
  if (rule.by != By::kUser && rule.by != By::kUserNetwork && rule.count != Count::kDistinctUsers)
    return std::nullopt;
  return Caveat{{rule.name},
                "without the " + percent_of(summary.unnamed, summary.attempts) +
                    " of the attempts that the log names no account of (Postfix before 3.7.8, "
                    "3.8.3 and 3.9 names none in failures; a session that logs in and sends no "
                    "mail is never named): a lower bound",
                false};
}

std::optional<Caveat> about_successes(const policy::Rule& rule, const Logs& logs) {
  if (rule.count != Count::kAttempts || logs.smtpd == 0) return std::nullopt;
  return Caveat{
      {rule.name},
      "a login through Postfix is counted when its first mail is sent, or when it hangs up "
      "without: later than live",
      false};
}

}  // namespace

std::vector<Caveat> caveats_of(const policy::Settings& settings, const Summary& summary,
                               bool shows_hashes) {
  const auto of = [&](Origin origin) {
    return summary.failed_by_origin[static_cast<size_t>(origin)];
  };
  const Logs logs{of(Origin::kAudit), of(Origin::kSmtpd), of(Origin::kLogin), of(Origin::kAuth),
                  summary.with_password};
  std::vector<Caveat> caveats;
  if (summary.attempts == 0) return caveats;
  // What is said of several rules is said once.
  const auto add = [&](const Caveat& caveat) {
    const auto same = std::find_if(caveats.begin(), caveats.end(),
                                   [&](const Caveat& other) { return other.text == caveat.text; });
    if (same == caveats.end()) {
      caveats.push_back(caveat);
    } else {
      same->rules.push_back(caveat.rules.front());
    }
  };
  bool spares = false;
  for (const policy::Rule& rule : settings.rules) {
    if (!rule.enabled) continue;
    spares = spares || rule.spare_familiar;
    const auto blind = about_passwords(rule, logs, shows_hashes);
    const auto unknown = about_unknown_users(rule, logs);
    if (blind) add(*blind);
    if (unknown) add(*unknown);
    if ((blind && blind->blind) || (unknown && unknown->blind)) continue;
    for (const auto& caveat :
         {about_repetitions(rule, logs), about_names(rule, summary), about_successes(rule, logs)})
      if (caveat) add(*caveat);
  }
  const auto general = [&](std::string text) { caveats.push_back({{}, std::move(text), false}); };
  if (spares)
    general(
        "familiar networks are learnt from these logs alone: near their beginning owners are "
        "refused who would be known to a daemon that has run for some time");
  if (summary.unseen > 0)
    general(percent_of(summary.unseen, summary.attempts) +
            " of the attempts were refused by the policy of that time, so nobody knows whether "
            "their password was right: they are taken for guesses");
  if (logs.login > 0 && logs.auth == 0)
    general(
        "Dovecot's login processes tell of a connection's failures at its end, with the last "
        "name only, and of none if it logged in at last (auth_verbose = yes tells each)");
  return caveats;
}

}  // namespace saslatch::replay
