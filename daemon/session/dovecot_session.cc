#include "daemon/session/dovecot_session.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace saslatch {
namespace {

dovecot::ServerHandshake handshake(const SessionParts& parts) {
  dovecot::ServerHandshake handshake;
  handshake.mechanisms.reserve(parts.settings->mechanisms.offered().size());
  for (const sasl::MechanismInfo& info : parts.settings->mechanisms.offered()) {
    dovecot::MechanismOffer offer;
    offer.name = info.name;
    offer.is_private = info.private_use;
    offer.anonymous = info.anonymous;
    offer.plaintext = info.plaintext;
    offer.dictionary = info.dictionary;
    offer.active = info.active;
    offer.forward_secrecy = info.forward_secrecy;
    offer.mutual_auth = info.mutual_auth;
    handshake.mechanisms.push_back(std::move(offer));
  }
  handshake.spid = parts.server_pid;
  handshake.cuid = parts.connection;
  parts.services.random.fill(handshake.cookie);
  return handshake;
}

Secured secured_of(dovecot::Secured secured) {
  switch (secured) {
    case dovecot::Secured::kNo:
      break;
    case dovecot::Secured::kYes:
      return Secured::kYes;
    case dovecot::Secured::kTls:
      return Secured::kTls;
  }
  return Secured::kNo;
}

AuthCause cause_of(sasl::Refusal refusal) {
  switch (refusal) {
    case sasl::Refusal::kMalformed:
    case sasl::Refusal::kOutOfTurn:
      return AuthCause::kMalformed;
    case sasl::Refusal::kBadCredentials:
      return AuthCause::kBadCredential;
    case sasl::Refusal::kUnavailable:
      break;
  }
  return AuthCause::kPassdbDown;
}

}  // namespace

DovecotSession::DovecotSession(SessionParts parts)
    : parts_(std::move(parts)),
      settings_(parts_.settings),
      listener_(settings_->listener(parts_.listener)),
      server_(handshake(parts_)),
      book_(parts_.services, parts_.holds, parts_.mailbox, parts_.connection) {}

void DovecotSession::receive(std::string_view bytes, Now now) {
  if (closing_ || draining_) return;
  server_.receive(bytes);
  while (!closing_) {
    std::optional<dovecot::AuthServer::Event> event = server_.next();
    if (!event) break;
    std::visit(
        [&](auto& request) {
          if constexpr (std::is_same_v<std::decay_t<decltype(request)>, dovecot::AuthRequest>) {
            take(std::move(request), now);
          } else {
            take(request, now);
          }
        },
        *event);
  }
}

void DovecotSession::take(dovecot::AuthRequest&& request, Now now) {
  if (settings_ != parts_.settings) {
    settings_ = parts_.settings;
    listener_ = settings_->listener(parts_.listener);
  }
  const Settings& settings = *settings_;
  Exchange exchange;
  ClientFacts& client = exchange.client;
  client.listener = listener_.name;
  client.mechanism = std::move(request.mechanism);
  client.service = std::move(request.service);
  client.session = std::move(request.session);
  client.rip_text = std::move(request.rip_text);
  client.rip = request.rip;
  client.lip = request.lip;
  client.secured = secured_of(request.secured);
  const sasl::MechanismInfo* const info = settings.mechanisms.find(exchange.client.mechanism);
  if (info == nullptr) {
    return refuse(request.id, exchange.client, {}, AuthCause::kMechanism, now);
  }
  if (info->plaintext && listener_.plaintext_needs_tls && exchange.client.secured == Secured::kNo) {
    return refuse(request.id, exchange.client, {}, AuthCause::kNeedsTls, now);
  }
  const auto unix_time =
      std::chrono::duration_cast<std::chrono::seconds>(now.wall.time_since_epoch()).count();
  exchange.mechanism =
      info->make({parts_.services.random, settings.hostname, static_cast<int64_t>(unix_time)});
  exchange.expires = now.mono + kExchangeLifetime;
  std::optional<std::string_view> initial;
  if (request.initial_response) initial = request.initial_response->reveal();
  step(request.id, std::move(exchange), exchange.mechanism->start(initial), now);
}

void DovecotSession::take(const dovecot::ContinueRequest& request, Now now) {
  const auto found = exchanges_.find(request.id);
  if (found == exchanges_.end()) return;
  Exchange exchange = std::move(found->second);
  exchanges_.erase(found);
  step(request.id, std::move(exchange), exchange.mechanism->respond(request.response.reveal()),
       now);
}

void DovecotSession::take(const dovecot::CancelRequest& request, Now) {
  const auto found = exchanges_.find(request.id);
  if (found == exchanges_.end()) return;
  if (found->second.key != 0) {
    // The attempt itself goes on: only its answer is not wanted any more.
    book_.forget(found->second.key);
    ids_.erase(found->second.key);
  }
  exchanges_.erase(found);
}

void DovecotSession::take(const dovecot::ProtocolError& error, Now) {
  parts_.services.metrics.protocol_errors.add();
  parts_.log.warning("protocol-error", "a client broke the auth protocol; its connection is closed",
                     {{"listener", parts_.listener},
                      {"connection", std::to_string(parts_.connection)},
                      {"reason", error.reason}});
  closing_ = true;
}

