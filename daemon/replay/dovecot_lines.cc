// Dovecot's lines of 2.2 to 2.4, behind the stamp and "dovecot: ". "Info: " is there in Dovecot's
// own log files and absent in syslog. Sources: src/login-common/client-common.c, src/auth.
//
//   imap-login: Login: user=<NAME>, method=PLAIN, rip=ADDR, lip=ADDR, mpid=1, TLS, session=<ID>
//   imap-login: Logged in: user=<NAME>, ...                                    (2.4)
//   imap-login: Disconnected: Connection closed (auth failed, 2 attempts in 4 secs): user=<NAME>,
//     method=PLAIN, rip=ADDR, lip=ADDR, session=<ID>
//   imap-login: Aborted login (auth failed, 1 attempts): user=<NAME>, ...      (2.2)
//   imap-login: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed):
//     user=<NAME>, ...                                                         (2.4)
//   auth: passwd-file(NAME,ADDR,<ID>): Password mismatch (SHA1 of given password: 5baa61e4)
//   auth-worker(7): conn unix:auth-worker (pid=5,uid=9): auth-worker<1>: sql(NAME,ADDR,<ID>):
//     unknown user - trying the next passdb
//   auth(NAME,ADDR,sasl:plain)<ID>: passwd-file: Password mismatch             (2.4)
//   auth-worker(NAME,ADDR)<7>: request [24]: sql: unknown user                 (2.4)
//
// NAME in a line of a login process is whatever the client sent, "rip=" and ">" included: so the
// reason is read before the first "user=<", and the address behind the last ", rip=".
#include <charconv>

#include "daemon/replay/fact.h"

