#include "daemon/session/saslauthd_session.h"

#include <utility>

#include "protocol/sasl/rules.h"
#include "protocol/saslauthd/reply.h"

namespace saslatch {

SaslauthdSession::SaslauthdSession(SessionParts parts)
    : parts_(std::move(parts)),
      book_(parts_.services, parts_.holds, parts_.mailbox, parts_.connection) {}

void SaslauthdSession::receive(std::string_view bytes, Now now) {
  if (asked_ || over_) return;
  const auto state = parser_.receive(bytes);
  if (!state) {
    parts_.services.metrics.protocol_errors.add();
    parts_.log.warning("protocol-error",
                       "a client broke the saslauthd protocol; its connection is closed",
                       {{"listener", parts_.listener},
                        {"connection", std::to_string(parts_.connection)},
                        {"reason", state.error().message}});
    over_ = true;
    return;
  }
  switch (*state) {
    case saslauthd::RequestParser::State::kNeedMore:
      is_in_pieces_ = true;
      return;
    case saslauthd::RequestParser::State::kMaybeFifth:
      if (!fifth_until_) {
        fifth_until_ = now.mono + kSecondPiecePatience;
        if (is_in_pieces_) fifth_until_ = now.mono + kFifthFieldPatience;
      } else if (!is_in_pieces_) {  // a part of the fifth
        is_in_pieces_ = true;
        fifth_until_ = now.mono + kFifthFieldPatience;
      }
      return;
    case saslauthd::RequestParser::State::kComplete:
      break;
  }
  ask(now);
}

void SaslauthdSession::ask(Now now) {
  asked_ = true;
  fifth_until_.reset();
  saslauthd::Request request = parser_.take();
  const Settings& settings = *parts_.settings;
  ClientFacts client;
  client.listener = parts_.listener;
  client.mechanism = "PLAIN";  // the only thing this protocol can carry
  client.service = request.service;
  client.rip = request.rip;
  const std::string authcid = request.authcid();
  std::optional<AuthCause> refusal;
  if (settings.listener(parts_.listener).plaintext_needs_tls) {
    refusal = AuthCause::kNeedsTls;  // nothing in this protocol could say that TLS is there
  } else if (!sasl::is_valid_authcid(authcid) ||
             !sasl::is_valid_password(request.password.reveal())) {
    refusal = AuthCause::kMalformed;  // by the rules of PLAIN, whose place this protocol takes
  }
  if (refusal) {
    AnswerBook::Begun begun =
        book_.hold(refuse_exchange(parts_.services, settings, client, authcid, *refusal, now), now);
    if (begun.answer) reply(*begun.answer);
    return;
  }
  AttemptRequest attempt{
      std::move(client), authcid, {}, passdb::PasswordCredential{std::move(request.password)}};
  AnswerBook::Begun begun = book_.begin(parts_.settings, std::move(attempt), now);
  if (begun.answer) reply(*begun.answer);
}

void SaslauthdSession::end_of_input(Now now) {
  // A client may close its writing side behind the request and wait for the reply.
  if (fifth_until_) ask(now);
  if (!asked_) over_ = true;
}

void SaslauthdSession::drain(Now now) {
  draining_ = true;
  if (fifth_until_) ask(now);
  if (!asked_) over_ = true;
  book_.release_all();
  write_ready();
}

void SaslauthdSession::on_answer(uint64_t key, Answer answer, Now now) {
  book_.on_answer(key, std::move(answer), now);
  if (draining_) book_.release_all();
  write_ready();
}

void SaslauthdSession::on_release(uint64_t key, Now) {
  book_.on_release(key);
  write_ready();
}

void SaslauthdSession::on_wake(uint64_t key, Now now) {
  book_.on_wake(key, now);
  write_ready();
}

std::optional<Mono> SaslauthdSession::next_deadline() const {
  return fifth_until_ ? fifth_until_ : book_.next_deadline();
}

void SaslauthdSession::on_deadline(Now now) {
  if (fifth_until_ && *fifth_until_ <= now.mono) ask(now);
  book_.on_deadline(now);
  write_ready();
}

void SaslauthdSession::write_ready() {
  for (const auto& [key, answer] : book_.ready()) reply(answer);
}

void SaslauthdSession::reply(const Answer& answer) {
  over_ = true;
  if (answer.kind == AnswerKind::kTemporary) return;
  output_ += saslauthd::encode_reply({.ok = answer.kind == AnswerKind::kOk, .explanation = {}});
}

}  // namespace saslatch