void DovecotSession::step(uint32_t id, Exchange&& exchange, sasl::Step&& step, Now now) {
  if (const auto* const challenge = std::get_if<sasl::Challenge>(&step)) {
    server_.challenge(id, challenge->bytes, exchange.mechanism->authcid());
    if (!expiry_check_) expiry_check_ = exchange.expires;
    exchanges_.insert_or_assign(id, std::move(exchange));
  } else if (auto* const password = std::get_if<sasl::VerifyPassword>(&step)) {
    AttemptRequest request{std::move(exchange.client), std::move(password->authcid),
                           std::move(password->authzid),
                           passdb::PasswordCredential{std::move(password->password)}};
    attempt(id, std::move(exchange), std::move(request), now);
  } else if (auto* const cram = std::get_if<sasl::VerifyCramMd5>(&step)) {
    AttemptRequest request{
        std::move(exchange.client),
        std::move(cram->authcid),
        {},
        passdb::CramMd5Credential{std::move(cram->challenge), std::move(cram->digest)}};
    attempt(id, std::move(exchange), std::move(request), now);
  } else if (const auto* const failure = std::get_if<sasl::Failure>(&step)) {
    refuse(id, exchange.client, failure->authcid, cause_of(failure->why), now);
  }
  // Success comes of verdict() only, see conclude().
}

void DovecotSession::attempt(uint32_t id, Exchange&& exchange, AttemptRequest&& request, Now now) {
  AnswerBook::Begun begun = book_.begin(settings_, std::move(request), now);
  if (begun.answer) return conclude(id, exchange, *begun.answer);
  wait_for(id, std::move(exchange), begun.key);
}

void DovecotSession::refuse(uint32_t id, const ClientFacts& client, std::string_view authcid,
                            AuthCause cause, Now now) {
  Answer answer = refuse_exchange(parts_.services, *settings_, client, authcid, cause, now);
  AnswerBook::Begun begun = book_.hold(std::move(answer), now);
  Exchange exchange;
  if (begun.answer) return conclude(id, exchange, *begun.answer);
  exchange.expires = now.mono + kExchangeLifetime;
  wait_for(id, std::move(exchange), begun.key);
}

void DovecotSession::wait_for(uint32_t id, Exchange&& exchange, uint64_t key) {
  exchange.key = key;
  ids_.emplace(key, id);
  exchanges_.insert_or_assign(id, std::move(exchange));
}

void DovecotSession::end_of_input(Now) {
  input_ended_ = true;
  book_.drop_undecided();
}

void DovecotSession::drain(Now) {
  draining_ = true;
  book_.release_all();
  write_ready();
}

void DovecotSession::on_answer(uint64_t key, Answer answer, Now now) {
  book_.on_answer(key, std::move(answer), now);
  if (draining_) book_.release_all();
  write_ready();
}

void DovecotSession::on_release(uint64_t key, Now) {
  book_.on_release(key);
  write_ready();
}

void DovecotSession::on_wake(uint64_t key, Now now) {
  book_.on_wake(key, now);
  write_ready();
}

std::optional<Mono> DovecotSession::next_deadline() const {
  const std::optional<Mono> answer = book_.next_deadline();
  if (!answer || !expiry_check_) return answer ? answer : expiry_check_;
  return std::min(*answer, *expiry_check_);
}

void DovecotSession::on_deadline(Now now) {
  book_.on_deadline(now);
  write_ready();
  expire_exchanges(now);
}

void DovecotSession::expire_exchanges(Now now) {
  if (!expiry_check_ || *expiry_check_ > now.mono) return;
  expiry_check_.reset();
  for (auto entry = exchanges_.begin(); entry != exchanges_.end();) {
    Exchange& exchange = entry->second;
    if (exchange.key == 0 && exchange.expires <= now.mono) {
      server_.expire(entry->first);
      entry = exchanges_.erase(entry);
      continue;
    }
    // With an attempt it is answered long before.
    if (exchange.key == 0 && (!expiry_check_ || exchange.expires < *expiry_check_)) {
      expiry_check_ = exchange.expires;
    }
    ++entry;
  }
}

void DovecotSession::write_ready() {
  for (const auto& [key, answer] : book_.ready()) {
    const auto found = ids_.find(key);
    if (found == ids_.end()) continue;
    const uint32_t id = found->second;
    ids_.erase(found);
    auto exchange = exchanges_.extract(id);
    conclude(id, exchange.mapped(), answer);
  }
}

void DovecotSession::conclude(uint32_t id, Exchange& exchange, const Answer& answer) {
  switch (answer.kind) {
    case AnswerKind::kOk: {
      // Asked once more: no answer opens the door that the mechanism itself would not open.
      const sasl::Step last = exchange.mechanism->verdict(sasl::Verdict::kMatch);
      if (std::holds_alternative<sasl::Success>(last)) {
        server_.ok(id, {.user = answer.user});
      } else {
        server_.fail(id, {.user = answer.user});
      }
      return;
    }
    case AnswerKind::kFail:
      server_.fail(id, {.user = answer.user});
      return;
    case AnswerKind::kTemporary:
      break;
  }
  if (!listener_.disconnect_on_temporary) {
    server_.fail(id, {.user = answer.user, .code = dovecot::FailCode::kTempFail});
    return;
  }
  if (closing_) return;
  // The client takes a lost connection for a temporary failure, of this and of every unfinished
  // request. What is decided already is told first.
  closing_ = true;
  book_.release_all();
  write_ready();
}

std::string DovecotSession::take_output() { return server_.take_output(); }

bool DovecotSession::is_over() const {
  if (closing_) return true;
  return (input_ended_ || draining_) && book_.is_empty();
}

}  // namespace saslatch