namespace saslatch::replay {
namespace {

void skip(std::string_view& text, std::string_view prefix) {
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
}

// What of `text` lies between `open` and the next `close`; nothing if there is none.
std::string_view between(std::string_view text, std::string_view open, char close) {
  const size_t at = text.find(open);
  if (at == std::string_view::npos) return {};
  const size_t begin = at + open.size();
  const size_t end = text.find(close, begin);
  return end == std::string_view::npos ? std::string_view{} : text.substr(begin, end - begin);
}

// "user=<NAME>, method=PLAIN, rip=ADDR, lip=ADDR, ..., session=<ID>".
std::optional<Unusable> read_client(std::string_view text, Fact& fact) {
  constexpr std::string_view kUser = "user=<", kRip = "rip=";
  size_t at = text.rfind(", rip=");
  if (at == std::string_view::npos) {
    if (!text.starts_with(kRip)) return Unusable::kUnknownForm;
    at = 0;
  }
  const std::string_view head = text.substr(0, at);
  std::string_view tail = text.substr(at);
  skip(tail, ", ");
  tail.remove_prefix(kRip.size());
  fact.rip = IpAddress::parse(tail.substr(0, tail.find(',')));
  if (!fact.rip) return Unusable::kBadAddress;
  fact.session = between(tail, ", session=<", '>');
  if (head.starts_with(kUser)) {
    size_t end = head.rfind(">, method=");
    if (end == std::string_view::npos) end = head.size() > kUser.size() ? head.size() - 1 : 0;
    if (end < kUser.size()) return Unusable::kUnknownForm;
    fact.user = head.substr(kUser.size(), end - kUser.size());
    fact.names_user = !fact.user.empty();
  }
  return std::nullopt;
}

LineResult login_process(std::string_view text) {
  Fact fact;
  fact.origin = Origin::kLogin;
  constexpr std::string_view kProxy = "proxy(", kFailed = "(auth failed";
  const size_t user = text.find(": user=<");
  size_t reason_end = user;
  if (reason_end == std::string_view::npos) reason_end = text.find(": method=");
  if (reason_end == std::string_view::npos) reason_end = text.find(": rip=");
  if (reason_end == std::string_view::npos) return Unusable::kNoAttempt;
  const std::string_view reason = text.substr(0, reason_end);
  const std::string_view client = text.substr(reason_end + 2);
  if (reason == "Login" || reason == "Logged in" ||
      (reason.starts_with(kProxy) &&
       reason.find("tarted proxying to ") != std::string_view::npos)) {
    if (const auto wrong = read_client(client, fact)) return *wrong;
    return fact;
  }
  // The password was right, and the server could not go on.
  if (reason.starts_with("Internal login failure")) return Unusable::kNotVerified;
  const size_t failed = reason.find(kFailed);
  if (failed == std::string_view::npos) return Unusable::kNoAttempt;
  std::string_view many = reason.substr(failed + kFailed.size());
  skip(many, ", ");
  if (std::from_chars(many.data(), many.data() + many.size(), fact.times).ec != std::errc{} ||
      fact.times == 0)
    fact.times = 1;
  fact.result = Result::kBadCredential;
  if (const auto wrong = read_client(client, fact)) return *wrong;
  return fact;
}

struct Verdict {
  std::string_view words;
  Result result;
};
constexpr Verdict kVerdicts[] = {
    {": Password mismatch", Result::kBadCredential},
    {": unknown user", Result::kUnknownUser},
    {": Unknown user", Result::kUnknownUser},
    {": invalid credentials", Result::kBadCredential},
    {": pam_authenticate() failed: User not known", Result::kUnknownUser},
    {": pam_authenticate() failed: ", Result::kBadCredential},
};

// "NAME,ADDR,<ID>" or "NAME,ADDR,sasl:plain" or "NAME,sasl:plain" or "NAME". Names in these lines
// have passed auth_username_chars, but an administrator may allow commas: the rest is read first.
std::optional<Unusable> read_identity(std::string_view text, Fact& fact) {
  const auto last = [&] {
    const size_t comma = text.rfind(',');
    return comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  };
  const auto drop = [&] { text = text.substr(0, text.rfind(',')); };
  for (std::string_view part = last(); !part.empty(); part = last()) {
    if (part.front() == '<' && part.back() == '>') {
      fact.session = part.substr(1, part.size() - 2);
    } else if (!part.starts_with("sasl:")) {
      fact.rip = IpAddress::parse(part);
      if (!fact.rip) return Unusable::kBadAddress;
      drop();
      break;
    }
    drop();
  }
  if (text.empty() || text == "?") return Unusable::kUnknownForm;
  fact.user = text;
  fact.names_user = true;
  return std::nullopt;
}

LineResult auth_process(std::string_view message) {
  Fact fact;
  fact.origin = Origin::kAuth;
  const Verdict* verdict = nullptr;
  size_t at = std::string_view::npos;
  for (const Verdict& candidate : kVerdicts) {
    const size_t found = message.find(candidate.words);
    if (found >= at) continue;
    at = found;
    verdict = &candidate;
  }
  if (verdict == nullptr) return Unusable::kNoAttempt;
  fact.result = verdict->result;
  const std::string_view head = message.substr(0, at);
  const std::string_view tail = message.substr(at);
  std::string_view identity;
  if (head.ends_with(')')) {  // 2.3: "passwd-file(NAME,ADDR,<ID>)"
    const size_t open = head.rfind('(');
    if (open == std::string_view::npos) return Unusable::kUnknownForm;
    identity = head.substr(open + 1, head.size() - open - 2);
  } else {  // 2.4: "auth(NAME,ADDR,sasl:plain)<ID>: passwd-file"
    identity = between(head, "(", ')');
    if (message.starts_with("auth(")) fact.session = between(head, ")<", '>');
  }
  if (identity.empty()) return Unusable::kUnknownForm;
  if (const auto wrong = read_identity(identity, fact)) return *wrong;
  constexpr std::string_view kGiven = "given password: ";
  const size_t given = tail.find(kGiven);
  if (given != std::string_view::npos) {
    std::string_view password = tail.substr(given + kGiven.size());
    password = password.substr(0, password.rfind(')'));
    fact.password = hash_of(password);
  }
  return fact;
}

}  // namespace

LineResult parse_dovecot(std::string_view message) {
  if (message.starts_with("dovecot: ")) message.remove_prefix(9);  // "dovecot[442]: dovecot: ..."
  const size_t end = message.find_first_of(":(<[ ");
  if (end == std::string_view::npos) return Unusable::kNoAttempt;
  const std::string_view service = message.substr(0, end);
  if (service.ends_with("-login")) {
    std::string_view text = message.substr(end);
    const size_t colon = text.find(": ");
    if (colon == std::string_view::npos) return Unusable::kNoAttempt;
    text.remove_prefix(colon + 2);
    skip(text, "Info: ");
    return login_process(text);
  }
  if (service == "auth" || service == "auth-worker") return auth_process(message);
  return Unusable::kNoAttempt;
}

}  // namespace saslatch::replay
