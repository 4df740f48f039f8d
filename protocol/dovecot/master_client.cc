#include "protocol/dovecot/master_client.h"

#include <utility>

#include "protocol/dovecot/fields.h"
#include "protocol/dovecot/reply_line.h"

namespace saslatch::dovecot {
namespace {

UserFound read_user(uint32_t id, Fields& fields) {
  UserFound user;
  user.id = id;
  user.name = unescaped(fields.next().value_or(""));
  while (const auto field = fields.next()) {
    const auto [name, value] = split_parameter(*field);
    if (name == "uid") user.uid = parse_number<uint32_t>(value);
    if (name == "gid") user.gid = parse_number<uint32_t>(value);
    if (name == "home") user.home = unescaped(value);
  }
  return user;
}

LookupFailed read_failure(uint32_t id, Fields& fields) {
  LookupFailed failed{id, {}};
  while (const auto field = fields.next()) {
    const auto [name, value] = split_parameter(*field);
    if (name == "reason") failed.reason = unescaped(value);
  }
  return failed;
}

}  // namespace

MasterClient::MasterClient() : output_("VERSION\t1\t1\n") {}

void MasterClient::receive(std::string_view bytes) {
  if (!broken_) reader_.append(bytes);
}

std::optional<MasterClient::Event> MasterClient::next() {
  while (!broken_) {
    const auto line = reader_.next();
    if (!line) return broken(line.error().message);
    if (!*line) break;
    if (auto event = take_line(**line)) return event;
  }
  return std::nullopt;
}

std::string MasterClient::take_output() { return std::exchange(output_, {}); }

std::optional<MasterClient::Event> MasterClient::take_line(std::string_view line) {
  Fields fields(line);
  const std::string_view command = *fields.next();
  if (!greeted_) {
    const auto minor = parse_version(command, fields);
    if (!minor) return broken(minor.error().message);
    greeted_ = true;
    return std::nullopt;
  }
  const bool is_reply = command == "USER" || command == "NOTFOUND" || command == "FAIL" ||
                        command == "LIST" || command == "DONE";
  if (!is_reply) return std::nullopt;
  const auto id = parse_id(fields.next());
  // An auth socket ends its handshake with a bare DONE.
  if (!id) return broken("a reply with an id that is not a number from 1 to 4294967295");
  if (command == "USER") return read_user(*id, fields);
  if (command == "NOTFOUND") return UserNotFound{*id};
  if (command == "FAIL") return read_failure(*id, fields);
  if (command == "LIST") return ListEntry{*id, unescaped(fields.next().value_or(""))};
  return ListDone{*id, fields.next().value_or("").empty()};
}

MasterClient::Event MasterClient::broken(std::string reason) {
  broken_ = true;
  return ProtocolError{std::move(reason)};
}

Result<uint32_t> MasterClient::send(std::string_view command, std::string_view what_name,
                                    std::string_view what, std::string_view service) {
  const size_t before = output_.size();
  if (++last_id_ == 0) last_id_ = 1;
  append_numbered(output_, command, last_id_);
  append_field(output_, what_name, what);
  append_field(output_, "service=", service);
  output_ += '\n';
  if (output_.size() - before <= kMaxMasterRequestLine) return last_id_;
  output_.resize(before);
  return failure("the request would be longer than 1024 bytes");
}

Result<uint32_t> MasterClient::user(std::string_view name, std::string_view service) {
  return send("USER", "", name, service);
}

Result<uint32_t> MasterClient::list(std::string_view mask, std::string_view service) {
  return send("LIST", "user=", mask, service);
}

}  // namespace saslatch::dovecot
