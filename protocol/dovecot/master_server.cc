#include "protocol/dovecot/master_server.h"

#include <utility>

#include "protocol/dovecot/fields.h"
#include "protocol/dovecot/reply_line.h"

namespace saslatch::dovecot {

MasterServer::MasterServer(uint32_t spid) {
  output_ = "VERSION\t1\t1\n";
  append_numbered(output_, "SPID", spid);
  output_ += '\n';
}

std::optional<MasterServer::Event> MasterServer::next() {
  while (!broken_ && !listing_) {
    const auto line = reader_.next();
    if (!line) return broken(line.error().message);
    if (!*line) break;
    if (auto event = take_line(**line)) return event;
  }
  return std::nullopt;
}

std::string MasterServer::take_output() { return std::exchange(output_, {}); }

std::optional<MasterServer::Event> MasterServer::take_line(std::string_view line) {
  Fields fields(line);
  const std::string_view command = *fields.next();
  if (!greeted_) {
    if (const auto minor = parse_version(command, fields); !minor) {
      return broken(minor.error().message);
    }
    greeted_ = true;
    return std::nullopt;
  }
  if (command == "USER") return take_user(fields);
  if (command == "LIST") return take_list(fields);
  if (command == "PASS") return take_pass(fields);
  if (command == "CPID") return broken("an auth client on a dovecot-master socket");
  return broken("unknown command");
}

std::optional<MasterServer::Event> MasterServer::check_id(std::optional<uint32_t> id) {
  if (!id) return broken("a request with an id that is not a number from 1 to 4294967295");
  if (live_.find(*id) != nullptr) return broken("a request with the id of an unfinished one");
  return std::nullopt;
}

bool MasterServer::begin(uint32_t id) {
  live_.insert(id, {});
  if (live_.size() <= kMaxLiveMasterRequests) return true;
  fail(id, "Too many requests");
  return false;
}

std::optional<MasterServer::Event> MasterServer::take_user(Fields& fields) {
  const auto id = parse_id(fields.next());
  if (auto error = check_id(id)) return error;
  const auto name = fields.next();
  UserRequest request{*id, unescaped(name.value_or("")), {}};
  if (request.name.empty()) return broken("USER without a name");
  bool has_service = false;
  while (const auto field = fields.next()) {
    const auto [key, value] = split_parameter(*field);
    if (key != "service" && key != "protocol") continue;
    request.service = unescaped(value);
    has_service = true;
  }
  if (!has_service) return broken("USER without service= or protocol=");
  if (!begin(*id)) return std::nullopt;
  return request;
}

std::optional<MasterServer::Event> MasterServer::take_list(Fields& fields) {
  const auto id = parse_id(fields.next());
  if (auto error = check_id(id)) return error;
  ListRequest request{*id, "*", {}};
  while (const auto field = fields.next()) {
    const auto [key, value] = split_parameter(*field);
    if (key == "user") request.mask = unescaped(value);
    if (key == "service" || key == "protocol") request.service = unescaped(value);
  }
  listing_ = *id;
  if (!begin(*id)) return std::nullopt;
  return request;
}

std::optional<MasterServer::Event> MasterServer::take_pass(Fields& fields) {
  const auto id = parse_id(fields.next());
  if (auto error = check_id(id)) return error;
  if (begin(*id)) fail(*id, "PASS is not offered here");
  return std::nullopt;
}

MasterServer::Event MasterServer::broken(std::string reason) {
  broken_ = true;
  return ProtocolError{std::move(reason)};
}

void MasterServer::found(uint32_t id, const UserReply& reply) {
  const size_t before = output_.size();
  if (!live_.erase(id)) return;
  append_numbered(output_, "USER", id);
  append_field(output_, "", reply.name);
  output_ += "\tuid=";
  append_number(output_, reply.uid);
  output_ += "\tgid=";
  append_number(output_, reply.gid);
  if (!reply.home.empty()) append_field(output_, "home=", reply.home);
  output_ += '\n';
  if (output_.size() - before <= kMaxMasterReplyLine) return;
  output_.resize(before);
  append_numbered(output_, "FAIL", id);
  output_ += "\treason=Reply too long\n";
}

void MasterServer::not_found(uint32_t id) {
  if (!live_.erase(id)) return;
  append_numbered(output_, "NOTFOUND", id);
  output_ += '\n';
}

void MasterServer::fail(uint32_t id, std::string_view reason) {
  if (listing_ == id) return list_done(id, false);  // a LIST knows no FAIL
  if (!live_.erase(id)) return;
  append_numbered(output_, "FAIL", id);
  if (!reason.empty()) append_field(output_, "reason=", reason);
  output_ += '\n';
}

void MasterServer::list_entry(uint32_t id, std::string_view name) {
  if (listing_ != id) return;
  const size_t before = output_.size();
  append_numbered(output_, "LIST", id);
  append_field(output_, "", name);
  output_ += '\n';
  if (output_.size() - before > kMaxMasterReplyLine) output_.resize(before);
}

void MasterServer::list_done(uint32_t id, bool is_whole) {
  if (listing_ != id) return;
  listing_.reset();
  live_.erase(id);
  append_numbered(output_, "DONE", id);
  output_ += is_whole ? "\t\n" : "\tfail\n";  // the empty field is on the wire
}

}  // namespace saslatch::dovecot
