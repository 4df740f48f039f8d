#include "daemon/control/control_session.h"

#include <utility>

namespace saslatch::control {

ControlSession::ControlSession(const Peer& peer, Commands& commands, Now now)
    : peer_(peer), commands_(commands), idle_until_(now.mono + kIdle) {}

void ControlSession::receive(std::string_view bytes, Now now) {
  idle_until_ = now.mono + kIdle;
  while (!over_ && !bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (line_.size() + piece.size() >= kMaxRequest) {
      output_ += too_long_reply(kMaxRequest);
      over_ = true;
      break;
    }
    line_ += piece;
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    const std::string request = std::exchange(line_, {});
    output_ += commands_.answer(request, peer_, now);
  }
}

void ControlSession::end_of_input(Now) { over_ = true; }

void ControlSession::drain(Now) { over_ = true; }

std::optional<Mono> ControlSession::next_deadline() const {
  if (over_) return std::nullopt;
  return idle_until_;
}

void ControlSession::on_deadline(Now now) {
  if (now.mono >= idle_until_) over_ = true;
}

std::string ControlSession::take_output() { return std::exchange(output_, {}); }

}  // namespace saslatch::control
