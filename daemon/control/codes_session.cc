#include "daemon/control/codes_session.h"

#include <algorithm>
#include <array>
#include <future>
#include <initializer_list>
#include <memory>

#include "daemon/control/command_json.h"
#include "daemon/password/main_password.h"
#include "protocol/sasl/rules.h"

namespace saslatch::control {
namespace {

// sysexits(3): try later.
constexpr int kExitTemporary = 75;
// As policy locks; a code that is to live longer has no expiry.
constexpr uint64_t kMaxExpiry = uint64_t{3650} * 24 * 3600;
// How long a passdb may take to tell whether the account still is what it was; the door stands
// still meanwhile.
constexpr std::chrono::seconds kStampPatience(3);

std::string line_of(const Json& reply) {
  return reply.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json code_json(const passdb::StoredCode& code) {
  const auto time = [](passdb::StoredCode::Time at) {
    return rfc3339(std::chrono::floor<std::chrono::microseconds>(at));
  };
  Json one{{"id", code.id},
           {"label", code.label},
           {"state", to_string(code.state)},
           {"created", time(code.created)},
           {"created_by", code.created_by}};
  if (code.expires) one["expires"] = time(*code.expires);
  if (code.revoked) one["revoked"] = time(*code.revoked);
  one["services"] = code.services;
  one["from"] = code.networks;
  if (code.last_used) {
    one["last_used"] = {{"at", time(code.last_used->at)},
                        {"rip", code.last_used->rip},
                        {"service", code.last_used->service}};
  }
  return one;
}

}  // namespace

// A request with the fields that its command takes. Its texts are wiped.
class CodesSession::Request {
 public:
  explicit Request(std::string_view line) : json_(Json::parse(line, nullptr, false)) {}
  ~Request() {
    if (!json_.is_object()) return;
    for (auto& [name, value] : json_.items()) {
      if (value.is_string()) wipe(value.get_ref<std::string&>());
    }
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  [[nodiscard]] std::string command() const { return json_.is_object() ? text("command") : ""; }
  // Empty where there is none, or another type: who needs it says so.
  [[nodiscard]] std::string text(const char* field) const {
    const auto found = json_.find(field);
    return found != json_.end() && found->is_string() ? found->get<std::string>() : "";
  }
  [[nodiscard]] bool has(const char* field) const { return json_.contains(field); }
  [[nodiscard]] std::optional<uint64_t> number(const char* field) const {
    const auto found = json_.find(field);
    if (found == json_.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<uint64_t>();
  }
  [[nodiscard]] bool is_true(const char* field) const {
    const auto found = json_.find(field);
    return found != json_.end() && *found == Json(true);
  }
  // nullopt: it is there and no list of strings.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(const char* field) const {
    std::vector<std::string> all;
    const auto found = json_.find(field);
    if (found == json_.end()) return all;
    if (!found->is_array()) return std::nullopt;
    for (const Json& item : *found) {
      if (!item.is_string()) return std::nullopt;
      all.push_back(item.get<std::string>());
    }
    return all;
  }
  // A misspelt field must not be taken for an absent one.
  [[nodiscard]] bool has_only(std::initializer_list<std::string_view> fields) const {
    return std::all_of(json_.items().begin(), json_.items().end(), [&](const auto& item) {
      return item.key() == "command" ||
             std::find(fields.begin(), fields.end(), item.key()) != fields.end();
    });
  }

 private:
  Json json_;
};

CodesSession::CodesSession(SessionParts parts, CodesDoor& door, Now now)
    : parts_(std::move(parts)),
      door_(door),
      book_(parts_.services, parts_.holds, parts_.mailbox, parts_.connection),
      idle_until_(now.mono + kIdle) {
  input_.reserve(kMaxRequest);  // growing would leave pieces of a password behind
}

CodesSession::~CodesSession() { wipe(input_); }

void CodesSession::receive(std::string_view bytes, Now now) {
  if (over_ || ending_) return;
  idle_until_ = now.mono + kIdle;
  while (!bytes.empty() && !over_) {
    if (input_.size() + 1 >= kMaxRequest) {
      refuse(kExitUsage, "the request has no end within " + std::to_string(kMaxRequest) +
                             " bytes; it is one line of JSON");
      over_ = true;
      return;
    }
    const std::string_view piece = bytes.substr(0, kMaxRequest - 1 - input_.size());
    input_ += piece;
    bytes.remove_prefix(piece.size());
    pull(now);
  }
}

// Answers whole lines, in their order; behind a login they wait for its answer.
void CodesSession::pull(Now now) {
  while (!over_ && !is_checking_) {
    const size_t end = input_.find('\n');
    if (end == std::string::npos) break;
    Secret line(std::string_view(input_).substr(0, end));
    const size_t left = input_.size() - end - 1;
    std::copy(input_.begin() + static_cast<std::ptrdiff_t>(end) + 1, input_.end(), input_.begin());
    wipe(input_.data() + left, input_.size() - left);
    input_.resize(left);
    answer(line.reveal(), now);
  }
  if (ending_ && !is_checking_) over_ = true;
}

void CodesSession::answer(std::string_view line, Now now) {
  const Request request(line);
  const std::string command = request.command();
  const auto takes = [&](std::initializer_list<std::string_view> fields) {
    if (request.has_only(fields)) return true;
    refuse(kExitUsage, "'" + command + "' has a field that it does not take");
    return false;
  };
  if (command == "login") {
    if (takes({"user", "password", "rip"})) login(request, now);
  } else if (command == "code list") {
    if (takes({}) && is_proven(now)) list(now);
  } else if (command == "code add") {
    if (takes({"label", "expires_seconds", "services", "from"}) && is_proven(now)) {
      add(request, now);
    }
  } else if (command == "code revoke") {
    if (takes({"id", "all"}) && is_proven(now)) revoke(request, now);
  } else {
    refuse(kExitUsage,
           "accepted is one line of JSON with a \"command\": login, code list, code add or code "
           "revoke");
  }
}

void CodesSession::login(const Request& request, Now now) {
  if (!account_.empty()) return refuse(kExitUsage, "a session is of one account");
  AttemptRequest attempt;
  attempt.client.listener = parts_.listener;
  attempt.client.mechanism = "PLAIN";  // what it comes to: a name and a password that is shown
  attempt.client.service = "codes";
  attempt.client.rip_text = request.text("rip");
  attempt.client.rip = IpAddress::parse(attempt.client.rip_text);
  attempt.authcid = request.text("user");
  attempt.main_password_only = true;
  std::string password = request.text("password");
  const bool well = sasl::is_valid_authcid(attempt.authcid) && sasl::is_valid_password(password);
  attempt.credential = passdb::PasswordCredential{Secret::take(password)};
  // Before the check: if the password changes meanwhile, what is proven is the old one, and over.
  name_ = normalise_username(attempt.authcid, parts_.settings->usernames).value_or("");
  stamp_ = stamp_now(now);
  is_checking_ = true;
  AnswerBook::Begun begun =
      well ? book_.begin(parts_.settings, std::move(attempt), now)
           : book_.hold(refuse_exchange(parts_.services, *parts_.settings, attempt.client,
                                        attempt.authcid, AuthCause::kMalformed, now),
                        now);
  if (begun.answer) finish_login(*begun.answer, now);
}

void CodesSession::finish_login(const Answer& answer, Now now) {
  is_checking_ = false;
  switch (answer.kind) {
    case AnswerKind::kOk:
      account_ = answer.user;
      proven_until_ = now.mono + kProofLasts;
      output_ += line_of(Json{{"ok", true}, {"user", account_}});
      return;
    case AnswerKind::kFail:
      refuse(kExitPermission, "wrong user name or password");
      break;
    case AnswerKind::kTemporary:
      refuse(kExitTemporary, "cannot be checked at the moment; try again later");
      break;
  }
  over_ = true;
}

bool CodesSession::is_proven(Now now) {
  if (account_.empty()) {
    refuse(kExitPermission, "log in first");
    return false;
  }
  if (now.mono < proven_until_ && !stamp_.empty() && stamp_now(now) == stamp_) return true;
  refuse(kExitPermission, "the login is over; connect and log in again");
  over_ = true;
  return false;
}

std::string CodesSession::stamp_now(Now now) const {
  // Of a passdb that answers later: waited for here, where no login is.
  const auto found = std::make_shared<std::promise<std::string>>();
  auto stamp = found->get_future();
  const auto settings = parts_.settings;
  settings->verifier->find_stamp(
      name_, now.mono, [found, settings](std::string text) { found->set_value(std::move(text)); });
  if (stamp.wait_for(kStampPatience) != std::future_status::ready) return {};
  return stamp.get();
}

std::unique_ptr<passdb::CodeStore> CodesSession::open_store() {
  auto store = passdb::CodeStore::open(door_.state_dir, door_.random);
  if (store) return *std::move(store);
  refuse(store.error());
  return nullptr;
}

void CodesSession::list(Now now) {
  (void)door_.book.flush();  // so that a device that was just used is seen to be
  const auto store = open_store();
  if (!store) return;
  const auto codes = store->list(account_, now.wall);
  if (!codes) return refuse(codes.error());
  Json listed = Json::array();
  for (const passdb::StoredCode& code : *codes) listed.push_back(code_json(code));
  output_ += line_of(Json{{"ok", true},
                          {"user", account_},
                          {"max", parts_.settings->max_codes},
                          {"codes", std::move(listed)}});
}

void CodesSession::add(const Request& request, Now now) {
  passdb::NewCode code;
  code.account = account_;
  code.label = request.text("label");
  code.created_by = "self";
  code.with_cram_md5 = parts_.settings->mechanisms.find("CRAM-MD5") != nullptr;
  if (request.has("expires_seconds")) {
    const auto seconds = request.number("expires_seconds");
    if (!seconds || *seconds == 0 || *seconds > kMaxExpiry) {
      return refuse(kExitBadData, "'expires_seconds' is a number of seconds, at most ten years");
    }
    code.expires = now.wall + std::chrono::seconds(*seconds);
  }
  const auto services = request.texts("services");
  const auto from = request.texts("from");
  if (!services || !from) {
    return refuse(kExitBadData, "'services' and 'from' are lists of strings");
  }
  for (const std::string& text : *services) {
    auto service = password::parse_service(text);
    if (!service) return refuse(kExitBadData, service.error().message);
    code.services.push_back(*std::move(service));
  }
  for (const std::string& text : *from) {
    auto network = Network::parse(text);
    if (!network) return refuse(kExitBadData, network.error().message);
    code.networks.push_back(*network);
  }
  const auto store = open_store();
  if (!store) return;
  const auto made = store->add({&code, 1}, parts_.settings->max_codes, now.wall);
  if (!made) {
    audit("code add", "", now, made.error().message);
    return refuse(made.error());
  }
  (void)door_.book.refresh();
  const passdb::MadeCode& one = made->front();
  audit("code add", code_credential(std::to_string(one.id), one.label), now, "");
  output_ += line_of(Json{{"ok", true},
                          {"id", one.id},
                          {"label", one.label},
                          {"code", std::string(one.code.reveal())}});
}

void CodesSession::revoke(const Request& request, Now now) {
  const auto id = request.number("id");
  const bool all = request.is_true("all");
  if (id.has_value() == all || request.has("id") != id.has_value()) {
    return refuse(kExitUsage, "'code revoke' takes the number \"id\", or \"all\":true");
  }
  const auto store = open_store();
  if (!store) return;
  if (all) {
    const auto revoked = store->revoke_all(account_, now.wall);
    if (!revoked) return refuse(revoked.error());
    audit("code revoke", "all", now, "");
    output_ += line_of(Json{{"ok", true}, {"revoked", *revoked}});
    return;
  }
  const auto revoked = store->revoke(account_, *id, now.wall);
  if (!revoked) return refuse(revoked.error());
  audit("code revoke", code_credential(std::to_string(revoked->id), revoked->label), now, "");
  output_ += line_of(Json{{"ok", true}, {"revoked", 1}});
}

void CodesSession::audit(const char* command, const std::string& what, Now now,
                         const std::string& reason) {
  parts_.services.audit.write(AdminEvent{now.wall, command,
                                         what.empty() ? account_ : account_ + " " + what,
                                         "user " + account_, reason.empty(), reason});
}

void CodesSession::refuse(int exit, const std::string& error) {
  output_ += line_of(Json{{"ok", false}, {"error", error}, {"exit", exit}});
}

void CodesSession::refuse(const passdb::StoreError& error) {
  switch (error.kind) {
    case passdb::StoreError::Kind::kBadInput:
    case passdb::StoreError::Kind::kExists:
    case passdb::StoreError::Kind::kNoSuchAccount:
      return refuse(kExitBadData, error.message);
    case passdb::StoreError::Kind::kPermission:
    case passdb::StoreError::Kind::kCantCreate:
    case passdb::StoreError::Kind::kBusy:
    case passdb::StoreError::Kind::kBroken:
      break;
  }
  // Paths and the like are no business of a portal's users.
  parts_.log.warning("codes-unwritable", "a code could not be listed, made or revoked",
                     {{"listener", parts_.listener}, {"error", error.message}});
  refuse(kExitTemporary, "the codes cannot be changed at the moment; try again later");
}

void CodesSession::end_of_input(Now) {
  ending_ = true;
  if (!is_checking_) over_ = true;
}

void CodesSession::drain(Now now) {
  ending_ = draining_ = true;
  if (!is_checking_) over_ = true;
  book_.release_all();
  write_ready(now);
}

void CodesSession::on_answer(uint64_t key, Answer answer, Now now) {
  book_.on_answer(key, std::move(answer), now);
  if (draining_) book_.release_all();
  write_ready(now);
}

void CodesSession::on_release(uint64_t key, Now now) {
  book_.on_release(key);
  write_ready(now);
}

void CodesSession::on_wake(uint64_t key, Now now) {
  book_.on_wake(key, now);
  write_ready(now);
}

std::optional<Mono> CodesSession::next_deadline() const {
  if (over_) return std::nullopt;
  const auto due = book_.next_deadline();
  return due ? std::min(*due, idle_until_) : idle_until_;
}

void CodesSession::on_deadline(Now now) {
  book_.on_deadline(now);
  write_ready(now);
  if (now.mono >= idle_until_ && !is_checking_) over_ = true;
}

void CodesSession::write_ready(Now now) {
  for (const auto& [key, answer] : book_.ready()) finish_login(answer, now);
  pull(now);
}

}  // namespace saslatch::control
